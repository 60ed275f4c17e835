"""The check of fit: labels of other classes and turned ones are refused; a poor fit is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, State

from calib_monai.datalists.elsewhere import OtherData
from calib_monai.handlers import FitCheck, IgnoredLabel
from calib_monai.handlers.fit_check import FIRST

NAMES = ["background", "left", "middle", "right"]
Change = Callable[[torch.Tensor], torch.Tensor]


def predicted_map() -> torch.Tensor:
    """Three structures of different sizes, (1, 10, 8, 4)."""
    label = torch.zeros(1, 10, 8, 4, dtype=torch.uint8)
    label[:, 0:2, 1:5] = 1
    label[:, 3:6, 0:4] = 2
    label[:, 6:7, 2:8, :2] = 3
    return label


def run(
    check: FitCheck,
    *changes: Change,
    ignore_index: int | None = None,
    predicted: torch.Tensor | None = None,
) -> State:
    """Measure a case for each change, whose label is the changed prediction; the evaluator's state."""
    predicted = predicted_map() if predicted is None else predicted
    prob = torch.nn.functional.one_hot(predicted[0].long(), len(check.class_names)).movedim(3, 0).float()

    def step(engine: Engine, case: int) -> list[dict[str, torch.Tensor]]:
        label = changes[case](predicted).float()
        engine.state.batch = [{"case": f"case_{case}", "label": label, "target": label}]
        return [{"pred": predicted, "prob": prob}]

    engine = Engine(step)
    IgnoredLabel(ignore_index).attach(engine)
    check.attach(engine)
    return engine.run(range(len(changes)))


def exchanged(label: torch.Tensor) -> torch.Tensor:
    """Labels in which 1 is 2, 2 is 3 and 3 is 1."""
    return torch.tensor([0, 2, 3, 1], dtype=torch.uint8)[label.int()]


def other_data(tmp_path: Path, **content: bool) -> OtherData:
    (tmp_path / "hospital.json").write_text(json.dumps({"folder": "."} | content))
    return OtherData(str(tmp_path / "hospital.json"))


@pytest.mark.parametrize("change", [torch.clone, torch.zeros_like, lambda label: label.roll(3, 1)])
def test_a_good_a_useless_and_a_poor_fit_are_accepted(change: Change) -> None:
    run(FitCheck(NAMES), change, change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            exchanged,
            r"^the channels look .*: as left, middle, right their mean Dice is 0.00, and as middle, right, left it is",
        ),
        (exchanged, "--order background middle right left; --any_fit accepts what is there$"),
        (
            lambda label: label.flip(1),
            "^the arrays look turned: the Dice .* is 0.43, and with x reversed it is 1.00; store",
        ),
    ],
)
def test_another_order_of_channels_and_turned_arrays_are_refused(change: Change, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        run(FitCheck(NAMES), change)


def test_what_is_said_to_be_right_is_not_judged(tmp_path: Path) -> None:
    run(FitCheck(NAMES, OtherData("")), exchanged)  # test cases of the training
    run(FitCheck(NAMES, other_data(tmp_path, labels_are_right=True)), exchanged)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            exchanged,
            r"^the labels of .*hospital.json look .*, and as right, left, middle it is 1.00; correct",
        ),
        (
            lambda label: label.flip(1),
            r"^the labels of .*hospital.json beside its images look turned: .*; mend the files",
        ),
    ],
)
def test_labels_of_other_data_are_judged(change: Change, said: str, tmp_path: Path) -> None:
    for allowed in ({}, {"labels_are_right": False}):
        with pytest.raises(ValueError, match=f'{said}.*; a JSON file with "folder" and "labels_are_right": true'):
            run(FitCheck(NAMES, other_data(tmp_path, **allowed)), change)


def test_ignored_voxels_do_not_count() -> None:
    def change(label: torch.Tensor) -> torch.Tensor:
        ignored = label.flip(1).masked_fill(label.flip(1) == 0, 9)
        return torch.where(label > 0, label, ignored)

    run(FitCheck(NAMES), change, ignore_index=9)
    with pytest.raises(ValueError, match="look like those of other classes"):
        run(FitCheck(NAMES), lambda label: exchanged(label).masked_fill(label.roll(1, 1) == 0, 9), ignore_index=9)


def test_two_exchanged_classes_of_many_are_refused() -> None:
    predicted = torch.arange(9).repeat_interleave(8).view(1, 9, 8, 1)
    with pytest.raises(ValueError, match=r"as a, b their mean Dice is 0.00, and as b, a it is 1.00; .* background b a"):
        run(
            FitCheck(["background", *"abcdefgh"]),
            lambda label: torch.tensor([0, 2, 1, *range(3, 9)])[label],
            predicted=predicted,
        )


def test_cases_that_are_turned_where_others_are_not_are_told(caplog: pytest.LogCaptureFixture) -> None:
    check = FitCheck(NAMES)
    state = run(check, torch.clone, torch.clone, lambda label: label.flip(1))
    assert caplog.messages == [
        "1 of 3 case(s) fit their labels far better turned, first case_2 with x reversed: look at them"
    ]
    assert state.cautions == caplog.messages
    assert run(check, torch.clone).cautions == []


def test_structures_that_a_turn_exchanges_may_be_turned() -> None:
    """Nothing tells exchanged channels from a reversed axis, for left and right look like each other."""
    left = (predicted_map() == 1).to(torch.uint8)
    with pytest.raises(ValueError, match="right left, unless the axes run otherwise, which can look the same;"):
        run(FitCheck(["background", "left", "right"]), lambda label: label.flip(1), predicted=left + 2 * left.flip(1))


def test_classes_that_no_label_shows_are_told() -> None:
    """Labels without the second structure in one case, and in all of them."""

    def without(label: torch.Tensor) -> torch.Tensor:
        return label.masked_fill(label == 2, 0)

    [caution] = run(FitCheck(NAMES), without, without).cautions
    assert caution.startswith("no label shows middle: nothing tests these probabilities, and CECE")
    assert run(FitCheck(NAMES), without, torch.clone).cautions == []


def test_without_a_background_and_with_a_class_that_is_not_found_the_order_stays() -> None:
    label = predicted_map()
    only_left = torch.where(label == 1, label, torch.full_like(label, 9))
    few = torch.where((label == 1) & (torch.arange(4) < 1), label, torch.zeros_like(label))
    run(FitCheck(NAMES), lambda _: only_left, ignore_index=9, predicted=few)
    tiny = label.masked_fill(label == 2, 0)
    tiny[0, 3, 0, 0] = 2
    run(FitCheck(NAMES), lambda _: tiny, predicted=torch.where(tiny == 1, 2 * torch.ones_like(tiny), tiny))


def test_a_channel_of_the_background_where_none_should_be_is_told() -> None:
    predicted = (predicted_map() > 0) * 1
    with pytest.raises(ValueError, match="leave out --foreground if one is of the background; --any_fit accepts"):
        run(FitCheck(["background", "left"], background=False), lambda label: 1 - label, predicted=predicted)


def test_what_the_first_cases_would_be_refused_for_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    run(FitCheck(NAMES), *[exchanged] * FIRST, *[torch.clone] * 30)
    line, at_the_end = caplog.messages
    assert line.startswith(f"of the first {FIRST} cases, the channels look like those of other classes")
    assert at_the_end.startswith(f"{FIRST} of 35 case(s) fit their labels far better with classes exchanged, first ")
    caplog.clear()
    run(FitCheck(NAMES), *[torch.clone] * FIRST)
    assert not caplog.messages


def large_map() -> torch.Tensor:
    """The three structures, of twice the voxels."""
    return predicted_map().repeat_interleave(2, dim=3)


def test_cases_whose_classes_are_exchanged_where_others_are_not_are_told(caplog: pytest.LogCaptureFixture) -> None:
    check = FitCheck(NAMES)
    two = torch.tensor([0, 2, 1, 3], dtype=torch.uint8)
    state = run(check, torch.clone, torch.clone, lambda label: two[label.int()], exchanged, predicted=large_map())
    [caution] = caplog.messages
    assert caution == (
        "2 of 4 case(s) fit their labels far better with classes exchanged, first case_2 with left, middle as middle, "
        "left: look at them"
    )
    assert state.cautions == caplog.messages
    inverted = FitCheck(NAMES[:2])
    mask = (large_map() > 0).to(torch.uint8)
    run(inverted, torch.clone, torch.clone, torch.clone, lambda label: 1 - label, predicted=mask)
    assert "1 of 4 case(s) fit their labels far better with classes exchanged, first case_3 with" in caplog.messages[-1]


@pytest.mark.parametrize(
    "change",
    [
        lambda label: label.masked_fill(label == 1, 2),  # a network takes one for the other
        lambda label: torch.where(label == 1, 2 * torch.ones_like(label), 0 * label),
        lambda label: torch.where(torch.rand(label.shape, generator=torch.manual_seed(0)) < 0.5, label, 3 - label),
        lambda label: torch.tensor([0, 2, 1, 3])[label.int()].masked_fill(torch.arange(8) > 0, 0),  # a few voxels
        lambda label: label.roll(2, 1),
        torch.zeros_like,
    ],
)
def test_a_case_with_a_poor_fit_or_of_a_few_voxels_is_in_no_other_order(change: Change) -> None:
    state = run(FitCheck(NAMES), torch.clone, torch.clone, torch.clone, change, predicted=large_map())
    assert not [line for line in state.cautions if "exchanged" in line]
