"""NRRD spaces: a NRRD that ITK would mirror is refused, and one that does not say which way is left is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calib_monai.found_cases import tell_doubts
from calib_monai.loading import LoadCased
from calib_monai.nrrd_spaces import doubt_of_space

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
DIRECTIONS = "space directions: (1,0,0) (0,2,0) (0,0,3)\n"
WITH_TIME = "space directions: (1,0,0,0) (0,2,0,0) (0,0,3,0) (0,0,0,1)\n"


def written(file: Path, more: str, voxels: np.ndarray = VOXELS) -> str:
    sizes = " ".join(map(str, voxels.shape))
    head = f"NRRD0005\ntype: short\ndimension: {voxels.ndim}\nsizes: {sizes}\nendian: little\nencoding: raw\n{more}\n"
    file.write_bytes(head.encode() + voxels.tobytes(order="F"))
    return str(file)


@pytest.mark.parametrize("space", ["right-anterior-superior-time", "Left-Anterior-Superior-Time", "RAST", "last"])
def test_a_space_with_time_that_would_be_mirrored_is_refused(space: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.nrrd", f"space: {space}\n{WITH_TIME}", VOXELS[..., None])
    with pytest.raises(
        ValueError, match=r"a\.nrrd gives its place in the space .*; it must be RAS, LAS or LPS"
    ) as told:
        LoadCased("image")({"image": file})
    assert f"in the space {space}, which would be read as LPS" in str(told.value)


@pytest.mark.parametrize("space", ["left-posterior-superior-time", "LPST"])
def test_a_space_with_time_that_is_read_as_it_says_is_taken(space: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.nrrd", f"space: {space}\n{WITH_TIME}", VOXELS[..., None])
    image = LoadCased("image")({"image": file})["image"]
    assert np.diag(image.affine).tolist() == [-1, -2, 3, 1]
    assert not doubt_of_space(file)


@pytest.mark.parametrize(
    ("more", "in_doubt"),
    [
        *((f"space: {space}\n{DIRECTIONS}", 0) for space in ("RAS", "left-anterior-superior", "LPS")),
        *((f"space: {space}\n{DIRECTIONS}", 1) for space in ("scanner-xyz", "3D-right-handed", "3D-left-handed")),
        (f"space dimension: 3\n{DIRECTIONS}", 1),
        ("spacings: 1 2 3\n", 1),
    ],
)
def test_a_header_that_does_not_say_which_way_is_left_is_in_doubt(more: str, in_doubt: int, tmp_path: Path) -> None:
    file = written(tmp_path / "a.nrrd", more)
    assert bool(doubt_of_space(file)) == in_doubt
    if in_doubt:  # the text says what is taken
        assert np.diag(LoadCased("image")({"image": file})["image"].affine).tolist() == [-1, -2, 3, 1]


def test_doubts_are_told_with_the_number_of_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [written(tmp_path / f"{name}.nrrd", "spacings: 1 2 3\n") for name in "ab"]
    tell_doubts([{"image": names[0], "label": names[1]}])
    [line] = caplog.messages
    assert line == (
        f"2 file(s), first {names[0]}, say nothing of their orientation (no space directions in RAS, LAS or LPS); LPS "
        "is taken"
    )


def test_what_is_no_volume_in_nrrd_is_in_no_doubt(tmp_path: Path) -> None:
    assert not doubt_of_space(written(tmp_path / "flat.nrrd", "spacings: 1 2\n", VOXELS[..., 0]))
    (tmp_path / "a.mha").write_text("NDims = many\n")
    (tmp_path / "a.png").write_text("none")
    for name in ("a.mha", "a.png", "nowhere.nrrd", ""):
        assert not doubt_of_space(str(tmp_path / name))
