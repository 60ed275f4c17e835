"""Slabs: they add up to what MONAI resamples at once, whether axes are parallel or not."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Spacing, SpatialResample

from calib_monai.slabs import along_axes, by_slabs, inverse_by_slabs


def scan(shape: tuple[int, ...], shear: float) -> MetaTensor:
    """A scan with an axis turned around, and another that may not be at right angles."""
    affine = torch.diag(torch.tensor([-0.8, 0.9, 1.1, 1.0], dtype=torch.float64))
    affine[0, 1], affine[:3, 3] = shear, torch.tensor([30.0, -20.0, 5.0])
    return MetaTensor(torch.rand(shape, generator=torch.Generator().manual_seed(0)), affine=affine)


@pytest.mark.parametrize("shape", [(2, 20, 17, 11), (2, 20, 17)])
@pytest.mark.parametrize("shear", [0.0, 0.2])
@pytest.mark.parametrize("slab_voxels", [1, 1000, 10**9])
def test_slabs_add_up_to_what_is_resampled_at_once(shape: tuple[int, ...], shear: float, slab_voxels: int) -> None:
    image = scan(shape, shear)
    resample = SpatialResample(mode="bilinear", padding_mode="border")
    moved = resample(image, dst_affine=torch.diag(torch.tensor([2.0, 1.5, 3.0, 1.0])))
    whole = resample.inverse(moved.clone())
    slabs = inverse_by_slabs(resample, moved.clone(), slab_voxels)
    torch.testing.assert_close(slabs.as_tensor(), whole.as_tensor(), rtol=0, atol=1e-6)
    torch.testing.assert_close(slabs.affine, whole.affine)
    assert slabs.applied_operations == []


@pytest.mark.parametrize("shape", [(2, 20, 17, 40), (2, 20, 90)])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("turned", [1.0, -1.0])
@pytest.mark.parametrize("shear", [0.0, 0.2])
def test_slabs_are_made_of_those_layers_of_the_image_that_they_lie_in(
    shape: tuple[int, ...], mode: str, turned: float, shear: float
) -> None:
    image = scan(shape, shear)
    image.meta["filename_or_obj"] = "scan.nii.gz"
    target = torch.diag(torch.tensor([2.0, 1.5, 3.1 * turned, 1.0], dtype=torch.float64))
    target[:3, 3] = torch.tensor([17.0, -19.0, 6.0 if turned > 0 else 40.0])
    sizes = (9, 11, 14)[: len(shape) - 1]
    resample = SpatialResample(mode=mode, padding_mode="border")
    whole = resample(image.clone(), dst_affine=target, spatial_size=sizes)
    slabs = by_slabs(resample, image.clone(), target, sizes, slab_voxels=1)
    torch.testing.assert_close(slabs.as_tensor(), whole.as_tensor(), rtol=0, atol=1e-6)
    torch.testing.assert_close(slabs.affine, whole.affine)
    assert slabs.meta["filename_or_obj"] == "scan.nii.gz"
    back = [resample.inverse(moved) for moved in (slabs, whole)]
    torch.testing.assert_close(back[0].as_tensor(), back[1].as_tensor(), rtol=0, atol=1e-6)
    torch.testing.assert_close(back[0].affine, image.affine)
    assert back[0].applied_operations == []


@pytest.mark.parametrize(("shear", "slabs_of_monai"), [(0.0, 1), (1e-6, 1), (0.2, 11)])
def test_monai_resamples_but_the_first_slab_where_axes_are_parallel(
    shear: float, slabs_of_monai: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resample = SpatialResample(mode="bilinear", padding_mode="border")
    moved = resample(scan((1, 20, 17, 11), shear), dst_affine=torch.diag(torch.tensor([2.0, 1.5, 3.0, 1.0])))
    calls = []
    whole = SpatialResample.__call__
    monkeypatch.setattr(SpatialResample, "__call__", lambda *args, **given: calls.append(1) or whole(*args, **given))
    inverse_by_slabs(resample, moved, slab_voxels=1)
    assert len(calls) == slabs_of_monai


def test_a_scan_that_lies_obliquely_keeps_its_axes() -> None:
    turned = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)).Q
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] = turned * torch.tensor([0.5, 0.7, 3.0])
    image = MetaTensor(torch.rand(1, 24, 20, 9), affine=affine.float().double())  # as a header rounds it
    expected = Spacing([1.0, 1.0, 2.0], mode="bilinear")(image)
    there = torch.linalg.solve(image.affine, expected.affine)
    found = along_axes(image.as_tensor(), there, tuple(expected.shape[1:]), "bilinear")
    torch.testing.assert_close(found, expected.as_tensor(), rtol=0, atol=1e-5)


def test_the_nearest_voxel_is_one_of_the_image() -> None:
    label = torch.randint(4, (1, 7, 5, 6), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    found = along_axes(label, torch.diag(torch.tensor([0.3, 0.7, 0.9, 1.0])).double(), (22, 7, 6), "nearest")
    assert found.dtype == torch.uint8
    assert set(found.unique().tolist()) == set(label.unique().tolist())
    assert (found[0, 21, 6, 5], found[0, 4, 1, 2]) == (label[0, 6, 4, 4], label[0, 1, 1, 2])
