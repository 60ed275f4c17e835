"""Other ways: the Dice of predictions that are turned, moved, or beside the label of another case."""

from __future__ import annotations

import pytest
import torch

from calib_monai.other_ways import Neighbor, Shift, WaysInOrder, shifts_of
from calib_monai.turns import Turn, turns_of


def label_map(size: tuple[int, ...] = (9, 8, 6)) -> torch.Tensor:
    """Two structures that no turn leaves as they are."""
    label = torch.zeros(size, dtype=torch.uint8)
    label[2:5, 2:4] = 1
    label[5:7, 2:6] = 2
    label[2, 2] = 2
    return label


def dice_of(label: torch.Tensor, predicted: torch.Tensor) -> float:
    """Of all structures together."""
    same = (label == predicted) & (label > 0)
    return 2 * same.sum().item() / ((label > 0).sum() + (predicted > 0).sum()).item()


@pytest.mark.parametrize("size", [(9, 8, 6), (8, 8, 1), (9, 8)])
def test_the_dice_of_each_way_is_that_of_the_changed_prediction(size: tuple[int, ...]) -> None:
    label = label_map(size)
    predicted = label.roll(1, 0)
    predicted[-3:] = 1
    ways = WaysInOrder().dice_of(label, predicted)
    assert list(ways) == [*turns_of(size), *shifts_of(size)]
    for way, dice in ways.items():
        changed = torch.zeros_like(predicted)
        if isinstance(way, Turn):
            changed = predicted.permute(way.order).flip([axis for axis, back in enumerate(way.backwards) if back])
        elif isinstance(way, Shift):
            length = size[way.axis] - abs(way.voxels)
            begin, end = max(way.voxels, 0), max(-way.voxels, 0)
            changed.narrow(way.axis, begin, length).copy_(predicted.narrow(way.axis, end, length))
        expected = 2 * ((label == changed) & (label > 0)).sum() / ((label > 0).sum() + (predicted > 0).sum())
        assert dice == pytest.approx(expected.item()), way


def test_an_axis_of_one_voxel_is_not_moved_along() -> None:
    assert set(shifts_of((3, 2, 1))) == {*(Shift(0, by) for by in (-2, -1, 1, 2)), *(Shift(1, by) for by in (-1, 1))}


def test_cases_of_one_size_are_compared_with_their_neighbors() -> None:
    in_order = WaysInOrder()
    labels = [label_map().roll(by, 1) for by in range(3)]
    predictions = [label.roll(1, 0) for label in labels]
    first, second, third = (in_order.dice_of(*pair) for pair in zip(labels, predictions, strict=True))
    assert Neighbor(-1) not in first
    assert Neighbor(1) not in third
    assert first[Neighbor(1)] == pytest.approx(dice_of(labels[1], predictions[0]))
    assert second[Neighbor(-1)] == pytest.approx(dice_of(labels[0], predictions[1]))
    assert second[Neighbor(1)] == pytest.approx(dice_of(labels[2], predictions[1]))
    other_size = in_order.dice_of(label_map((9, 8, 5)), label_map((9, 8, 5)))
    assert Neighbor(-1) not in other_size
    assert Neighbor(1) not in third


def test_a_case_without_structures_has_no_dice_in_any_way() -> None:
    empty = torch.zeros(4, 4, 3, dtype=torch.uint8)
    assert set(WaysInOrder().dice_of(empty, empty).values()) == {0.0}


def test_ways_are_told_in_words() -> None:
    assert str(Shift(1, -1)) == "moved by -1 voxel along y"
    assert str(Shift(2, 2)) == "moved by +2 voxels along z"
    assert [str(Neighbor(1)), str(Neighbor(-1))] == ["the next case", "the previous case"]
