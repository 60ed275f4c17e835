"""Losses in the place of nnU-Net's: at each resolution, without ignored voxels, and of classes alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from calib_monai.losses import NACLLoss

METHODS = ["NACL", "MbLS", "SVLS", "LS", "ECP", "Focal", "SoftDice", "ACE", "CRaC"]
IGNORED = 3


@pytest.mark.parametrize("size", [(8, 8), (8, 8, 4)])
def test_each_resolution_counts_with_the_weight_of_nnunet(
    size: tuple[int, ...], trainers: dict[str, Callable[..., Any]]
) -> None:
    sizes = [tuple(side // 2**level for side in size) for level in range(3)]
    logits = [torch.randn(2, 3, *one) for one in sizes]
    target = [torch.randint(3, (2, 1, *one), dtype=torch.int16) for one in sizes]
    first, second, _ = map(NACLLoss(), logits, target)
    torch.testing.assert_close(trainers["NACL"](deep=True).loss(logits, target), (2 * first + second) / 3)


@pytest.mark.parametrize("method", METHODS)
def test_ignored_voxels_change_nothing(method: str, trainers: dict[str, Callable[..., Any]]) -> None:
    loss = trainers[method](deep=False, ignored=IGNORED).loss
    logits, target = torch.randn(2, 3, 8, 8), torch.randint(3, (2, 1, 8, 8), dtype=torch.int16)
    target[..., 4:] = IGNORED
    changed = logits.clone()
    changed[..., 4:] = 9
    assert loss(changed, target) == loss(logits, target) > 0


@pytest.mark.parametrize("size", [(8, 8), (8, 8, 4)])
@pytest.mark.parametrize("method", METHODS)
def test_a_patch_wholly_of_ignored_voxels_has_no_loss(
    method: str, size: tuple[int, ...], trainers: dict[str, Callable[..., Any]]
) -> None:
    loss = trainers[method](deep=True, ignored=IGNORED).loss
    logits = [torch.randn(2, 3, *size, requires_grad=True) for _ in range(3)]
    value = loss(logits, [torch.full((2, 1, *size), IGNORED, dtype=torch.int16)] * 3)
    value.backward()
    assert value == 0
    assert all(one.grad is not None and not one.grad.any() for one in logits[:2])


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_regions_are_refused(method: str, classes: int, trainers: dict[str, Callable[..., Any]]) -> None:
    with pytest.raises(ValueError, match=r"^the labels in dataset.json are regions, .*$"):
        trainers[method](deep=True, regions=True, classes=classes)
