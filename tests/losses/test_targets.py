"""Which labels the voxel-wise losses read, and which they refuse."""

from __future__ import annotations

import math

import pytest
import torch

from calib_monai.losses import ECPLoss, NACLLoss
from calib_monai.losses.voxelwise import VoxelwiseLoss


def batch(*shape: int, num_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, num_classes, *shape, generator=generator)
    return logits, torch.randint(num_classes, (3, 1, *shape), generator=generator)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.uint16, torch.float32, torch.float16])
def test_targets_of_any_number_type_are_read(loss: VoxelwiseLoss, dtype: torch.dtype) -> None:
    logits, target = batch(6, 6)
    torch.testing.assert_close(loss(logits, target.to(dtype)), loss(logits, target))


def test_a_mask_is_a_target_of_two_classes() -> None:
    logits, target = batch(6, 6, num_classes=2)
    for loss in (ECPLoss(), ECPLoss(ignore_index=255)):
        torch.testing.assert_close(loss(logits, target.bool()), loss(logits, target))


def test_targets_of_any_memory_layout_are_read(loss: VoxelwiseLoss) -> None:
    logits, target = batch(6, 5)
    strided = target.transpose(2, 3).contiguous().transpose(2, 3)
    for other in (strided, target.to(memory_format=torch.channels_last), torch.cat([target, target], 1)[:, :1]):
        torch.testing.assert_close(loss(logits, other), loss(logits, target))


@pytest.mark.parametrize(("ignore_index", "label"), [(-1, 255), (300, 44), (-100, 156)])
def test_a_byte_is_not_taken_for_a_label_it_cannot_hold(ignore_index: int, label: int) -> None:
    logits, target = batch(4, 4)
    target[0, 0, 0, 0] = label
    with pytest.raises(ValueError, match=f"the label {label};"):
        ECPLoss(ignore_index=ignore_index)(logits, target.to(torch.uint8))


def test_logits_that_are_integers_are_refused() -> None:
    with pytest.raises(ValueError, match="int64"):
        NACLLoss()(torch.zeros(1, 3, 4, 4, dtype=torch.int64), torch.zeros(1, 1, 4, 4))


def test_what_is_no_tensor_of_real_numbers_is_refused() -> None:
    logits, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match=r"target are a NoneType; they must be a tensor$"):
        NACLLoss()(logits, None)
    with pytest.raises(
        ValueError, match=r"logits are a numpy.ndarray; they must be a tensor \(torch.from_numpy makes one\)"
    ):
        NACLLoss()(logits.numpy(), target)
    with pytest.raises(ValueError, match="complex64"):
        NACLLoss()(logits, target.to(torch.complex64))


@pytest.mark.parametrize(
    ("logits_shape", "target", "said"),
    [
        ((2, 3, 4, 4), torch.zeros(2, 4, 4), r"\(2, 4, 4\)"),
        ((2, 3, 4, 4), torch.zeros(2, 1, 4, 5), r"\(2, 1, 4, 5\)"),
        ((2, 3, 4), torch.zeros(2, 1, 4), r"\(2, 3, 4\)"),
        ((2, 1, 4, 4), torch.zeros(2, 1, 4, 4), "1 channel"),
        ((3,), torch.zeros(3), r"\(3,\)"),
        ((0, 3, 4, 4), torch.zeros(0, 1, 4, 4), r"\(0, 1, 4, 4\)"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), 3), "the label 3;"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), -1), "the label -1;"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), 12345678), "the label 12345678;"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), math.nan), "the label nan;"),
        ((1, 3, 1, 3), torch.tensor([0, 2, 0.5]).view(1, 1, 1, 3), "the label 0.5;"),
    ],
)
def test_targets_that_do_not_fit_are_refused(logits_shape: tuple[int, ...], target: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NACLLoss()(torch.zeros(logits_shape), target)
