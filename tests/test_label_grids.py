"""Labels on grids of their own: they are resampled as by MONAI, and one that lies outside of its image is refused."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, ResampleToMatchd

from calib_monai.label_grids import LabelToImaged, check_same_grid, share_outside
from calib_monai.orientation import AXES


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


def test_a_label_that_its_header_has_moved_is_refused_even_if_nobody_asks() -> None:
    names = {"image": "scan.nii.gz", "label": "mask.nii.gz"}
    image, label = (
        MetaTensor(torch.rand(1, 6, 7, 5), affine=torch.eye(4)),
        MetaTensor(torch.zeros(1, 6, 7, 5), affine=torch.diag(torch.tensor([-1.0, 1, 1, 1]))),
    )
    said = r"mask.nii.gz lies elsewhere than scan.nii.gz, by 10 mm: .* \(their axes are LAS and RAS; --cases#same_grid"
    with pytest.raises(ValueError, match=said):
        check_same_grid(image, label, names, asked=True)
    check_same_grid(image, label, names, asked=False)
    moved = Orientation("RAS", labels=AXES)(label)
    for asked in (True, False):
        with pytest.raises(ValueError, match=r"mend the header: voxels are moved by it\)"):
            check_same_grid(image, moved, names, asked=asked)
