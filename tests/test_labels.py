"""Labels: PyTorch's own answers, found faster."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.labels import label_dtype, most_probable, no_class, united


@pytest.mark.parametrize(("num_classes", "dtype"), [(2, torch.uint8), (255, torch.uint8), (256, torch.int32)])
def test_the_label_of_no_class_is_none_of_the_classes(num_classes: int, dtype: torch.dtype) -> None:
    assert label_dtype(num_classes) == dtype
    assert no_class(dtype) not in range(num_classes)


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
