"""What the log of an inference tells of volumes, and the notes on volumes that say little."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events

from calib_monai.handlers import PredictionsSaver
from calib_monai.handlers.volume_log import VolumeLog, doubt_of


def predicted(folder: Path, probs: torch.Tensor, names: list[str], calibrator: str = "none") -> dict[str, Any]:
    """The structures that are written of two cases of these probabilities, (C, H, W)."""
    engine: Any = Engine(lambda _engine, _batch: None)
    PredictionsSaver(str(folder), ["background", *names], calibrator=calibrator).attach(engine)
    engine.fire_event(Events.STARTED)
    for case in ("one", "two"):
        engine.state.batch = [{"case": case}]
        engine.state.output = [{"prob": probs, "pred": probs.argmax(dim=0, keepdim=True).float()}]
        engine.fire_event(Events.ITERATION_COMPLETED)
    engine.fire_event(Events.COMPLETED)
    told: dict[str, Any] = json.loads((folder / "predictions" / "one" / "one_structures.json").read_text())
    return told["structures"]


def of_two_classes(*columns: float) -> torch.Tensor:
    """Probabilities (2, 10, columns), where class 1 has one in each column."""
    foreground = torch.tensor(columns).expand(10, -1)
    return torch.stack([1 - foreground, foreground])


@pytest.mark.parametrize(
    ("volume", "possible", "expected", "said"),
    [
        (1.17, 15.3, 3.5, ["above 0.05 is 13.1 times", "expected volume is 3.0 times"]),
        (10, 40, 20, []),
        (10, 41, 20, ["above 0.05 is 4.1 times"]),
        (10, 30, 20.5, ["expected volume is 2.0 times"]),
        (10, 12, 4, ["expected volume is 0.4 times"]),
        (10, 12, 5, []),
        (0, 3, 1, ["the label is empty"]),
        (0, 0, 0, []),
    ],
)
def test_volumes_that_say_little_are_found(volume: float, possible: float, expected: float, said: list[str]) -> None:
    doubt = doubt_of(volume, possible, expected)
    assert bool(doubt) == bool(said)
    assert all(part in doubt for part in said)


@pytest.mark.parametrize(("calibrator", "advice"), [("none", "calibrate the network first"), ("ts", "look at these")])
def test_a_note_stands_in_the_file_and_one_line_names_the_first_case(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, calibrator: str, advice: str
) -> None:
    caplog.set_level(logging.INFO)
    structures = predicted(tmp_path, of_two_classes(0.6, *[0.3] * 5), ["tumor"], calibrator)
    assert "above 0.05 is 6.0 times the area of the label" in structures["tumor"]["note"]
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith("cases with a note on an area: 2, first one, tumor: the area with a probability above")
    assert advice in line


def test_each_case_has_a_line_with_its_volumes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert "note" not in predicted(tmp_path, of_two_classes(0.97, 0.6, 0.2, 0.01), ["tumor"])["tumor"]
    assert [record.getMessage() for record in caplog.records] == [f"{case}: tumor 20 pixels" for case in ("one", "two")]


@pytest.mark.parametrize(("unit", "word"), [("volume_ml", "ml"), ("area_pixels", "pixels")])
def test_a_volume_is_told_with_its_interval(unit: str, word: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    numbers = {unit: 1.234, f"{unit}_interval": [0.98, 123.4]}
    VolumeLog(calibrated=True).tell("one", unit, {"tumor": numbers}, 0.9)
    told = f"one: tumor 1.23 {word} (true {unit.partition('_')[0]} in 90 %: 0.98 to 123)"
    assert caplog.records[0].getMessage() == told


def test_of_many_structures_the_first_four_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    probs = torch.eye(7)[torch.arange(7).repeat(10, 1)].movedim(-1, 0)
    predicted(tmp_path, probs, list("abcdef"))
    line = caplog.records[0].getMessage()
    assert line.endswith("d 10 pixels, and 2 more in the file")
    assert "e 10" not in line
