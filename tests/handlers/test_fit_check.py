"""The check of fit: labels of other classes and turned ones are refused; a poor fit is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine

from calib_monai.datalists.elsewhere import OtherData
from calib_monai.handlers import FitCheck, IgnoredLabel

NAMES = ["background", "left", "middle", "right"]
Change = Callable[[torch.Tensor], torch.Tensor]


def predicted_map() -> torch.Tensor:
    """Three structures of different sizes, (1, 10, 8, 4)."""
    label = torch.zeros(1, 10, 8, 4, dtype=torch.uint8)
    label[:, 0:2, 1:5] = 1
    label[:, 3:6, 0:4] = 2
    label[:, 6:7, 2:8, :2] = 3
    return label


def run(check: FitCheck, change: Change, ignore_index: int | None = None) -> None:
    """Measure three cases, whose labels are changed predictions."""

    def step(engine: Engine, _: int) -> list[dict[str, torch.Tensor]]:
        label, prob = change(predicted_map()).float(), torch.nn.functional.one_hot(predicted_map()[0].long())
        engine.state.batch = [{"label": label, "target": label}]
        return [{"pred": predicted_map(), "prob": prob.movedim(3, 0).float()}]

    engine = Engine(step)
    IgnoredLabel(ignore_index).attach(engine)
    check.attach(engine)
    engine.run(range(3))


def exchanged(label: torch.Tensor) -> torch.Tensor:
    """Labels in which 1 is 2, 2 is 3 and 3 is 1."""
    return torch.tensor([0, 2, 3, 1], dtype=torch.uint8)[label.int()]


def other_data(tmp_path: Path, **content: bool) -> OtherData:
    (tmp_path / "hospital.json").write_text(json.dumps({"folder": "."} | content))
    return OtherData(str(tmp_path / "hospital.json"))


@pytest.mark.parametrize("change", [torch.clone, torch.zeros_like, lambda label: label.roll(3, 1)])
def test_a_good_a_useless_and_a_poor_fit_are_accepted(change: Change) -> None:
    run(FitCheck(NAMES), change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            exchanged,
            r"^the channels look like .*: as background, left, middle, right their mean Dice is 0.2.* 1.00; give",
        ),
        (exchanged, "--order background middle right left, or the order that you have, which is then not doubted$"),
        (
            lambda label: label.flip(1),
            "^the arrays look turned: the Dice .* is 0.43, and with x reversed it is 1.00; say",
        ),
    ],
)
def test_another_order_of_channels_and_turned_arrays_are_refused(change: Change, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(FitCheck(NAMES), change)


def test_what_is_said_to_be_right_is_not_judged(tmp_path: Path) -> None:
    run(FitCheck(NAMES, order=False), exchanged)
    run(FitCheck(NAMES, axes=False), lambda label: label.flip(1))
    run(FitCheck(NAMES, OtherData("")), exchanged)  # test cases of the training
    run(FitCheck(NAMES, other_data(tmp_path, labels_are_right=True)), exchanged)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            exchanged,
            r"^the labels of .*hospital.json look .*, and as background, right, left, middle it is 1.00; correct",
        ),
        (
            lambda label: label.flip(1),
            r"^the labels of .*hospital.json beside its images look turned: .*; mend the files",
        ),
    ],
)
def test_labels_of_other_data_are_judged(change: Change, said: str, tmp_path: Path) -> None:
    for allowed in ({}, {"labels_are_right": False}):
        with pytest.raises(ValueError, match=f'{said}.* "labels_are_right": true in the JSON file of test_dir accepts'):
            run(FitCheck(NAMES, other_data(tmp_path, **allowed)), change)


def test_ignored_voxels_do_not_count() -> None:
    def change(label: torch.Tensor) -> torch.Tensor:
        ignored = label.flip(1).masked_fill(label.flip(1) == 0, 9)
        return torch.where(label > 0, label, ignored)

    run(FitCheck(NAMES), change, ignore_index=9)
    with pytest.raises(ValueError, match="look like those of other classes"):
        run(FitCheck(NAMES), lambda label: exchanged(label).masked_fill(label == 0, 9), ignore_index=9)
