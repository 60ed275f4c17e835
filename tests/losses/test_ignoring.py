"""Ignoring: any loss can leave out the voxels of one label."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.losses import DiceCELoss, DiceLoss, FocalLoss, HausdorffDTLoss
from torch import nn

from calib_monai.losses import BWCRLoss, CompoundLoss, CRaCLoss, ECPLoss, IgnoringLoss, NACLLoss, leaving_out
from calib_monai.losses.ignoring import SUM
from calib_monai.losses.voxelwise import VoxelwiseLoss

VOXELWISE = {
    "cross-entropy": DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.0),
    "label smoothing": DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.0, label_smoothing=0.1),
    "focal": FocalLoss(to_onehot_y=True, use_softmax=True, gamma=3.0),
}


def batch(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of three classes, and labels, of two images."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 3, *shape, generator=generator)
    return logits, torch.randint(3, (2, 1, *shape), generator=generator, dtype=torch.uint8)


class Refusing(nn.Module):
    """A loss of images that are no rows of voxels."""

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if logits.shape[-1] == 1:
            raise RuntimeError("rows")
        return logits.mean() + target.sum()


def value_and_gradient(loss: nn.Module, logits: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, ...]:
    logits = logits.clone().requires_grad_()
    value = loss(logits, target)
    return value.detach(), *torch.autograd.grad(value, logits)


@pytest.mark.parametrize("loss", VOXELWISE.values(), ids=VOXELWISE)
@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 5)])
def test_a_mean_over_voxels_is_that_of_the_voxels_that_count(loss: nn.Module, shape: tuple[int, ...]) -> None:
    logits, target = batch(*shape)
    target[0, ..., 2:], target[1, ..., :1] = 255, 255
    value, gradient = value_and_gradient(IgnoringLoss(loss, 255), logits, target)
    counted = (target != 255).squeeze(1)
    alone = logits.movedim(1, -1)[counted].T[None, :, :, None], target.squeeze(1)[counted][None, None, :, None]
    expected, by_counted = value_and_gradient(loss, *alone)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient.movedim(1, -1)[counted].T, by_counted[0, :, :, 0])
    assert not gradient.movedim(1, -1)[~counted].any()


@pytest.mark.parametrize(
    "loss",
    [
        DiceCELoss(to_onehot_y=True, softmax=True),
        FocalLoss(to_onehot_y=True, use_softmax=True),
        DiceLoss(to_onehot_y=True, softmax=True, reduction="sum"),
    ],
)
def test_a_batch_is_its_images_to_the_bit(loss: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 3, 17, 13, generator=generator)
    target = torch.randint(3, (4, 1, 17, 13), generator=generator)
    target[0, ..., 2:], target[1, ..., 5, :], target[2] = 255, 255, 255
    ignoring = IgnoringLoss(loss, 255)
    value, gradient = value_and_gradient(ignoring, logits, target)
    leaf, counted = logits.clone().requires_grad_(), target.squeeze(1) != 255
    terms = []
    for image, labels, kept in zip(leaf.movedim(1, -1), target.squeeze(1), counted, strict=True):
        if kept.any():
            alone = loss(image[kept].T[None, :, :, None], labels[kept][None, None, :, None])
            terms.append(alone if ignoring.kind == SUM else kept.sum() / counted.sum() * alone)
    expected = torch.stack(terms).sum()
    assert torch.equal(value, expected.detach())
    assert torch.equal(gradient, torch.autograd.grad(expected, leaf)[0])


def test_dice_is_that_of_the_voxels_that_count() -> None:
    loss = DiceLoss(include_background=False, to_onehot_y=True, softmax=True)
    logits, target = batch(6, 8)
    target[..., 3:] = 255
    torch.testing.assert_close(IgnoringLoss(loss, 255)(logits, target), loss(logits[..., :3], target[..., :3]))


def test_a_loss_of_the_whole_batch_is_that_of_all_voxels_that_count() -> None:
    weights = torch.tensor([1.0, 2.0, 5.0])
    logits, target = batch(6, 8)
    target[0, ..., 3:], target[1, ..., :1] = 255, 255
    found = IgnoringLoss(DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.0, weight=weights), 255)(
        logits, target
    )
    expected = nn.functional.cross_entropy(logits, target.squeeze(1).long(), weight=weights, ignore_index=255)
    torch.testing.assert_close(found, expected)
    dice = DiceLoss(to_onehot_y=True, softmax=True, batch=True)
    counted = (target != 255).squeeze(1)
    alone = logits.movedim(1, -1)[counted].T[None, :, :, None], target.squeeze(1)[counted][None, None, :, None]
    torch.testing.assert_close(IgnoringLoss(dice, 255)(logits, target), dice(*alone))


def test_a_sum_over_images_stays_one() -> None:
    dice = DiceLoss(to_onehot_y=True, softmax=True, reduction="sum")
    logits, target = batch(6, 8)
    target[..., 3:] = 255
    torch.testing.assert_close(IgnoringLoss(dice, 255)(logits, target), dice(logits[..., :3], target[..., :3]))


def test_dice_plus_weighted_cross_entropy_is_weighted_by_the_voxels_of_each_image() -> None:
    loss = DiceCELoss(to_onehot_y=True, softmax=True, weight=torch.tensor([1.0, 2.0, 5.0]))
    logits, target = batch(6, 8)
    target[0, ..., 2:] = 255
    parts = loss(logits[:1, ..., :2], target[:1, ..., :2]), loss(logits[1:], target[1:])
    torch.testing.assert_close(IgnoringLoss(loss, 255)(logits, target), (12 * parts[0] + 48 * parts[1]) / 60)


def test_a_loss_of_which_no_voxel_can_be_left_out_is_refused() -> None:
    with pytest.raises(ValueError, match="HausdorffDTLoss depends on where a voxel lies, so voxels cannot be left out"):
        IgnoringLoss(HausdorffDTLoss(to_onehot_y=True, softmax=True), 255)(*batch(6, 5))
    with pytest.raises(ValueError, match="Refusing cannot leave out voxels: rows"):
        IgnoringLoss(Refusing(), 255)(*batch(6, 5))
    with pytest.raises(ValueError, match=r"FocalLoss gives \(2, 3, 6, 5\); a loss must give one number"):
        IgnoringLoss(FocalLoss(to_onehot_y=True, reduction="none"), 255)(*batch(6, 5))


@pytest.mark.parametrize("index", [255.0, True, "255"])
def test_a_label_that_is_no_whole_number_is_refused(index: Any) -> None:
    for made in (IgnoringLoss, leaving_out):
        with pytest.raises(ValueError, match=f"ignore_index is {index!r}; it must be a whole number or None"):
            made(DiceLoss(), index)


@pytest.mark.parametrize("loss", VOXELWISE.values(), ids=VOXELWISE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_batch_of_ignored_voxels_has_no_loss_and_no_gradient(loss: nn.Module, dtype: torch.dtype) -> None:
    logits, target = batch(6, 5)
    value, gradient = value_and_gradient(IgnoringLoss(loss, 255), 1e4 * logits.to(dtype), torch.full_like(target, 255))
    assert value == 0
    assert not gradient.any()


def test_without_an_ignored_voxel_it_is_the_loss_itself() -> None:
    loss = DiceCELoss(to_onehot_y=True, softmax=True)
    assert IgnoringLoss(loss, 255)(*batch(6, 5)) == loss(*batch(6, 5))


def test_own_losses_are_told_and_others_are_wrapped() -> None:
    dice, nacl = DiceLoss(to_onehot_y=True, softmax=True), NACLLoss()
    compound = CompoundLoss({"dice": dice, "nacl": nacl}, {"dice": 1.0, "nacl": 1.0})
    assert leaving_out(dice, None) is dice
    assert leaving_out(compound, 255) is compound
    assert (compound.ignore_index, nacl.ignore_index) == (255, 255)
    logits, target = batch(6, 8)
    target[0, :, :, 3:] = 255
    parts = IgnoringLoss(dice, 255)(logits, target) + nacl(logits, target)
    torch.testing.assert_close(compound(logits, target), parts)
    views = BWCRLoss()
    assert leaving_out(views, 255) is views
    assert views.ignore_index == 255


@pytest.mark.parametrize(
    ("loss", "ignore_index"),
    [
        (NACLLoss(border="background"), 0),
        (CRaCLoss(2, border="background"), 0),
        (ECPLoss(), 1.5),
        (ECPLoss(), True),
        (CompoundLoss({"a": ECPLoss()}, {"a": 1.0}), True),
    ],
)
def test_what_a_constructor_refuses_is_refused(loss: nn.Module, ignore_index: Any) -> None:
    with pytest.raises(ValueError, match="ignore_index"):
        leaving_out(loss, ignore_index)
    assert loss.ignore_index is None


def test_a_loss_of_ones_own_says_what_it_cannot_leave_out() -> None:
    class OneLoss(VoxelwiseLoss):
        """What it is made with is nobody else's business."""

        def __init__(self, weights: list[float]) -> None:
            super().__init__()
            self.classes = len(weights)

        def leave_out(self, ignore_index: int | None) -> None:
            if ignore_index == 1:
                raise ValueError("1 is needed")
            super().leave_out(ignore_index)

    loss = OneLoss([1.0, 2.0])
    assert leaving_out(loss, 255) is loss
    with pytest.raises(ValueError, match="1 is needed"):
        leaving_out(CompoundLoss({"one": loss}, {"one": 1.0}), 1)
    assert loss.ignore_index == 255
