"""What a training shows in TensorBoard: histograms and diagrams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from calib_monai.handlers import MaxLogitHistogram, ReliabilityImage, tensorboard
from calib_monai.handlers.tensorboard import Board


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"histograms": 0})
    accumulator.Reload()
    return accumulator


def test_the_largest_logit_is_shown_after_each_validation(
    engine: Engine, tmp_path: Path, batch_of: Callable[[int], dict[str, torch.Tensor]]
) -> None:
    MaxLogitHistogram(str(tmp_path)).attach(engine)
    for epoch in (1, 2):
        engine.state.max_epochs, engine.state.epoch = epoch, epoch - 1  # as MONAI's ValidationHandler does
        engine.run([1, 2], max_epochs=epoch)
    cases = [batch_of(seed) for seed in (1, 2)]
    logits = torch.cat([case["pred"][0].flatten(1).clamp(-60, 60) for case in cases], dim=1)
    labels = torch.cat([case["label"].flatten() for case in cases])
    for k in range(3):
        of_class = logits[:, labels == k]
        for name, values in (("max_logit", of_class.amax(dim=0)), ("mean_logit", of_class[k])):
            assert engine.state.metrics[f"{name}/{k}"] == pytest.approx(values.mean().item(), abs=0.125)
    Board(str(tmp_path)).close()
    shown = events(tmp_path / "tensorboard").Histograms("val_max_logit")
    largest = torch.stack([batch_of(seed)["pred"].amax(dim=1) for seed in (1, 2)])
    assert [histogram.step for histogram in shown] == [1, 2]
    assert shown[1].histogram_value.num == largest.numel()
    assert shown[1].histogram_value.sum / largest.numel() == pytest.approx(
        largest.clamp(-60, 60).mean().item(), abs=0.2
    )


def test_the_reliability_diagram_is_shown_every_few_validations(engine: Engine, tmp_path: Path) -> None:
    ReliabilityImage(str(tmp_path), interval=2).attach(engine)
    for epoch in range(1, 6):
        engine.state.max_epochs, engine.state.epoch = epoch, epoch - 1
        engine.run([1, 2], max_epochs=epoch)
    Board(str(tmp_path)).close()
    shown = events(tmp_path / "tensorboard").Images("val_reliability")
    assert [image.step for image in shown] == [2, 4]
    assert shown[0].encoded_image_string.startswith(b"\x89PNG")


def test_a_resumed_training_hides_what_was_written_after_its_last_saved_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TensorBoard reads files in the order of their names, in which 10 comes before 9: here two files of one second.
    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    mine = Board(str(tmp_path))
    for epoch in (1, 2, 3):
        mine.add_scalar("loss", epoch, epoch)
    mine.restart(had_epochs=2)
    Board(str(tmp_path)).add_scalar("loss", 30, 3)
    mine.close()
    assert [scalar.value for scalar in events(tmp_path / "tensorboard").Scalars("loss")] == [1, 2, 30]


def test_only_the_first_process_writes_for_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "is_first_process", lambda: False)
    silent = Board(str(tmp_path))
    silent.restart(had_epochs=1)
    assert silent.add_scalar("loss", 1, 1) is None
    silent.close()
    assert not list(tmp_path.iterdir())
