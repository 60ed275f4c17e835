"""Voxel sizes: MetaImage and NRRD come in mm, and volumes without sizes of their voxels are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib_monai.loading import LoadCased

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
MHA = "ObjectType = Image\nNDims = {dims}\n{more}DimSize = {sizes}\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
NRRD = "NRRD0005\ntype: short\ndimension: {dims}\nsizes: {sizes}\nendian: little\nencoding: raw\n{more}\n"
DIRECTIONS = "space: RAS\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n"


def loaded(path: Path, more: str, voxels: Any = VOXELS, spatial_dims: int = 3) -> Any:
    """The image of a file whose header has these lines more."""
    header = {".mha": MHA, ".nrrd": NRRD}[path.suffix]
    sizes = " ".join(map(str, voxels.shape))
    path.write_bytes(
        header.format(dims=voxels.ndim, sizes=sizes, more=more).encode("utf-8") + voxels.tobytes(order="F")
    )
    return LoadCased("image", spatial_dims=spatial_dims)({"image": str(path)})["image"]


@pytest.mark.parametrize(
    ("unit", "scale"), [("cm", 10), ("um", 1e-3), ("\u00b5m", 1e-3), ("m", 1e3), ("Millimeters", 1), ("", 1), ("?", 1)]
)
def test_units_become_mm(unit: str, scale: float, tmp_path: Path) -> None:
    three = f'"{unit}" "{unit}" "{unit}"\n'
    affine = loaded(tmp_path / "a.nrrd", f"{DIRECTIONS}space units: {three}").affine.numpy()
    assert affine == pytest.approx(
        np.diag([scale] * 3 + [1.0]) @ [[1, 0, 0, 10], [0, 2, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]]
    )
    images = [
        loaded(tmp_path / "a.nrrd", f"spacings: 1 2 3\nunits: {three}"),
        loaded(tmp_path / "a.mha", f"DistanceUnits = {unit}\nElementSpacing = 1 2 3\n"),
    ]
    for image in images:
        assert image.pixdim.tolist() == pytest.approx([scale, 2 * scale, 3 * scale])
        assert image.meta["original_affine"] == pytest.approx(image.affine.numpy())


def test_units_of_channels_and_time_and_remarks_are_none_of_space(tmp_path: Path) -> None:
    kinds = "kinds: list domain domain domain\n" + DIRECTIONS.replace("(1,0,0)", "none (1,0,0)")
    for more in ('space units: "cm" "cm" "cm"\n', "space units:=remark\n"):
        image = loaded(tmp_path / "a.nrrd", kinds + more, VOXELS[None])
        assert image.pixdim.tolist() == ([10, 20, 30] if "cm" in more else [1, 2, 3])
    image = loaded(
        tmp_path / "a.nrrd",
        'kinds: domain domain domain time\nspacings: 1 2 3 4\nunits: "cm" "cm" "cm" "s"\n',
        VOXELS[..., None],
    )
    assert image.pixdim.tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("a.nrrd", DIRECTIONS + 'space units: "inch" "inch" "inch"\n', "in 'inch'; it must be in mm, cm, m, um or nm"),
        ("a.nrrd", 'spacings: 1 1 1\nunits: "mm" "mm" "s"\n', "in 's'; it must be"),
        ("a.nrrd", DIRECTIONS + 'space units: "mm" "mm" "cm"\n', "in mm, mm, cm; all must have one unit"),
        ("a.mha", "DistanceUnits = inch\nElementSpacing = 1 1 1\n", "in 'inch'; it must be"),
    ],
)
def test_other_units_are_refused(name: str, more: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"{name} gives the sizes? of its voxels {said}"):
        loaded(tmp_path / name, more)


@pytest.mark.parametrize(
    ("name", "more", "axis"),
    [
        ("a.nrrd", "", 1),
        ("a.nrrd", "space: RAS\n", 1),
        ("a.nrrd", "spacings: 1 1 NaN\nthicknesses: NaN NaN 3\n", 3),
        ("a.nrrd", "spacings: 1 0 1\n", 2),
        ("a.nrrd", DIRECTIONS.replace("(0,2,0)", "none"), 2),
        ("a.nrrd", DIRECTIONS.replace("(0,2,0)", "(nan,nan,nan)"), 2),
        ("a.mha", "", 1),
        ("a.mha", "ElementSpacing = 1 1 nan\n", 3),
        ("a.mha", "ElementSpacing = 1 1\n", 3),
    ],
)
def test_a_volume_without_sizes_is_refused(name: str, more: str, axis: int, tmp_path: Path) -> None:
    said = f"{name} gives its voxels no size along axis {axis} of 3; the header of a volume must have it in"
    with pytest.raises(ValueError, match=said):
        loaded(tmp_path / name, more)


@pytest.mark.parametrize("name", ["TransformMatrix", "Rotation", "Orientation"])
def test_directions_of_a_metaimage_do_not_change_its_sizes(name: str, tmp_path: Path) -> None:
    turned = "0 -1 0 0.9999 0 0 0 0 1"
    image = loaded(tmp_path / "a.mha", f"ElementSpacing = 1 2 3\n{name} = {turned}\n")
    assert image.pixdim.tolist() == pytest.approx([1, 2, 3], abs=0.001)
    doubled = turned.replace("-1", "-2")
    with pytest.raises(ValueError, match=r"a\.mha gives axis 1 a direction of length 2 \(TransformMatrix\); it must"):
        loaded(tmp_path / "a.mha", f"ElementSpacing = 1 2 3\n{name} = {doubled}\n")


def test_the_older_name_of_a_size_and_directions_backwards_are_sizes(tmp_path: Path) -> None:
    assert loaded(tmp_path / "a.mha", "ElementSize = 1 2 3\n").pixdim.tolist() == [1, 2, 3]
    assert loaded(tmp_path / "a.nrrd", DIRECTIONS.replace("(1,0,0)", "(-1,0,0)")).pixdim.tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_a_picture_needs_no_sizes(name: str, tmp_path: Path) -> None:
    assert loaded(tmp_path / name, "", VOXELS[..., 0]).shape == (1, 4, 5, 1)
    assert loaded(tmp_path / name, "", VOXELS[..., 0], spatial_dims=2).shape == (1, 4, 5)
