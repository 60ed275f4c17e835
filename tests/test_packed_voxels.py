"""Packed voxels: a damaged compressed MetaImage or NRRD is refused by name, a whole one is read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

import itk
import numpy as np
import pytest

from calib_monai.loading import LoadCased
from calib_monai.packed_voxels import check_packed

VOXELS = np.random.default_rng(0).integers(0, 300, (10, 12, 14)).astype(np.int16)
NAMES = {"a.mha": "a.mha", "a.mhd": "a.zraw", "a.nrrd": "a.nrrd", "a.nhdr": "a.raw.gz"}  # and the file of the voxels


def loaded(path: Path) -> np.ndarray:
    return LoadCased("image")({"image": str(path)})["image"].numpy()


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A compressed image that ITK has written."""
    itk.imwrite(itk.image_from_array(VOXELS), str(tmp_path / request.param), compression=True)
    return tmp_path / request.param


def changed(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the compressed bytes of an image."""
    data = path.with_name(NAMES[path.name])
    content = data.read_bytes()
    start = content.find(b"\x78" if path.name == "a.mhd" else b"\x1f\x8b" if data.suffix != ".mha" else b"LOCAL\n")
    start += len(b"LOCAL\n") * (data.suffix == ".mha")
    data.write_bytes(content[:start] + change(content[start:]))


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def test_a_whole_file_is_read(path: Path) -> None:
    assert np.array_equal(loaded(path)[0], VOXELS.T)


@pytest.mark.parametrize(
    "change",
    [
        flipped,
        lambda content: content[: len(content) // 2],
        lambda content: content[:-2],
        lambda content: content[:-4] + b"\1\2\3\4",
    ],
)
def test_a_damaged_file_is_refused(change: Callable[[bytes], bytes], path: Path) -> None:
    changed(path, change)
    with pytest.raises(ValueError, match=rf"{path.name} is damaged: its voxels cannot be unpacked, "):
        loaded(path)


@pytest.mark.parametrize(("count", "held"), [(-2, "only 3358"), (2, "more")])
def test_other_voxels_than_promised_are_refused(count: int, held: str, path: Path) -> None:
    values = VOXELS.tobytes()[:count] if count < 0 else VOXELS.tobytes() + bytes(count)
    packed = (gzip if path.suffix.startswith(".n") else zlib).compress(values)
    changed(path, lambda _: packed)
    if path.suffix.startswith(".m"):
        lines = path.read_bytes().split(b"\n")
        told = b"CompressedDataSize = %d" % len(packed)
        path.write_bytes(b"\n".join(told if line.startswith(b"CompressedDataSize") else line for line in lines))
    with pytest.raises(
        ValueError, match=rf"{path.name} is damaged: it promises 3360 bytes of voxels, and unpacks to {held}"
    ):
        loaded(path)


def test_what_itk_would_not_unpack_is_refused(tmp_path: Path) -> None:
    for name in ("a.mha", "a.mhd"):
        itk.imwrite(itk.image_from_array(VOXELS), str(tmp_path / name), compression=True)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content.replace(b"CompressedDataSize", b"Comment"))
    assert np.array_equal(loaded(tmp_path / "a.mhd")[0], VOXELS.T)
    with pytest.raises(ValueError, match=r"a\.mha is compressed and has no CompressedDataSize; it must have one"):
        loaded(tmp_path / "a.mha")


def test_gzip_in_several_parts_and_behind_lines_and_bytes_is_read(tmp_path: Path) -> None:
    values = b"skip" + VOXELS.tobytes()
    header = (
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 14 12 10\nspacings: 1 1 1\nendian: little\nencoding: gz\n"
        b"byte skip: 4\nline skip: 1\n\na line\n"
    )
    (tmp_path / "a.nrrd").write_bytes(header + gzip.compress(values[:999]) + gzip.compress(values[999:]))
    assert np.array_equal(loaded(tmp_path / "a.nrrd")[0], VOXELS.T)


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd"])
def test_numbers_that_cannot_be_true_are_refused(name: str, tmp_path: Path) -> None:
    itk.imwrite(itk.image_from_array(VOXELS), str(tmp_path / name), compression=True)
    content = (tmp_path / name).read_bytes().replace(b"CompressedDataSize = ", b"CompressedDataSize = -")
    content = content.replace(b"encoding: gzip\n", b"encoding: gzip\nline skip: 999999999999\n")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} (is damaged: it promises|is compressed and has no)"):
        check_packed(str(tmp_path / name))


def test_much_is_unpacked_in_little_memory_and_no_further_than_promised(tmp_path: Path) -> None:
    (tmp_path / "a.zraw").write_bytes(zlib.compress(bytes(2**26)))
    header = "NDims = 3\nDimSize = {} 2 1\nCompressedData = True\nElementType = MET_UCHAR\nElementDataFile = a.zraw\n"
    (tmp_path / "a.mhd").write_text(header.format(2**25))
    check_packed(str(tmp_path / "a.mhd"))
    (tmp_path / "a.mhd").write_text(header.format(2**10))
    with pytest.raises(ValueError, match=r"a\.mhd is damaged: it promises 2048 bytes of voxels, and unpacks to more"):
        check_packed(str(tmp_path / "a.mhd"))
