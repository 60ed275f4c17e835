"""Pairwise Dice: the mean Dice between the label maps of the members of an ensemble."""

from __future__ import annotations

from itertools import combinations
from math import isnan

import pytest
import torch
from monai.metrics import DiceMetric
from monai.networks.utils import one_hot

from calib_monai.metrics import PairwiseDiceMetric
from calib_monai.metrics.pairwise_dice import pairwise_dice


def maps(members: int = 4, classes: int = 3, size: tuple[int, ...] = (6, 5, 4)) -> torch.Tensor:
    """Random label maps of a batch of two images, (2, M, H, W[, D])."""
    return torch.randint(classes, (2, members, *size), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("size", [(6, 5), (6, 5, 4)])
def test_it_is_the_mean_over_pairs_of_the_dice_of_monai(size: tuple[int, ...]) -> None:
    labels = maps(size=size)
    labels[1, 0][labels[1, 0] == 2] = 0  # a class that one member does not predict
    found = PairwiseDiceMetric()(labels)
    dice = DiceMetric(include_background=False)
    pairs = [
        [
            dice(*(one_hot(image[member][None, None], 3) for member in pair)).nanmean()
            for pair in combinations(range(4), 2)
        ]
        for image in labels
    ]
    torch.testing.assert_close(found, torch.tensor(pairs).double().mean(dim=1, keepdim=True), rtol=1e-6, atol=0)


def test_members_that_agree_have_1_and_their_order_is_of_no_matter() -> None:
    labels = maps()[0]
    assert pairwise_dice(labels[:1].expand(3, -1, -1, -1)) == 1
    assert pairwise_dice(labels) == pytest.approx(pairwise_dice(labels[[2, 0, 3, 1]]).item())


def test_a_class_that_one_member_alone_predicts_counts_as_0_and_one_that_neither_does_not_at_all() -> None:
    labels = torch.zeros(2, 4, 4, dtype=torch.uint8)
    assert isnan(pairwise_dice(labels))
    labels[:, 0] = 1
    assert pairwise_dice(labels) == 1
    labels[1, 3] = 5
    assert pairwise_dice(labels) == 0.5


def test_a_case_without_any_structure_is_left_out_of_the_mean_over_cases() -> None:
    metric = PairwiseDiceMetric()
    metric(torch.stack([maps()[0], torch.zeros_like(maps()[0])]))
    assert metric.values().shape == (2, 1)
    assert metric.aggregate() == pairwise_dice(maps()[0])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (maps()[0, :1], r"labels are \(1, 6, 5, 4\); they must be the label maps of two members or more"),
        (maps()[0].float(), "labels are torch.float32 from 0.0; they must be class indices"),
        (maps()[0].int() - 1, "labels are torch.int32 from -1; they must be class indices from 0 on"),
    ],
)
def test_what_are_no_label_maps_of_members_is_refused(labels: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        pairwise_dice(labels)


def test_unsigned_label_maps_are_label_maps() -> None:
    assert pairwise_dice(maps()[0].to(torch.uint16)) == pairwise_dice(maps()[0])
