"""Crops: the box of training holds what can be held of the label, and says what it cannot."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
import torch
from monai.transforms import ResizeWithPadOrCrop

from calib_monai.crops import TrainingBoxd, best_start


def scan(shape: tuple[int, ...], *marked: tuple[slice, ...]) -> dict[str, object]:
    """An image that numbers its voxels, and a label that is 1 and 2 in these places."""
    label = torch.zeros(1, *shape)
    for value, place in enumerate(marked, start=1):
        label[(0, *place)] = value
    return {"image": torch.arange(label.numel()).reshape(1, *shape).float(), "label": label, "case": "one"}


@pytest.mark.parametrize("shape", [(20, 13, 9), (6, 13, 2), (7, 30)])
def test_a_label_that_is_at_the_center_leaves_the_box_there(shape: tuple[int, ...]) -> None:
    data = scan(shape, tuple(slice(size // 2, size // 2 + 1) for size in shape))
    size = [8, 8, 4][: len(shape)]
    boxed = TrainingBoxd([8, 8], num_slices=4, elsewhere=0)(data)
    for key in ("image", "label"):
        assert torch.equal(torch.as_tensor(boxed[key]), ResizeWithPadOrCrop(size)(data[key]).as_tensor())


def test_the_box_is_moved_as_little_as_holds_the_label() -> None:
    data = scan((20, 13, 30), (slice(1, 4), slice(5, 7), slice(25, 29)), (slice(2, 3), slice(5, 6), slice(28, 29)))
    boxed = TrainingBoxd([8, 8], num_slices=10, elsewhere=0)(data)
    assert torch.equal(torch.as_tensor(boxed["image"]), data["image"][:, 1:9, 2:10, 19:29])
    assert boxed["label"].sum() == data["label"].sum()
    assert TrainingBoxd([8, 8], elsewhere=0)(data)["image"].shape == (1, 8, 8, 30)


def test_what_the_box_cannot_hold_is_told(caplog: pytest.LogCaptureFixture) -> None:
    data = scan((40, 8, 4), (slice(0, 12),), (slice(30, 40),))
    with caplog.at_level(logging.WARNING):
        boxed = TrainingBoxd([16, 8], elsewhere=0)(data)
    assert (boxed["label"] == 1).sum() == 12 * 8 * 4
    assert [record.getMessage() for record in caplog.records] == [
        "case one: the box of training, 16 x 8 x 4 voxels, cuts off 100 % of label 2"
    ]


def test_the_box_takes_its_size_and_the_ignored_label_from_what_the_model_is_made_for() -> None:
    data = scan((20, 13, 9), (slice(1, 4), slice(5, 7), slice(4, 6)), (slice(12, 20), slice(5, 13), slice(4, 6)))
    made_for = SimpleNamespace(slice_size=[8, 8], ignore_index=2)
    boxed = TrainingBoxd(made_for=made_for, elsewhere=0)(data)
    assert torch.equal(boxed["label"], TrainingBoxd([8, 8], elsewhere=0, ignore_index=2)(data)["label"])
    assert TrainingBoxd([4, 4], made_for=made_for, elsewhere=0)(data)["image"].shape == (1, 4, 4, 9)
    with pytest.raises(ValueError, match="needs a slice_size, or made_for"):
        TrainingBoxd()


def test_a_window_without_any_count_is_at_the_center() -> None:
    assert best_start(torch.zeros(9, dtype=torch.long), 4) == 2
    assert best_start(torch.tensor([5, 0, 0, 0, 1, 1]), 2) == 0


def test_slices_from_all_over_a_larger_scan_follow_those_of_the_box() -> None:
    data = scan((20, 6, 30), (slice(9, 11), slice(2, 3), slice(14, 16)))
    boxed = TrainingBoxd([8, 8], num_slices=12, elsewhere=0.5)(data)
    assert boxed["image"].shape == boxed["label"].shape == (1, 8, 8, 12 + 6)
    numbers = torch.as_tensor(boxed["image"])[0, :, 1:7, 12:].long()
    rows, slices = numbers[0, 0] // (6 * 30), numbers[0, 0] % 30
    assert len(set(rows.tolist())) > 1
    assert len(set(slices.tolist())) > 1
    expected = torch.stack([data["label"][0, row : row + 8, :, at] for row, at in zip(rows, slices, strict=True)], -1)
    assert torch.equal(torch.as_tensor(boxed["label"])[0, :, 1:7, 12:], expected)
    again = TrainingBoxd([8, 8], num_slices=12, elsewhere=0.5)(data)
    assert torch.equal(torch.as_tensor(again["image"]), torch.as_tensor(boxed["image"]))
    assert TrainingBoxd([32, 16])(data)["image"].shape == (1, 32, 16, 30)


def test_what_is_ignored_moves_no_box_and_is_no_structure(caplog: pytest.LogCaptureFixture) -> None:
    data = scan((20, 20, 4), (slice(10, 13), slice(10, 13)))
    data["label"][0, :9, :9] = 255
    with caplog.at_level(logging.WARNING):
        boxed = TrainingBoxd([8, 8], elsewhere=0, ignore_index=255)(data)
    assert (boxed["label"] == 1).sum() == 3 * 3 * 4
    assert not caplog.records
