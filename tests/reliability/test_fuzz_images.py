"""Whatever bytes an image's file has: it is refused in one line, or read. See `fuzzed`."""

from __future__ import annotations

import gzip
from pathlib import Path

import itk
import nibabel
import numpy as np
import pytest
from fuzzed import refused_or_read
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from calib_monai.loading import LoadCased
from calib_monai.pictures import LoadPicturesd
from calib_monai.volumes import read_image

VOLUMES = ("nii", "nii.gz", "nrrd", "mha", "mhd", "dcm")
PICTURES = ("png", "jpg", "bmp", "tif", "gif")
HEADER = 600  # bytes, within which most formats say what follows
VALUES = np.arange(8 * 9 * 5, dtype=np.int16).reshape(8, 9, 5)


@st.composite
def changed(draw: st.DrawFn, good: bytes) -> bytes:
    """These bytes, some of which are others, cut or longer."""
    content = bytearray(good)
    places = st.integers(0, min(HEADER, len(good)) - 1) | st.integers(0, len(good) - 1)
    for place in draw(st.lists(places, max_size=4)):
        content[place] = draw(st.integers(0, 255))
    end = draw(st.just(len(good)) | st.integers(0, len(good)))
    return bytes(content[:end]) + draw(st.binary(max_size=3))


@pytest.fixture(scope="session")
def good_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    nibabel.save(nibabel.Nifti1Image(VALUES, np.eye(4)), folder / "a.nii")
    for suffix in ("nrrd", "mha", "mhd"):
        itk.imwrite(itk.image_view_from_array(VALUES), str(folder / f"a.{suffix}"))
    itk.imwrite(itk.image_view_from_array(VALUES[..., 0].astype(np.uint16)), str(folder / "a.dcm"))
    for suffix in PICTURES:
        Image.fromarray(VALUES[..., 0].astype(np.uint8) + 20).save(folder / f"a.{suffix}")
    return folder


@pytest.mark.parametrize("suffix", VOLUMES)
@given(data=st.data())
def test_a_volume_is_read_or_refused(data: st.DataObject, suffix: str, good_images: Path, tmp_path: Path) -> None:
    good = (good_images / f"a.{suffix.removesuffix('.gz')}").read_bytes()
    file = tmp_path / f"a.{suffix}"
    content = data.draw(changed(good))
    if suffix == "nii.gz":  # damaged before it was compressed, or after
        content = gzip.compress(content) if data.draw(st.booleans()) else data.draw(changed(gzip.compress(good)))
    file.write_bytes(content)
    if suffix == "mhd":
        (tmp_path / "a.raw").write_bytes(VALUES.tobytes())
    refused_or_read(lambda: read_image({"image": str(file), "case": "a"}, LoadCased(keys="image"), 1, 3, 3))


@pytest.mark.parametrize("suffix", PICTURES)
@given(data=st.data())
def test_a_picture_is_read_or_refused(data: st.DataObject, suffix: str, good_images: Path, tmp_path: Path) -> None:
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(data.draw(changed((good_images / file.name).read_bytes())))
    refused_or_read(lambda: read_image({"image": str(file), "case": "a"}, LoadPicturesd(keys="image"), 1, 2, 3))
