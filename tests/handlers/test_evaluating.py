"""What a run of an evaluator begins with: the model's weights, and a bar that is hidden where nobody looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from monai.handlers import CheckpointLoader

from calib_monai.handlers import CalibratedLogits, ModelCheckpointLoader, ProgressBar
from calib_monai.handlers.checkpoints import DurableFiles
from calib_monai.posthoc import TemperatureScaling


def evaluator() -> Any:
    engine: Any = Engine(lambda _engine, _batch: None)
    engine.network, engine.state.device = torch.nn.Conv2d(1, 2, 1), torch.device("cpu")
    return engine


def test_the_weights_of_the_model_come_to_the_network_of_the_evaluator(tmp_path: Path) -> None:
    trained = torch.nn.Conv2d(1, 2, 1)
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    engine = evaluator()
    loader = ModelCheckpointLoader(str(tmp_path))
    assert isinstance(loader, CheckpointLoader)  # which checks of a run, and federated learning, look for
    loader.attach(engine)
    assert not torch.equal(engine.network.weight, trained.weight)
    engine.run([0])
    assert torch.equal(engine.network.weight, trained.weight)


def test_weights_of_another_training_beside_a_model_json_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = DurableFiles(str(tmp_path), "model.pt", made_for={"axcodes": "RAS"})
    files(torch.nn.Conv2d(1, 2, 1).state_dict(), "")
    ModelCheckpointLoader(str(tmp_path))(evaluator())
    assert "was written with" not in caplog.text
    torch.save(torch.nn.Conv2d(1, 2, 1).state_dict(), tmp_path / "model.pt")
    ModelCheckpointLoader(str(tmp_path))(evaluator())
    assert f"{tmp_path / 'model.json'} was written with another model.pt" in caplog.text


def test_the_bar_is_hidden_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    engine = evaluator()
    ProgressBar().attach(engine)
    engine.run([0, 1])
    assert capfd.readouterr().err == ""


def test_a_log_is_told_once_a_minute_how_far_a_run_is(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    passed = iter([0.0, 59, 60, 60, 90, 121, 121])
    monkeypatch.setattr("calib_monai.handlers.evaluating.monotonic", lambda: next(passed))
    engine = Engine(lambda _engine, _batch: None)
    ProgressBar().attach(engine)
    engine.run([0] * 4)
    told = [one.message for one in caplog.records if one.name.startswith("calib_monai")]
    assert told == ["2 of 4 iterations are done", "4 of 4 iterations are done"]


@pytest.mark.parametrize(("temperature", "added"), [(1.0, False), (2.0, True)])
def test_a_temperature_of_one_adds_no_second_logits(temperature: float, added: bool) -> None:  # noqa: FBT001
    engine, calibrator = evaluator(), TemperatureScaling()
    torch.nn.init.constant_(calibrator.log_temperature, torch.tensor(temperature).log().item())  # type: ignore[arg-type] # it is a parameter
    handler = CalibratedLogits(calibrator)
    engine.register_events(*IterationEvents)
    handler.attach(engine)
    assert engine.has_event_handler(handler, IterationEvents.FORWARD_COMPLETED) is added
