"""Schedules: more epochs than before keep the learning rates of the longer training, or are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import LrScheduleHandler
from torch.optim import lr_scheduler as schedulers

from calib_monai.handlers import go_on
from calib_monai.handlers.checkpoints import DurableCheckpointSaver
from calib_monai.handlers.history import History
from calib_monai.handlers.resuming import last_checkpoint

Scheduler = Callable[[torch.optim.Optimizer, int], Any]


def halved(optimizer: torch.optim.Optimizer, epochs: int) -> Any:
    """As the bundles have it."""
    return schedulers.MultiStepLR(optimizer, [max(1, epochs // 2)])


def polynomial(optimizer: torch.optim.Optimizer, epochs: int) -> Any:
    return schedulers.PolynomialLR(optimizer, total_iters=epochs, power=0.9)


def in_sequence(optimizer: torch.optim.Optimizer, epochs: int) -> Any:
    parts = [schedulers.ConstantLR(optimizer, 0.5, 2), halved(optimizer, epochs)]
    return schedulers.SequentialLR(optimizer, parts, [2])


def one_cycle(optimizer: torch.optim.Optimizer, epochs: int) -> Any:
    return schedulers.OneCycleLR(optimizer, 1.0, total_steps=epochs + 1)


def fixed(optimizer: torch.optim.Optimizer, _epochs: int) -> Any:
    return schedulers.ExponentialLR(optimizer, 0.9)


def measured(optimizer: torch.optim.Optimizer, _epochs: int) -> Any:
    return schedulers.ReduceLROnPlateau(optimizer, patience=1)


def trained(
    folder: Path, epochs: int, of: Scheduler, *, stop_after: int = 99, resume: bool = False, steps: int = 0
) -> list[float]:
    """The learning rates with which a training has stepped; it resumes, or is stopped, where that is said."""
    rates: list[float] = []
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=1.0, momentum=0.9)
    scheduler = of(optimizer, epochs * (steps or 1))

    def step(_engine: Engine, _batch: object) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()

    trainer = Engine(step)
    trainer.optimizer = optimizer  # type: ignore[attr-defined] - as MONAI's has
    trainer.state.max_epochs = epochs
    told = (lambda _: 1.0) if of is measured else (lambda _: ())
    LrScheduleHandler(scheduler, print_lr=False, epoch_level=not steps, step_transform=told).attach(trainer)
    history = History(str(folder), Engine(step))
    history.attach(trainer)
    parts = {"optimizer": optimizer, "lr_scheduler": scheduler, "history": history, "trainer": trainer}
    saver = DurableCheckpointSaver(str(folder), parts, save_interval=1, n_saved=1)
    saver.attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=stop_after), trainer.terminate)
    go_on(trainer, saver, last_checkpoint(str(folder), resume=resume))
    trainer.run([0] * (steps or 1), max_epochs=epochs)
    return rates


@pytest.fixture
def whole(tmp_path: Path) -> Callable[..., list[float]]:
    """The learning rates of a training that is not stopped."""
    numbers: Iterator[int] = iter(range(9))
    return lambda *args, **options: trained(tmp_path / f"whole{next(numbers)}", *args, **options)


@pytest.mark.parametrize(
    ("of", "planned", "had", "epochs"),
    [
        (halved, 6, 2, 12),
        (halved, 6, 3, 12),  # the rate had dropped for the epoch that was to follow
        (halved, 12, 5, 10),
        (halved, 12, 5, 12),
        (polynomial, 4, 1, 9),
        (polynomial, 4, 3, 4),
        (in_sequence, 8, 3, 16),
        (in_sequence, 8, 5, 8),
        (one_cycle, 6, 4, 6),
        (fixed, 4, 4, 9),
        (fixed, 6, 2, 4),
        (measured, 5, 2, 9),
    ],
)
def test_another_number_of_epochs_has_the_schedule_of_a_training_of_so_many(
    of: Scheduler, planned: int, had: int, epochs: int, whole: Callable[..., list[float]], tmp_path: Path
) -> None:
    first = trained(tmp_path / "run", planned, of, stop_after=had)
    assert first + trained(tmp_path / "run", epochs, of, resume=True) == whole(epochs, of)


def test_a_schedule_of_iterations_goes_on_too(whole: Callable[..., list[float]], tmp_path: Path) -> None:
    first = trained(tmp_path / "run", 4, halved, stop_after=1, steps=3)
    assert first + trained(tmp_path / "run", 6, halved, steps=3, resume=True) == whole(6, halved, steps=3)


@pytest.mark.parametrize(
    ("of", "planned", "had", "epochs", "said"),
    [
        (halved, 3, 3, 6, r"3 epoch\(s\) whose learning rate in epoch 2 was 0.1; with --epochs 6 .* have been 1;"),
        (halved, 8, 4, 6, r"8 epoch\(s\) whose learning rate in epoch 4 was 1; with --epochs 6 .* have been 0.1;"),
        (polynomial, 4, 2, 9, "in epoch 2 was .*; with --epochs 9"),
        (in_sequence, 8, 7, 16, "in epoch 7 was 0.1; with --epochs 16 and these options it would have been 1;"),
        (one_cycle, 6, 4, 12, "with --epochs 12"),
    ],
)
def test_learning_rates_of_another_training_are_refused(
    of: Scheduler, planned: int, had: int, epochs: int, said: str, tmp_path: Path
) -> None:
    trained(tmp_path, planned, of, stop_after=had)
    with pytest.raises(ValueError, match=f"does not fit: it is of a training planned for .*{said}.*or train anew in"):
        trained(tmp_path, epochs, of, resume=True)


def test_another_schedule_is_taken_where_it_has_not_differed_yet(tmp_path: Path) -> None:
    trained(tmp_path, 8, halved, stop_after=2)
    assert trained(tmp_path, 8, lambda optimizer, _: schedulers.MultiStepLR(optimizer, [5], 0.5), resume=True) == [
        *[1.0] * 3,
        *[0.5] * 3,
    ]


def test_a_checkpoint_of_an_earlier_version_goes_on_as_planned_and_is_lengthened_before_its_rate_fell(
    tmp_path: Path,
) -> None:
    def without_rates() -> None:
        [path] = tmp_path.glob("checkpoint*.pt")
        content = torch.load(path, weights_only=True)
        for row in content["history"]["rows"]:
            row.pop("learning_rate", None)
        torch.save(content, path)

    trained(tmp_path, 6, halved, stop_after=2)
    without_rates()
    assert trained(tmp_path, 8, halved, stop_after=3, resume=True) == [1.0]
    without_rates()
    assert trained(tmp_path, 8, halved, stop_after=5, resume=True) == pytest.approx([1.0, 0.1])
    without_rates()
    assert trained(tmp_path, 8, halved, stop_after=6, resume=True) == pytest.approx([0.1])
    without_rates()
    with pytest.raises(ValueError, match=r"in epoch 1 was 0\.1; with --epochs 16"):
        trained(tmp_path, 16, halved, resume=True)
