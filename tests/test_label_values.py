"""Label values: those of other data become the classes of the model, and no other step changes them again."""

from __future__ import annotations

from math import nan

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd

from calib_monai.label_values import check_keeps_classes, with_classes
from calib_monai.presets import relabel


def test_values_become_classes_all_at_once_and_the_tensor_stays() -> None:
    label = MetaTensor(torch.tensor([[0.0, 1, 2, 3, 255]]), affine=torch.diag(torch.tensor([1.0, 2, 3, 1])))
    mapped = with_classes(label, {0: 0, 1: 3, 2: 2, 3: 1, 255: 255}, "a.nii")
    assert mapped.tolist() == [[0, 3, 2, 1, 255]]
    assert label.tolist() == [[0, 1, 2, 3, 255]]
    assert torch.equal(mapped.affine, label.affine)


@pytest.mark.parametrize(
    ("values", "shown"), [([0.0, 4], "4"), ([1.0, 0.5], "0.5"), ([-1.0, 9, *[nan] * 3], "-1, 9, nan")]
)
def test_a_value_without_a_class_is_refused_with_its_file(values: list[float], shown: str) -> None:
    with pytest.raises(ValueError, match=rf"^a\.nii holds the label value\(s\) {shown}; .* name 0, 1"):
        with_classes(MetaTensor(torch.tensor([values])), {0: 0, 1: 2}, "a.nii")


def test_a_loading_that_changes_classes_again_is_refused() -> None:
    check_keeps_classes(Compose([Flipd("label"), relabel([4], [3])]), 4, "b.json")
    with pytest.raises(ValueError, match=r"^b\.json gives labels, and the loading of this bundle changes label values"):
        check_keeps_classes(Compose([Compose([relabel([1, 2], [1, 1])])]), 4, "b.json")
