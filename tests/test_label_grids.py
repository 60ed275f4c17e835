"""Labels on grids of their own: they are resampled as by MONAI, and one that lies outside of its image is refused."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ResampleToMatchd

from calib_monai.label_grids import LabelToImaged, share_outside


def volume(name: str, voxels: torch.Tensor, shift: float = 0.0) -> MetaTensor:
    """A volume of 1 x 1 x 3 mm, shifted along its last axis by so many mm."""
    affine = torch.diag(torch.tensor([1.0, 1, 3, 1], dtype=torch.float64))
    affine[2, 3] = shift
    return MetaTensor(voxels, affine=affine, meta={"filename_or_obj": name})


IMAGE = volume("image", torch.rand(1, 20, 20, 12))
BOX = torch.zeros(1, 20, 20, 10, dtype=torch.uint8)
BOX[:, 5:15, 5:15, :] = 1


@pytest.mark.parametrize(("shift", "lost"), [(0, 0), (3, 0), (6, 0), (7, 0), (9, 0.1), (-3, 0.1), (30, 0.8), (90, 1)])
def test_what_is_lost_is_the_share_outside(shift: float, lost: float) -> None:
    label = volume("label", BOX, shift)
    assert share_outside(label, IMAGE) == pytest.approx(lost)
    if lost:
        with pytest.raises(ValueError, match=f"label loses {100 * lost:.0f}% of its volume on the grid of image"):
            LabelToImaged()({"image": IMAGE, "label": label})
    else:
        expected = ResampleToMatchd("label", "image", mode="nearest", padding_mode="zeros")
        placed = LabelToImaged()({"image": IMAGE, "label": label})["label"]
        assert torch.equal(placed, expected({"image": IMAGE, "label": label})["label"])
        assert placed.sum() == BOX.sum()


def test_a_little_may_be_lost_and_an_empty_label_loses_nothing() -> None:
    label = volume("label", BOX.clone(), 9)
    label[..., -1] = 0
    label[:, 5, 5, -1] = 1
    assert 0 < share_outside(label, IMAGE) < 0.02
    assert LabelToImaged()({"image": IMAGE, "label": label})["label"].shape == IMAGE.shape
    assert share_outside(volume("label", 0 * BOX), IMAGE) == 0
    assert LabelToImaged()({"image": IMAGE})["image"] is IMAGE
