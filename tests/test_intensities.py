"""Intensities: a MetaImage that rescales its values is refused, because they would be read as they are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calib_monai.loading import LoadCased

VOXELS = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


def written(file: Path, more: str) -> str:
    head = f"ObjectType = Image\nNDims = 3\n{more}ElementSpacing = 1 2 3\nDimSize = 4 5 6\nElementType = MET_SHORT\n"
    file.write_bytes(f"{head}ElementDataFile = LOCAL\n".encode() + VOXELS.tobytes(order="F"))
    return str(file)


@pytest.mark.parametrize(
    ("key", "value", "must"),
    [("Slope", "2", "1"), ("Slope", "0", "1"), ("Slope", "abc", "1"), ("Offset", "-1024", "0")],
)
def test_values_that_the_header_rescales_are_refused(key: str, value: str, must: str, tmp_path: Path) -> None:
    file = written(tmp_path / "a.mha", f"ElementToIntensityFunction{key} = {value}\n")
    with pytest.raises(ValueError, match=r"which is not read") as told:
        LoadCased("image")({"image": file})
    assert str(told.value) == (
        f"{file} has ElementToIntensityFunction{key} {value!r}, which is not read; it must be {must}: store the values "
        "themselves"
    )


@pytest.mark.parametrize(
    "more",
    ["", "ElementToIntensityFunctionSlope = 1.0\nElementToIntensityFunctionOffset = 0\n"],
    ids=["none", "unchanged"],
)
def test_values_that_are_stored_as_they_are_meant_are_taken(more: str, tmp_path: Path) -> None:
    image = LoadCased("image")({"image": written(tmp_path / "a.mha", more)})["image"]
    assert np.array_equal(image[0].numpy(), VOXELS)
