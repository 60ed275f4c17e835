"""A loss is tried on one slice before any file is read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.inferers import SimpleInferer
from monai.losses import DiceCELoss, DiceFocalLoss, DiceLoss, FocalLoss, HausdorffDTLoss

from calib_monai.loss_checks import check_loss
from calib_monai.losses import BWCRLoss, CompoundLoss, NACLLoss
from calib_monai.views import TwoViewInferer


def test_a_loss_is_tried_before_the_data_are_read_and_leaves_no_trace() -> None:
    network, device = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.BatchNorm2d(3)), torch.device("cpu")
    rest = (network, SimpleInferer(), 1, 3, (16, 32), device)
    state = torch.get_rng_state()
    check_loss(DiceCELoss(softmax=True, to_onehot_y=True), *rest)
    with pytest.raises(ValueError, match=r"^DiceLoss cannot take logits of 3 classes and class indices: "):
        check_loss(DiceLoss(softmax=True), *rest)
    with pytest.raises(ValueError, match=r"^FocalLoss gives \(1, 3, 16, 32\) for a batch; it must"):
        check_loss(FocalLoss(to_onehot_y=True, reduction="none"), *rest)
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    assert network[1].num_batches_tracked == 0


def test_a_network_that_gives_probabilities_is_refused_before_the_data_are_read() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.Softmax(1))
    rest = (1, 3, (16, 32), torch.device("cpu"))
    for loss, inferer in ((NACLLoss(), SimpleInferer()), (BWCRLoss(), TwoViewInferer())):
        with pytest.raises(ValueError, match=r"^network_def gives probabilities, .*leave out the softmax"):
            check_loss(loss, network, inferer, *rest)
        check_loss(loss, network[0], inferer, *rest)


class Softened(torch.nn.Module):
    """Takes the softmax of logits itself, for a loss of MONAI inside."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = DiceLoss(to_onehot_y=True)

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return self.dice(logits.softmax(dim=1), target)


FINE = [
    NACLLoss(),
    FocalLoss(to_onehot_y=True, use_softmax=True),
    DiceCELoss(softmax=True, to_onehot_y=True),
    CompoundLoss({"dice": DiceLoss(softmax=True, to_onehot_y=True), "nacl": NACLLoss()}, {"dice": 1.0, "nacl": 1.0}),
    Softened(),
]


@pytest.mark.parametrize("loss", FINE, ids=lambda loss: type(loss).__name__)
def test_a_loss_that_takes_the_softmax_passes(loss: torch.nn.Module) -> None:
    check_loss(loss, torch.nn.Conv2d(1, 3, 1), SimpleInferer(), 1, 3, (16, 32), torch.device("cpu"))


@pytest.mark.parametrize(
    "loss",
    [
        DiceLoss(to_onehot_y=True),
        DiceLoss(to_onehot_y=True, sigmoid=True),
        FocalLoss(to_onehot_y=True),
        CompoundLoss({"dice": DiceLoss(to_onehot_y=True)}, {"dice": 1.0}),
    ],
    ids=["logits", "sigmoid", "focal", "in a compound"],
)
def test_a_loss_that_takes_no_softmax_is_refused(loss: torch.nn.Module) -> None:
    rest = (torch.nn.Conv2d(1, 3, 1), SimpleInferer(), 1, 3, (16, 32), torch.device("cpu"))
    with pytest.raises(ValueError, match=r"^(Dice|Focal)Loss does not take the softmax of logits; set softmax"):
        check_loss(loss, *rest)


def test_a_loss_whose_part_cannot_take_the_softmax_is_refused_with_a_way_to_have_it() -> None:
    loss, rest = DiceFocalLoss(to_onehot_y=True, softmax=True), (SimpleInferer(), 1, 3, (16, 32), torch.device("cpu"))
    with pytest.raises(ValueError, match=r"^FocalLoss does .*; if DiceFocalLoss has no such option, .*CompoundLoss$"):
        check_loss(loss, torch.nn.Conv2d(1, 3, 1), *rest)
    parts = {"dice": DiceLoss(to_onehot_y=True, softmax=True), "focal": FocalLoss(to_onehot_y=True, use_softmax=True)}
    check_loss(CompoundLoss(parts, {"dice": 1.0, "focal": 1.0}), torch.nn.Conv2d(1, 3, 1), *rest)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (
            DiceCELoss(softmax=True, to_onehot_y=True, lambda_dice=0.0, lambda_ce=0.0),
            "has no gradient at random logits",
        ),
        (DiceCELoss(softmax=True, to_onehot_y=True, weight=torch.zeros(3)), "gives nan for random logits"),
    ],
)
def test_a_loss_of_which_nothing_can_be_learned_is_refused(loss: torch.nn.Module, said: str) -> None:
    with pytest.raises(ValueError, match=f"^DiceCELoss {said}"):
        check_loss(loss, torch.nn.Conv2d(1, 3, 1), SimpleInferer(), 1, 3, (16, 32), torch.device("cpu"))


class Margin(torch.nn.Module):
    """A penalty of logits above 50 alone, with a weight of its own."""

    def __init__(self, *, deaf: bool) -> None:
        super().__init__()
        self.weight, self.deaf = torch.nn.Parameter(torch.ones(())), deaf

    def forward(self, logits: torch.Tensor, _target: torch.Tensor) -> torch.Tensor:
        """The penalty; of a deaf one, its weight."""
        return self.weight * (1.0 if self.deaf else (logits.abs() - 50).relu().mean())


def test_a_penalty_that_begins_at_large_logits_passes_and_one_of_no_logits_does_not() -> None:
    rest = (torch.nn.Conv2d(1, 3, 1), SimpleInferer(), 1, 3, (16, 32), torch.device("cpu"))
    check_loss(Margin(deaf=False), *rest)
    with pytest.raises(ValueError, match=r"^Margin has no gradient at random logits"):
        check_loss(Margin(deaf=True), *rest)


def test_a_loss_from_which_no_voxel_can_be_left_out_is_refused_if_a_label_is_ignored() -> None:
    rest: Any = torch.nn.Conv2d(1, 3, 1), SimpleInferer(), 1, 3, (16, 32), torch.device("cpu")
    loss = HausdorffDTLoss(to_onehot_y=True, softmax=True)
    check_loss(loss, *rest)
    with pytest.raises(ValueError, match=r"HausdorffDTLoss cannot take .*: HausdorffDTLoss depends on where a voxel"):
        check_loss(loss, *rest, ignore_index=255)
    weighted = DiceCELoss(softmax=True, to_onehot_y=True, weight=torch.tensor([1.0, 2.0, 3.0]))
    check_loss(weighted, *rest, ignore_index=255)
