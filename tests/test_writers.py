"""Writers: what is read is what was written, to half a step, in a fraction of the bytes."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import SaveImage

from calib_monai.datalists.files import save_nifti
from calib_monai.loading import LoadCased
from calib_monai.writers import ScaledNIfTIWriter, WholeNIfTIWriter

AFFINE = np.array([[0.0, -2, 0, 5], [1, 0, 0, -7], [0, 0, 3, 9], [0, 0, 0, 1]])


@pytest.mark.parametrize(("dtype", "step"), [("uint8", 1 / 255), ("uint16", 1 / 65535), ("float32", 0)])
def test_values_come_back_to_half_a_step(tmp_path: Path, dtype: str, step: float) -> None:
    probs = MetaTensor(torch.rand(3, 6, 5, 4), affine=torch.tensor(AFFINE))
    SaveImage(output_dtype=dtype, writer=ScaledNIfTIWriter, resample=False, print_log=False)(
        probs, filename=str(tmp_path / "probs")
    )
    image = nibabel.load(tmp_path / "probs.nii.gz")
    assert image.get_data_dtype() == dtype
    assert np.allclose(image.affine, AFFINE)
    difference = np.abs(image.get_fdata() - np.moveaxis(probs.numpy(), 0, -1))
    assert difference.max() <= step / 2 + 1e-6


def test_a_writer_of_its_own_takes_what_monais_takes(tmp_path: Path) -> None:
    writer = ScaledNIfTIWriter(output_dtype=np.float32)
    writer.set_data_array(torch.ones(1, 2, 3, 4, requires_grad=True))
    writer.write(tmp_path / "ones.nii.gz")
    image = nibabel.load(tmp_path / "ones.nii.gz")
    assert np.array_equal(image.affine, np.eye(4))
    assert (image.get_fdata() == 1).all()


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_one_value_everywhere_comes_back_too(tmp_path: Path, value: float) -> None:
    SaveImage(output_dtype="uint8", writer=ScaledNIfTIWriter, resample=False, print_log=False)(
        MetaTensor(torch.full((1, 4, 4, 4), value)), filename=str(tmp_path / "one")
    )
    assert np.allclose(nibabel.load(tmp_path / "one.nii.gz").get_fdata(), value, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 1), (6, 1, 1), (1, 1, 1), (6, 5), (6, 1), (1, 5)])
def test_an_axis_of_one_voxel_is_kept(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = MetaTensor(torch.rand(1, *shape), meta={"original_channel_dim": float("nan")}, spatial_ndim=len(shape))
    SaveImage(output_dtype="float32", writer=ScaledNIfTIWriter, resample=False, print_log=False)(
        values, filename=str(tmp_path / "one")
    )
    found = nibabel.load(tmp_path / "one.nii.gz")
    assert found.shape == shape
    assert np.allclose(found.get_fdata(), values[0])


@pytest.mark.parametrize("shape", [(6, 5, 4), (6, 5, 1), (6, 5), (6, 5, 4, 1), (6, 5, 1, 1), (6, 1, 4), (6, 5, 1, 2)])
@pytest.mark.parametrize("writer", [WholeNIfTIWriter, ScaledNIfTIWriter])
def test_maps_have_the_axes_of_the_file_and_are_in_mm(shape: tuple[int, ...], writer: type, tmp_path: Path) -> None:
    save_nifti(tmp_path / "scan.nii.gz", np.random.default_rng(0).random(shape), AFFINE)
    image = LoadCased("image")({"image": str(tmp_path / "scan.nii.gz")})["image"]
    save = SaveImage(output_dtype="float32", writer=writer, resample=False, print_log=False)
    save(image[:1], filename=str(tmp_path / "map"))
    save(torch.cat([image[:1]] * 3), filename=str(tmp_path / "probs"))
    label, probs = nibabel.load(tmp_path / "map.nii.gz"), nibabel.load(tmp_path / "probs.nii.gz")
    assert label.shape == (shape if shape[-1] == 1 or len(shape) < 4 else shape[:3])
    assert probs.shape == (*(*shape, 1)[:3], 3)
    for written in (label, probs):
        assert written.header.get_xyzt_units()[0] == "mm"
        assert np.allclose(written.affine, AFFINE)


def test_values_on_another_grid_than_the_file_keep_their_axes(tmp_path: Path) -> None:
    values = MetaTensor(torch.rand(1, 4, 5, 6), affine=torch.tensor(AFFINE), meta={"file_shape": np.array([6, 5, 4])})
    SaveImage(output_dtype="float32", writer=ScaledNIfTIWriter, resample=False, print_log=False)(
        values, filename=str(tmp_path / "map")
    )
    assert np.allclose(nibabel.load(tmp_path / "map.nii.gz").get_fdata(), values[0].numpy())
