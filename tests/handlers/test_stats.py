"""Stats: a line an epoch, the mean loss, and an error is left to the program."""

from __future__ import annotations

import logging

import pytest
import torch
from ignite.engine import Engine
from monai.engines import SupervisedTrainer

from calib_monai.handlers import EpochMean, EpochStats


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_ends_the_run_and_leaves_no_traceback_in_the_log(
    error: type[BaseException], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_engine: Engine, _batch: int) -> None:
        raise error

    engine = Engine(fail)
    engine.logger.setLevel("CRITICAL")  # as logging.conf does
    EpochStats(name="train").attach(engine)
    with pytest.raises(error):
        engine.run([1])
    assert capsys.readouterr() == ("", "")
    assert not caplog.records


def test_a_training_tells_once_when_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stats = EpochStats(name="trains_once")  # which no run before this test has set up
    stats.logger.propagate = True  # caplog listens at the root
    network = torch.nn.Linear(1, 1)
    items = [{"image": torch.ones(1), "label": torch.ones(1)}] * 5
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=torch.utils.data.DataLoader(items, batch_size=2),  # type: ignore[arg-type] - a list is one
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.1),
        loss_function=torch.nn.MSELoss(),
        train_handlers=[stats],
    )
    trainer.run()
    told = [record.getMessage() for record in caplog.records if "begins" in record.getMessage()]
    assert told == ["epoch 1 of 2 begins"]


def test_the_loss_of_an_epoch_is_the_mean_of_its_iterations() -> None:
    engine = Engine(lambda _engine, loss: [{"loss": loss}])
    EpochMean("train_loss").attach(engine)
    engine.run([1.0, 2.0, 6.0])
    assert engine.state.metrics["train_loss"] == pytest.approx(3.0)
