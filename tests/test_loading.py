"""Loading: volumes come with their affine in mm, channels on the grid of the first, or are refused by name."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from calib_monai.datalists.files import save_nifti
from calib_monai.loading import LoadCased

LOAD = LoadCased(["image", "label"], allow_missing_keys=True)
VOXELS = np.random.default_rng(0).random((6, 5, 4)).astype(np.float32)


def loaded(*paths: Path) -> object:
    return LOAD({"image": [str(path) for path in paths] if len(paths) > 1 else str(paths[0])})["image"]


@pytest.mark.parametrize(("units", "scale"), [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_units_of_a_nifti_become_mm(units: str, scale: float, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, np.diag([0.5, 1, 2, 1]) + np.eye(4, k=3))
    image.header.set_xyzt_units(units)
    nibabel.save(image, tmp_path / "a.nii.gz")
    affine = loaded(tmp_path / "a.nii.gz").affine.numpy()
    assert affine == pytest.approx((np.diag([0.5, 1, 2, 0]) + np.eye(4, k=3)) * scale + np.diag([0, 0, 0, 1]))


@pytest.mark.parametrize("unit", [4, 5, 6, 7])
def test_a_unit_that_nifti_does_not_have_is_refused(unit: int, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, np.eye(4))
    image.header["xyzt_units"] = unit + 8  # and seconds
    nibabel.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match=rf"a\.nii\.gz gives the size of its voxels in the unit {unit} \(xyzt_units\)"):
        loaded(tmp_path / "a.nii.gz")


def test_the_sform_holds_where_other_parts_of_a_header_differ(tmp_path: Path) -> None:
    affine, other = np.diag([1.0, 1, 3, 1]), np.diag([-2.0, 2, 2, 1])
    for number, code in enumerate((0, 1)):
        image = nibabel.Nifti1Image(VOXELS, affine)
        image.set_qform(other, code)  # with its sizes of voxels, after which MONAI would take the qform
        image.header.set_sform(affine, 1)
        (tmp_path / f"{number}.nii").write_bytes(image.to_bytes())
        assert np.array_equal(nibabel.load(tmp_path / f"{number}.nii").header.get_zooms(), [2, 2, 2])
        assert np.array_equal(loaded(tmp_path / f"{number}.nii").affine.numpy(), affine)


@pytest.mark.parametrize(
    ("shape", "expected"), [((6, 5, 1), (1, 6, 5, 1)), ((6, 5), (1, 6, 5, 1)), ((6, 5, 4, 1), (1, 6, 5, 4))]
)
def test_one_slice_is_a_volume_and_the_shape_of_the_file_is_kept(
    shape: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path
) -> None:
    save_nifti(tmp_path / "a.nii.gz", np.resize(VOXELS, shape), np.diag([1.0, 1, 3, 1]))
    image = loaded(tmp_path / "a.nii.gz")
    assert image.shape == expected
    assert image.pixdim.tolist() == [1, 1, 3]
    assert tuple(image.meta["file_shape"]) == shape


def test_a_folder_without_dicom_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    held = "a folder that holds {} and no DICOM file"
    kinds = ("an empty folder", held.format("a.nii.gz"), held.format("a.nii.gz and 1 more"))
    (tmp_path / "003").mkdir()
    for name, kind in zip(("._a.nii.gz", "a.nii.gz", "b.nii.gz"), kinds, strict=True):
        save_nifti(tmp_path / "003" / name, VOXELS, np.eye(4))
        with pytest.raises(ValueError, match=rf"^{tmp_path}/003 is {kind}; an image is a file, or a folder of one"):
            loaded(tmp_path / "003")


def test_channels_that_lie_half_a_voxel_apart_are_on_the_grid_of_the_first(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.nii.gz" for name in "abc"]
    for number, path in enumerate(paths):
        save_nifti(path, VOXELS + number, np.eye(4) + 0.2 * number * np.eye(4, k=3))
    image = loaded(*paths)
    assert np.array_equal(image.numpy(), np.stack([VOXELS, VOXELS + 1, VOXELS + 2]))
    assert np.array_equal(image.affine.numpy(), np.eye(4))
    save_nifti(paths[2], VOXELS, np.eye(4) + 0.7 * np.eye(4, k=3))
    with pytest.raises(ValueError, match=r"^\S*c.nii.gz lies 0.7 mm from \S*a.nii.gz; .* 0.5 mm here$"):
        loaded(*paths)
    save_nifti(paths[1], VOXELS[1:], np.eye(4))
    with pytest.raises(ValueError, match=r"a.nii.gz is \(6, 5, 4\) and \S*b.nii.gz is \(5, 5, 4\) voxels"):
        loaded(*paths)


@pytest.mark.parametrize("way", ["zero sform", "NaN sform", "flat sform", "NaN qform", "zero qform", "no form"])
def test_an_affine_that_is_no_grid_is_refused(way: str, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, None)
    rows = {
        "zero sform": [[0, 0, 0, 0], [0, 0, 0, 0]],
        "NaN sform": [[np.nan, 0, 0, 0], [0, 1, 0, 0]],
        "flat sform": [[1, 1, 0, 0], [1, 1, 0, 0]],
    }
    if way in rows:
        image.header["sform_code"] = 1
        image.header["srow_x"], image.header["srow_y"] = rows[way]
        image.header["srow_z"] = [0, 0, 1, 0]
    else:
        image.header["qform_code"] = int(way != "no form")
        image.header["pixdim"][1:4] = 1 if way == "NaN qform" else 0
        image.header["quatern_b"] = np.nan if way == "NaN qform" else 0
    nibabel.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(ValueError, match=r"a.nii.gz has an affine "):
        loaded(tmp_path / "a.nii.gz")
