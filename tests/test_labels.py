"""Labels: PyTorch's own answers, found faster."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.labels import most_probable, united


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("shape", [(2, 7), (4, 5, 6), (3, 4, 5, 6)])
def test_the_most_probable_class_is_that_of_argmax(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    label, highest = most_probable(logits, dtype)
    assert label.dtype == dtype
    assert torch.equal(label, logits.argmax(dim=0).to(dtype))
    assert torch.equal(highest, logits.amax(dim=0))


def test_of_equals_it_is_the_first() -> None:
    assert most_probable(torch.tensor([[0.2, 0.4], [0.4, 0.2], [0.4, 0.4]]))[0].tolist() == [1, 0]


def test_classes_unite_to_structures_that_overlap() -> None:
    for dtype in (torch.uint8, torch.float32):
        labels = MetaTensor(torch.tensor([[[0, 1, 2, 3]]], dtype=dtype), affine=2 * torch.eye(4))
        masks = united(labels, [[3], [1, 3], [1, 2, 3]])
        assert masks.tolist() == [[[0, 0, 0, 1]], [[0, 1, 0, 1]], [[0, 1, 1, 1]]]
        assert torch.equal(masks.affine, labels.affine)  # by which distances are in mm
