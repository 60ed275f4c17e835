"""Series: DICOM files become the volume that they show, or are refused for what is missing, doubled or uneven."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import itk
import numpy as np
import pytest
from monai.data import ITKReader
from monai.transforms import LoadImage

from calib_monai.datalists.files import save_dicom
from calib_monai.dicom import is_dicom, sorted_into_series
from calib_monai.series import far_apart, load_series

REAL = Path(__file__).parents[2] / "shared" / "data" / "NCI-ISBI2013"  # where there is one
VOXELS = np.random.default_rng(0).integers(0, 300, (6, 5, 8)).astype(np.int16)


def series(folder: Path, places: list[float] | None = None, **tags: str) -> list[Path]:
    """Files of VOXELS with slices 3 mm apart, or at these places along z."""
    save_dicom(folder, VOXELS, (0.5, 0.75, 3.0))
    files = sorted(folder.iterdir())
    for index, place in enumerate(places or ()):
        retagged(files[index], {"0020|0032": f"0\\0\\{place}"})
    for file in files:
        retagged(file, tags)
    return files[: len(places)] if places else files


def retagged(file: Path, tags: dict[str, str]) -> None:
    reader = itk.GDCMImageIO.New(KeepOriginalUID=True)
    image = itk.imread(str(file), imageio=reader)
    image.SetMetaDataDictionary(reader.GetMetaDataDictionary())
    held = image.GetMetaDataDictionary()
    for tag, value in tags.items():
        held[tag] = value
    image.SetMetaDataDictionary(held)
    itk.imwrite(image, str(file), imageio=reader)


def element(tag: tuple[int, int], value: str) -> bytes:
    """The bytes of a tag with its value, as ITK writes them."""
    even = value + " " * (len(value) % 2)
    return struct.pack("<HHI", *tag, len(even)) + even.encode()


def refused(files: list[Path]) -> str:
    with pytest.raises(ValueError, match=r".") as stopped:
        load_series("here", files)
    assert "\n" not in str(stopped.value)
    return str(stopped.value)


def test_a_series_is_the_volume_that_was_written_whatever_the_order_of_its_files(tmp_path: Path) -> None:
    files = series(tmp_path)
    for order in (files, files[::-1], files[4:] + files[:4]):
        image = load_series("here", order)
        assert np.array_equal(image[0].numpy(), VOXELS)
        assert image.pixdim.tolist() == [0.5, 0.75, 3.0]


@pytest.mark.parametrize("start", [0, 5])
def test_how_gray_values_are_to_be_shown_changes_none(start: int, tmp_path: Path) -> None:
    files = series(tmp_path)
    for file in files[start:]:
        content = file.read_bytes()
        assert content.count(b"MONOCHROME2 ") == 1
        file.write_bytes(content.replace(b"MONOCHROME2 ", b"MONOCHROME1 "))
    assert np.array_equal(load_series("here", files)[0].numpy(), VOXELS)


def test_slices_that_are_missing_are_told_with_place_and_size_of_the_gap(tmp_path: Path) -> None:
    files = series(tmp_path)
    assert load_series("here", files[1:-2]).shape == (1, 6, 5, 5)  # fewer at the ends are a smaller volume
    said = refused([file for index, file in enumerate(files) if index not in (3, 4)])
    assert said == "here lacks slices: between 6 and 15 mm along its axis is a gap of 9 mm, elsewhere of 3 mm"


def test_a_slice_that_is_doubled_is_told_with_its_place_and_its_files(tmp_path: Path) -> None:
    files = series(tmp_path)
    shutil.copy(files[3], tmp_path / "copy.dcm")
    said = refused([*files, tmp_path / "copy.dcm"])
    assert said.startswith(f"here holds two slices at 9 mm along its axis, {files[3]} and copy.dcm")
    said = refused([*files, *series(tmp_path / "other")])  # as phases or echoes are
    assert "holds two slices at 0 mm" in said


@pytest.mark.parametrize(
    "places",
    [
        [0, 3, 6, 10, 13, 16, 19, 22],
        [0, 3, 6.6, 9, 12, 15, 18, 21],
        [0, 3, 6.2, 9.6, 13.2, 17, 21, 25.2],
        [0, 12, 27],
    ],
)
def test_uneven_spacing_is_told_with_its_place(places: list[float], tmp_path: Path) -> None:
    assert "is spaced unevenly: between" in refused(series(tmp_path, places))


def test_places_that_were_rounded_are_even(tmp_path: Path) -> None:
    image = load_series("here", series(tmp_path, [0, 0.7, 1.3, 2.0, 2.7, 3.3, 4.0, 4.7]))
    assert image.pixdim[2].item() == pytest.approx(0.67, abs=0.01)


def test_slices_that_shift_evenly_make_a_sheared_affine_and_others_are_refused(tmp_path: Path) -> None:
    files = series(tmp_path)
    for index, file in enumerate(files):
        retagged(file, {"0020|0032": f"0\\{index * 0.5}\\{index * 3}"})
    affine = load_series("here", files).affine.numpy()
    assert affine[:3, 2] == pytest.approx([0, -0.5, 3.0])
    retagged(files[4], {"0020|0032": "0\\9\\12"})
    assert "shifted against each other" in refused(files)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"0020|0037": "1\\0\\0\\0\\0\\1"}, "lacks slices: between 3 and 9 mm"),
        ({"0020|0037": "0.8\\0.6\\0\\-0.6\\0.8\\0"}, "of other sizes or directions"),
        ({"0020|0037": "-1\\0\\0\\0\\-1\\0"}, "of other sizes or directions"),
    ],
)
def test_slices_that_are_not_alike_are_refused(tags: dict[str, str], said: str, tmp_path: Path) -> None:
    files = series(tmp_path)
    retagged(files[2], tags)
    with pytest.raises(ValueError, match=said):
        load_series("here", files)


def test_slices_of_two_patients_are_refused_without_their_names(tmp_path: Path) -> None:
    files = series(tmp_path)
    retagged(files[0], {"0010|0020": "first"})
    load_series("a", files)  # others do not say whose they are
    retagged(files[-1], {"0010|0020": "second"})
    said = refused(files)
    assert "holds slices of two patients (PatientID): " in said
    assert files[0].name in said
    assert "first" not in said


@pytest.mark.parametrize("tag", ["0020|000d", "0020|0052"])
def test_an_examination_or_a_frame_for_each_slice_is_of_the_program_that_wrote_them(tag: str, tmp_path: Path) -> None:
    files = series(tmp_path)
    for index, file in enumerate(files):  # as ITK writes slices one by one
        retagged(file, {tag: f"1.2.3.{index}"})
    assert np.array_equal(load_series("here", files)[0].numpy(), VOXELS)


def test_slices_of_two_frames_of_reference_are_refused(tmp_path: Path) -> None:
    files = series(tmp_path)
    for index, file in enumerate(files[1:]):  # the first does not say
        retagged(file, {"0020|0052": f"1.2.3.{index // 4}"})
    assert refused(files) == (
        "here holds slices of two frames of reference, whose places cannot be compared (FrameOfReferenceUID): "
        f"{files[1]} and {files[5]}"
    )


def test_every_second_slice_alone_is_told_from_thick_slices_by_their_numbers(tmp_path: Path) -> None:
    files = series(tmp_path)
    said = refused(files[::2])
    assert said == ("here lacks slices: they are numbered in steps of 2 and lie 6 mm apart, and their headers say 3 mm")
    for index, file in enumerate(files[::2]):
        retagged(file, {"0020|0013": str(index)})
    assert load_series("here", files[::2]).pixdim[2] == 6
    assert far_apart(sorted_into_series(files[::2]).series[0]) == "they lie 6 mm apart, and their headers say 3 mm"
    assert not far_apart(sorted_into_series(files).series[0])


@pytest.mark.parametrize(
    ("tag", "given", "said"),
    [
        (b"1\\0\\0\\0\\1\\0", b"2\\0\\0\\0\\2\\0", "not of length 1 and at right angles"),
        (b"1\\0\\0\\0\\1\\0", b"1\\0\\0\\1\\1\\0", "not of length 1 and at right angles"),
        (b".75\\.5", b"000\\.5", "does not say how large its pixels are"),
    ],
)
def test_headers_that_place_no_pixel_are_refused(tag: bytes, given: bytes, said: str, tmp_path: Path) -> None:
    files = series(tmp_path)
    for file in files:
        assert tag in file.read_bytes()
        file.write_bytes(file.read_bytes().replace(tag, given))
    assert said in refused(files)


@pytest.mark.parametrize("kind", ["1", "2", "4", "7"])  # radiograph, CT, MR, capture
@pytest.mark.parametrize(
    ("given", "imager", "sizes"),
    [
        ("1.5\\.5 ", "", [0.5, 1.5]),
        ("1.5\\.5 ", "3\\2 ", [0.5, 1.5]),
        ("", "3\\2 ", [2.0, 3.0]),
        ("", "", None),
        ("0\\.5", "3\\2 ", None),
    ],
)
def test_the_size_of_pixels_is_what_the_header_says_whatever_the_file_holds(
    kind: str, given: str, imager: str, sizes: list[float] | None, tmp_path: Path
) -> None:
    files = series(tmp_path)
    for file in files:
        content = file.read_bytes().replace(b"5.1.4.1.1.4\0", f"5.1.4.1.1.{kind}\0".encode())
        before, after = element((0x28, 0x30), ".75\\.5"), element((0x20, 0xD), "1.2.826.0.1.3680043.2.1125.1.1")
        assert content.count(before) == content.count(after) == 1
        content = content.replace(before, element((0x28, 0x30), given) if given else b"")
        file.write_bytes(content.replace(after, (element((0x18, 0x1164), imager) if imager else b"") + after))
    if sizes:
        assert load_series("here", files).pixdim.tolist() == [*sizes, 3.0]
    else:
        assert "000.dcm does not say how large its pixels are (PixelSpacing)" in refused(files)


def test_one_slice_is_a_volume_as_thick_as_it_says(tmp_path: Path) -> None:
    image = load_series("here", series(tmp_path)[:1])
    assert image.shape == (1, 6, 5, 1)
    assert image.pixdim.tolist() == [0.5, 0.75, 3.0]


def test_many_frames_in_a_file_are_refused_with_what_to_do(tmp_path: Path) -> None:
    image = itk.image_from_array(np.ascontiguousarray(VOXELS.T).astype(np.uint16))
    image.GetMetaDataDictionary()["0008|0060"] = "MR"
    itk.imwrite(image, str(tmp_path / "frames.dcm"), imageio=itk.GDCMImageIO.New())
    said = refused([tmp_path / "frames.dcm"])
    assert "holds 8 frame(s)" in said
    assert "dcm2niix" in said


def test_a_slice_of_colors_among_gray_ones_is_refused_by_its_name(tmp_path: Path) -> None:
    files = series(tmp_path)
    image = itk.image_from_array(np.zeros((5, 6, 3), np.uint8), is_vector=True)
    image.SetSpacing([0.5, 0.75])
    gray = itk.GDCMImageIO.New(FileName=str(files[2]))
    gray.ReadImageInformation()
    tags = gray.GetMetaDataDictionary()
    tags["0028|0004"] = "RGB"
    image.SetMetaDataDictionary(tags)
    itk.imwrite(image, str(files[2]), imageio=itk.GDCMImageIO.New(KeepOriginalUID=True))
    assert refused(files) == f"{files[2]} holds colors; it must hold one number in a pixel"


def test_a_mosaic_is_refused_as_several_slices(tmp_path: Path) -> None:
    files = series(tmp_path, **{"0008|0008": "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"})
    assert refused(files[:1]) == (
        f"{files[0]} holds several slices in one picture (MOSAIC); it must be a file for each slice: convert it, by "
        "dcm2niix for example"
    )


def test_a_damaged_file_spoils_its_series(tmp_path: Path) -> None:
    files = series(tmp_path)
    files[-1].write_bytes(files[-1].read_bytes()[:200])
    assert "007.dcm is damaged, or no DICOM" in refused(files)
    files[-1].write_bytes(b"")
    assert "007.dcm is damaged, or no DICOM" in refused(files)


def test_a_deflated_slice_is_refused_as_such(tmp_path: Path) -> None:
    files = series(tmp_path)
    syntax = b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x16\x001.2.840.10008.1.2.1.99"
    for file in files[2:]:
        assert syntax[0] in file.read_bytes()
        file.write_bytes(file.read_bytes().replace(*syntax))
    assert refused(files).startswith(
        f"{files[2]} is deflated (transfer syntax 1.2.840.10008.1.2.1.99), which is not read"
    )
    assert refused(files[2:]).startswith(f"{files[2]} is deflated")


def test_a_truncated_slice_is_refused(tmp_path: Path) -> None:
    files = series(tmp_path)
    files[-1].write_bytes(files[-1].read_bytes()[:-20])
    with pytest.raises((ValueError, RuntimeError)):
        load_series("here", files)


@pytest.mark.skipif(not REAL.is_dir(), reason="needs NCI-ISBI 2013")
def test_real_series_are_read_as_monai_reads_them() -> None:
    folder = min({path.parent for path in REAL.rglob("*.dcm")})
    files = [path for path in sorted(folder.iterdir()) if is_dicom(path)]
    image: Any = load_series("here", files)
    expected: Any = LoadImage(reader=ITKReader())(folder)
    assert np.array_equal(image[0].numpy(), expected.numpy())
    assert image.affine.numpy() == pytest.approx(expected.affine.numpy(), abs=1e-4)
    kept = [file for index, file in enumerate(sorted(files, key=lambda file: file.name)) if index not in (7, 8, 9)]
    with pytest.raises(ValueError, match=r"gap|unevenly|lacks"):
        load_series("here", kept)
