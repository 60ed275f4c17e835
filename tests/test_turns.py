"""Turns: a turned prediction is found by its overlap with the label."""

from __future__ import annotations

import pytest
import torch

from calib_monai.turns import MOST_PLACES, Turn, overlaps, turns_of


@pytest.mark.parametrize(
    ("size", "count"), [((6, 6, 6), 48), ((6, 6, 4), 16), ((5, 6, 7), 8), ((5, 6, 1), 4), ((6, 6), 8), ((1, 1, 1), 1)]
)
def test_all_turns_keep_the_size_and_the_first_changes_nothing(size: tuple[int, ...], count: int) -> None:
    turns = list(turns_of(size))
    assert len(set(turns)) == len(turns) == count
    assert turns[0] == Turn(tuple(range(len(size))), (False,) * len(size))
    assert all(tuple(size[axis] for axis in turn.order) == size for turn in turns)


def test_the_turn_of_a_prediction_is_found() -> None:
    predicted = torch.zeros(6, 6, 6, dtype=torch.bool)
    predicted[1, 2:4, :3] = predicted[4, 5, 5] = True
    for turn in turns_of(predicted.shape):
        label = predicted.permute(turn.order).flip([axis for axis, back in enumerate(turn.backwards) if back])
        shared = overlaps(label, predicted)
        assert [one for one, count in shared.items() if count == 7] == [turn]
    assert set(overlaps(torch.zeros_like(predicted), predicted).values()) == {0}


def test_the_overlap_of_a_large_label_is_estimated() -> None:
    label = torch.zeros(200, 300, 6, dtype=torch.bool)
    label[20:180, 20:280] = True
    assert label.sum() > 3 * MOST_PLACES
    predicted = label.clone()
    predicted[..., 0] = False  # a slice that is missed, as every sixth voxel of the label
    shared = overlaps(label, predicted)
    assert shared[Turn((0, 1, 2), (False, False, False))] == predicted.sum()
    assert list(shared.values()) == pytest.approx([float(predicted.sum())] * 8, rel=0.02)
    predicted[100:] = False
    for turn, count in overlaps(label, predicted).items():
        turned = predicted.flip([axis for axis, back in enumerate(turn.backwards) if back])
        assert count == pytest.approx(float((turned & label).sum()), rel=0.03)


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (Turn((2, 1, 0), (False, False, False)), "the axes z, y, x"),
        (Turn((0, 1, 2), (True, False, True)), "x, z reversed"),
        (Turn((1, 0), (True, False)), "the axes y, x and y reversed"),
    ],
)
def test_a_turn_is_told_in_words(turn: Turn, words: str) -> None:
    assert str(turn) == words
