"""NIfTI: a compressed file is as it was written, or refused by name."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImage

from calib_monai.loading import LoadCased
from calib_monai.nifti import MOST_BEHIND, WholeNiftiReader

LOAD = LoadCased("image")
VOXELS = np.random.default_rng(0).integers(0, 99, (16, 15, 14)).astype(np.int16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nibabel.save(nibabel.Nifti1Image(VOXELS, np.diag([1.0, 2, 3, 1])), tmp_path / "a.nii.gz")
    return tmp_path / "a.nii.gz"


def test_voxels_and_what_the_header_says_are_those_of_monai(path: Path) -> None:
    image, other = LOAD({"image": str(path)})["image"], LoadImage()(str(path))
    assert np.array_equal(image.numpy()[0], VOXELS)
    assert np.array_equal(image.affine.numpy(), other.affine.numpy())
    assert set(other.meta) <= set(image.meta)


@pytest.mark.parametrize("way", ["a byte changed", "without its checksum"])
def test_a_file_that_its_checksum_does_not_fit_is_refused(way: str, path: Path) -> None:
    packed = gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0)
    path.write_bytes(packed)
    LOAD({"image": str(path)})
    changed = bytearray(packed)
    changed[-20] ^= 1
    path.write_bytes({"a byte changed": bytes(changed), "without its checksum": packed[:-8]}[way])
    with pytest.raises(ValueError, match=r"a\.nii\.gz is damaged: (CRC check failed|Compressed file ended)"):
        LOAD({"image": str(path)})


def test_a_file_that_unpacks_to_far_more_than_its_header_says_is_refused(path: Path) -> None:
    packed = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(packed + bytes(MOST_BEHIND)))
    LOAD({"image": str(path)})
    path.write_bytes(gzip.compress(packed + bytes(MOST_BEHIND + 1)))
    with pytest.raises(ValueError, match=r"a\.nii\.gz is damaged: it unpacks to more than its header says"):
        LOAD({"image": str(path)})


def test_a_file_that_ends_before_its_voxels_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3000])
    reader = WholeNiftiReader()
    with pytest.raises(ValueError, match=r"a\.nii\.gz is damaged: Compressed file ended"):
        reader.get_data(reader.read(str(path)))


def test_several_threads_read_at_once(path: Path) -> None:
    read = []
    threads = [threading.Thread(target=lambda: read.append(LOAD({"image": str(path)})["image"])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [np.array_equal(image.numpy()[0], VOXELS) for image in read] == [True] * 4


def test_voxels_can_be_read_again_from_one_image(path: Path) -> None:
    reader = WholeNiftiReader()
    image = reader.read(str(path))
    for _ in range(2):
        assert np.array_equal(reader.get_data(image)[0], VOXELS)


def test_images_of_several_files_can_be_read_again(path: Path) -> None:
    reader = WholeNiftiReader()
    images = reader.read([str(path), str(path)])
    for _ in range(2):
        assert np.array_equal(reader.get_data(images)[0], np.stack([VOXELS, VOXELS]))
