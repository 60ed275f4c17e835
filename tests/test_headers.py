"""Headers that cannot be true, or that promise more than there is room for, are refused before anything is loaded."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import itk
import nibabel
import numpy as np
import pytest
from PIL import Image

from calib_monai import headers
from calib_monai.headers import (
    bytes_once_loaded,
    bytes_together,
    check_header,
    check_image_header,
    check_label_header,
    check_room,
    doubt_of_place,
    promised,
)
from calib_monai.loading import LoadCased

COLORS = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def nifti(path: Path, dtype: np.dtype | type = np.int16) -> Path:
    """A volume of 6 x 5 x 4 voxels."""
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), dtype), np.eye(4)), path)
    return path


def promise(path: Path, side: int) -> None:
    """Make the header say that the volume has this many voxels along each axis."""
    packed = path.suffix == ".gz"
    content = bytearray(gzip.decompress(path.read_bytes()) if packed else path.read_bytes())
    content[40:56] = np.array([3, side, side, side, 1, 1, 1, 1], dtype="<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(content)) if packed else bytes(content))


def test_what_may_not_be_read_is_refused_and_a_folder_is_left_to_its_reader(tmp_path: Path) -> None:
    check_header(str(tmp_path))
    loop = tmp_path / "loop.mhd"
    loop.symlink_to(loop)
    for path, said in ((loop, "Too many levels of symbolic links"), (tmp_path / "no.png", "No such file or directory")):
        with pytest.raises(ValueError, match=f"{path} cannot be read: {said}"):
            check_header(str(path))


@pytest.mark.parametrize("name", ["one.nii", "one.nii.gz"])
def test_what_is_there_passes_and_what_cannot_be_there_does_not(name: str, tmp_path: Path) -> None:
    path = nifti(tmp_path / name)
    check_header(str(path))
    promise(path, 30000)
    with pytest.raises(ValueError, match=rf"{name} is damaged: its header promises 30000 x 30000 x 30000 voxels"):
        check_header(str(path))


@pytest.mark.parametrize(("dtype", "said"), [(np.complex64, "complex numbers"), (COLORS, "colors")])
def test_what_are_no_real_numbers_is_refused(dtype: np.dtype, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"one.nii holds {said} \(.*\); it must hold real numbers"):
        check_header(str(nifti(tmp_path / "one.nii", dtype)))


def written(path: Path) -> Path:
    """A file of 6 x 5 (x 4) voxels in the format of its name."""
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return nifti(path)
    if path.suffix == ".dcm":
        pixels = itk.image_from_array(np.zeros((1, 5, 6), np.uint16))
        itk.imwrite(pixels, str(path), imageio=itk.GDCMImageIO.New())
    elif path.suffix == ".png":
        Image.new("L", (6, 5)).save(path)
    else:
        itk.imwrite(itk.image_from_array(np.zeros((4, 5, 6), np.int16)), str(path), compression=True)
    return path


@pytest.mark.parametrize(
    "name", ["a.nii", "a.NII.GZ", "a.nrrd", "a.NRRD", "a.nhdr", "a.mha", "a.mhd", "a.dcm", "a.png"]
)
def test_what_this_machine_has_no_room_for_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / name)
    found = promised(str(path))
    assert found is not None
    assert sorted(size for size in found.shape if size > 1) == (
        [5, 6] if path.suffix in (".dcm", ".png") else [4, 5, 6]
    )
    needed = 12 * found.voxels
    assert bytes_once_loaded(str(path)) == needed
    monkeypatch.setattr(headers, "memory_here", lambda: needed)
    check_header(str(path))
    check_room([str(path)])
    with pytest.raises(ValueError, match=rf"{name} \(with 1 more\) takes .* GiB once loaded; there are"):
        check_room([str(path), str(path)])
    monkeypatch.setattr(headers, "memory_here", lambda: needed - 1)
    with pytest.raises(ValueError, match=rf"{name} is 6 x 5.* voxels, .* GiB once loaded; there are .* GiB here"):
        check_header(str(path))


@pytest.mark.parametrize("name", ["a.Nii.gz", "a.NiI"])
def test_a_name_for_which_nibabel_would_read_another_file_is_refused(name: str, tmp_path: Path) -> None:
    other = nifti(tmp_path / name.lower())
    other.with_name(name).write_bytes(other.read_bytes())
    with pytest.raises(ValueError, match=f"{name} ends in mixed capitals, and nibabel would read {other}: rename it"):
        check_header(str(other.with_name(name)))


def test_values_that_are_read_as_float64_take_more(tmp_path: Path) -> None:
    assert bytes_once_loaded(str(nifti(tmp_path / "a.nii", np.float64))) == 20 * 120
    image = nibabel.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.eye(4))
    image.header.set_slope_inter(2, 1)
    nibabel.save(image, tmp_path / "b.nii")
    assert bytes_once_loaded(str(tmp_path / "b.nii")) == 20 * 120


def test_files_are_loaded_one_after_the_other_and_the_slices_of_a_series_at_once(tmp_path: Path) -> None:
    one, other = (str(nifti(tmp_path / name)) for name in ("a.nii", "b.nii"))
    assert bytes_together([one, other, other]) == (12 + 4 + 4) * 120
    slices = [str(written(tmp_path / f"{k}.dcm")) for k in range(3)]
    assert bytes_together(slices) == 12 * 3 * 30


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha"])
def test_an_image_that_is_compressed_as_no_scan_can_be_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    itk.imwrite(itk.image_from_array(np.zeros((64, 64, 64), np.int16)), str(path), compression=True)
    check_image_header(str(path))  # small
    monkeypatch.setattr(headers, "LARGE", 64**3)
    with pytest.raises(
        ValueError, match=rf"{name} promises 64 x 64 x 64 voxels in \d+ bytes; no scan is compressed to"
    ):
        check_image_header(str(path))
    check_header(str(path))  # a label may be empty
    check_label_header(str(path), [str(path)])
    small = str(nifti(tmp_path / "image.nii"))
    with pytest.raises(ValueError, match=f"{name} is 64 x 64 x 64 voxels, more than {small} has; they must be equal"):
        check_label_header(str(path), [small])
    noise = np.random.default_rng(0).integers(0, 999, (64, 64, 64), np.int16)
    itk.imwrite(itk.image_from_array(noise), str(path), compression=True)
    check_image_header(str(path))


def test_a_header_that_would_crash_its_reader_is_not_given_to_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mhd")
    path.write_text(path.read_text().replace("NDims = 3", "NDims = 3545 347 -5"))
    assert promised(str(path)) is None
    assert bytes_once_loaded(str(path)) == path.stat().st_size


@pytest.mark.parametrize(
    ("name", "opens"), [("a.nii.gz", "nibabel.load"), ("a.mha", "_of_itk"), ("a.png", "Image.open")]
)
def test_a_header_is_read_once_until_its_file_changes(
    name: str, opens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(written(tmp_path / name))
    read, (*inside, function) = [], opens.split(".")
    place = getattr(headers, inside[0]) if inside else headers
    original = getattr(place, function)
    monkeypatch.setattr(place, function, lambda *given: (read.append(given), original(*given))[1])
    for _ in range(2):
        check_header(path)
        check_image_header(path)
        check_room([path])
        assert bytes_together([path]) == bytes_once_loaded(path) > 0
        assert not doubt_of_place(path)
    assert len(read) == 1
    os.utime(path, (0, 0))
    check_header(path)
    assert len(read) == 2


def test_what_is_no_nifti_is_left_to_its_reader(tmp_path: Path) -> None:
    for name in ("words.nii.gz", "picture.png"):
        (tmp_path / name).write_text("no image")
        check_header(str(tmp_path / name))


def test_voxels_are_counted_without_reading_them(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((30, 40, 5), np.uint8), np.eye(4)), tmp_path / "a.nii.gz")
    assert bytes_once_loaded(str(tmp_path / "a.nii.gz")) == 12 * 30 * 40 * 5
    (tmp_path / "series").mkdir()
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / "series" / name).write_bytes(bytes(500))
    assert bytes_once_loaded(str(tmp_path / "series")) == 1000
    (tmp_path / "b.nii").write_text("none")
    assert bytes_once_loaded(str(tmp_path / "b.nii")) == 4
    assert bytes_once_loaded(str(tmp_path / "missing.nrrd")) == 0


def test_a_place_in_doubt_is_told(tmp_path: Path) -> None:
    path, affine = tmp_path / "a.nii", np.diag([1.0, 1, 3, 1])
    for sform, qform, doubt in (
        (affine, affine, ""),
        (affine, None, ""),
        (None, affine, ""),
        (affine, affine + 0.4 * np.eye(4, k=3), ""),
        (affine, affine + 0.6 * np.eye(4, k=3), "lie elsewhere by their qform than by their sform"),
        (affine, np.diag([-1.0, 1, 3, 1]), "lie elsewhere by their qform than by their sform"),
        (None, None, "say nothing of their orientation"),
    ):
        image = nibabel.Nifti1Image(np.zeros((6, 5, 4)), affine)
        image.set_sform(sform, int(sform is not None))
        image.set_qform(qform, int(qform is not None))
        nibabel.save(image, path)
        assert doubt_of_place(str(path)).startswith(doubt)
        assert bool(doubt) == bool(doubt_of_place(str(path)))
    assert not doubt_of_place(str(tmp_path / "nowhere.nii"))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(("kind", "least"), [(nibabel.Nifti1Image, 352), (nibabel.Nifti2Image, 544)])
def test_voxels_within_the_header_are_refused(kind: type, least: int, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    image = kind(np.zeros((6, 5, 4), np.int16), np.eye(4))
    for offset in (0, least + 16):
        image.header["vox_offset"] = offset
        nibabel.save(image, path)
        check_header(str(path))  # where nibabel puts them
    content = bytearray(image.to_bytes())
    place, dtype = (108, "<f4") if least == 352 else (168, "<i8")
    value = np.array(0, dtype).tobytes()
    content[place : place + len(value)] = value
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    for look in (check_header, lambda file: LoadCased("image")({"image": file})):
        with pytest.raises(ValueError, match=f"{name} has vox_offset 0; it must be {least} or more, because its head"):
            look(str(path))
