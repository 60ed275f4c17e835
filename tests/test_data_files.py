"""No image takes its voxels from a file that is not its own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from calib_monai.data_files import check_data_file
from calib_monai.datalists.inputs import images_in
from calib_monai.headers import bytes_once_loaded, check_header, doubt_of_place
from calib_monai.loading import LoadCased

VOXELS = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
MHD = (
    "ObjectType = Image\nNDims = 3\nDimSize = 2 3 4\nElementType = MET_UCHAR\nElementSpacing = 1 1 1\n"
    "ElementDataFile = {}\n"
)
SPELLED = ("M\u00fcller.raw", "Mu\u0308ller.raw", "Patient 01 T2.raw", "Liste 3.raw")
NRRD = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\nspacings: 1 1 1\n{}\n\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images beside a secret, with voxels, links and a pipe in it."""
    (tmp_path / "secret").write_bytes(VOXELS.tobytes())
    inside = tmp_path / "images"
    (inside / "below").mkdir(parents=True)
    for name in ("scan.raw", "below/scan.raw", "a scan.raw", *SPELLED, "100%.raw"):
        (inside / name).write_bytes(VOXELS.tobytes())
    (inside / "short.raw").write_bytes(VOXELS.tobytes()[:-1])
    (inside / "link.raw").symlink_to("scan.raw")
    (inside / "out.raw").symlink_to("../secret")
    os.mkfifo(inside / "pipe.raw")
    return inside


OWN = ("scan.raw", "below/scan.raw", "a scan.raw", "link.raw", *SPELLED)
FOREIGN = [
    ("../secret", "takes its voxels from '../secret', .*secret; a header may name one file for its voxels, which lies"),
    ("{}/secret", "takes its voxels from '.*secret', .*secret; a header may name one file"),
    ("{}/images/scan.raw", "a header may name one file for its voxels, which lies in its own folder"),
    ("below/../../secret", "a header may name one file"),
    ("out.raw", "takes its voxels from 'out.raw', .*secret; a header may name one file"),
    ("pipe.raw", "takes its voxels from 'pipe.raw', which is no regular file there"),
    ("nowhere.raw", "takes its voxels from 'nowhere.raw', which is no regular file there"),
    ("below", "which is no regular file there"),
    ("LIST", "takes its voxels from 'LIST', which stands for several files; a header may name one file"),
    ("LIST 2", "which stands for several files"),
    ("scan%03d.raw 1 4 1", "'scan%03d.raw 1 4 1', which stands for several files"),
    ("scan%d.raw 1 4 1 2", "which stands for several files"),
    ("short.raw", "promises 24 bytes of voxels, and its file 'short.raw' has 23"),
]


@pytest.mark.parametrize("name", OWN)
def test_an_image_whose_voxels_are_its_own_is_read(name: str, folder: Path) -> None:
    (folder / "scan.mhd").write_text(MHD.format(name), encoding="utf-8")
    (folder / "scan.nrrd").write_text(NRRD.format(f"data file: {name}"), encoding="utf-8")
    for file in ("scan.mhd", "scan.nrrd"):
        image = LoadCased("image")({"image": str(folder / file)})["image"]
        assert np.array_equal(image[0].numpy(), VOXELS.transpose())


def test_a_percent_sign_is_a_character_for_a_nrrd_only(folder: Path) -> None:
    (folder / "scan.nrrd").write_text(NRRD.format("data file: 100%.raw"))
    assert LoadCased("image")({"image": str(folder / "scan.nrrd")})["image"].shape == (1, 2, 3, 4)
    (folder / "scan.mhd").write_text(MHD.format("100%.raw"))
    with pytest.raises(
        ValueError, match=r"scan\.mhd takes its voxels from '100%\.raw', which stands for several files"
    ):
        check_data_file(str(folder / "scan.mhd"))


def test_a_name_in_bytes_is_the_one_that_itk_opens(folder: Path) -> None:
    (folder / "scan.mhd").write_bytes(MHD.format("M\u00fcller.raw").encode("latin-1"))
    with pytest.raises(ValueError, match=r"takes its voxels from 'M\\udcfcller\.raw', which is no regular file there"):
        check_data_file(str(folder / "scan.mhd"))
    (folder / os.fsdecode(b"M\xfcller.raw")).symlink_to("../secret")
    with pytest.raises(ValueError, match="a header may name one file for its voxels, which lies in its own folder"):
        check_data_file(str(folder / "scan.mhd"))


@pytest.mark.parametrize(("name", "said"), FOREIGN)
@pytest.mark.parametrize("kind", ["mhd", "nrrd"])
def test_an_image_whose_voxels_are_not_its_own_is_refused(kind: str, name: str, said: str, folder: Path) -> None:
    told = name.format(folder.parent)
    text = MHD.format(told) if kind == "mhd" else NRRD.format(f"DataFile: {told}")
    (folder / f"scan.{kind}").write_text(text)
    for look in (check_header, lambda file: LoadCased("image")({"image": file})):
        with pytest.raises(ValueError, match=rf"scan\.{kind} .*{said}"):
            look(str(folder / f"scan.{kind}"))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("scan.MHD", MHD.format("../secret")),
        ("scan.mha", MHD.format("../secret")),
        ("scan.mhd", MHD.replace("File = {}", "File: ../secret")),
        ("scan.mhd", MHD.format("../secret").replace("\n", "\r\n")),
        ("scan.mhd", "Comment = ElementDataFile = LOCAL\n" + MHD.format("../secret")),
        ("scan.mhd", "Comment = \x0bElementDataFile = LOCAL\n" + MHD.format("../secret")),
        ("scan.mhd", f"Comment = {'x' * 2**20}\n" + MHD.format("../secret")),
        ("scan.nrrd", NRRD.format("data file: ../secret").replace("\n", "\r\n")),
        ("scan.nrrd", NRRD.format(f"# {'x' * 2**20}\nDATAFILE: ../secret")),
        ("scan.of_another_name", NRRD.format("data file: ../secret")),
    ],
)
def test_no_way_to_write_a_header_hides_what_it_names(file: str, text: str, folder: Path) -> None:
    (folder / file).write_text(text, newline="")
    with pytest.raises(ValueError, match=rf"{file} (takes its voxels from '\.\./secret'|has a header of more than)"):
        check_data_file(str(folder / file))


def test_local_voxels_are_whole_and_compressed_ones_are_left_to_another_check(folder: Path) -> None:
    for name, header in (("scan.mha", MHD.format("LOCAL")), ("scan.nrrd", NRRD.format("content: scan"))):
        (folder / name).write_bytes(header.encode() + VOXELS.tobytes() + b"more")
        check_data_file(str(folder / name))
        (folder / name).write_bytes(header.encode() + VOXELS.tobytes()[:-1])
        with pytest.raises(ValueError, match=f"{name} is damaged: it promises 24 bytes of voxels, and has 23"):
            check_data_file(str(folder / name))
    compressed = MHD.replace("NDims", "CompressedData = True\nNDims")
    (folder / "scan.mhd").write_text(compressed.format("short.raw"))
    check_data_file(str(folder / "scan.mhd"))


@pytest.mark.parametrize("axes", ["-3", "99", "0", "", "3e5"])
def test_axes_at_which_itk_would_crash_are_refused(axes: str, tmp_path: Path) -> None:
    (tmp_path / "scan.mha").write_text(MHD.format("LOCAL").replace("NDims = 3", f"NDims ={axes}"))
    with pytest.raises(ValueError, match=rf"scan\.mha has NDims '{axes}'; it must be a whole number from 1 to 9"):
        check_header(str(tmp_path / "scan.mha"))


def test_hdf5_which_may_link_to_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ValueError, match=r"scan\.h5 is HDF5, which may take its voxels from other files"):
        check_data_file(str(tmp_path / "scan.h5"))


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nrrd", "scan.png", "scan"])
def test_a_pipe_or_a_device_is_not_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    (tmp_path / "device.nii").symlink_to("/dev/zero")
    for file in (tmp_path / name, tmp_path / "device.nii"):
        for look in (check_header, lambda given: LoadCased("image")({"image": given})):
            with pytest.raises(ValueError, match="is no regular file: a pipe, a socket or a device is not read"):
                look(str(file))
        assert bytes_once_loaded(str(file)) == 0
        assert doubt_of_place(str(file)) == ""


def test_a_folder_with_a_pipe_in_it_is_searched(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "IM0001")
    (tmp_path / "scan.nii").touch()
    assert [case["case"] for case in images_in(tmp_path)] == ["scan"]
