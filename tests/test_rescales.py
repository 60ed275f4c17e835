"""Rescales: a series is refused if slices lack a rescale, have one that is no number, or hold other kinds of values."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from calib_monai.datalists.files import save_dicom
from calib_monai.series import load_series

VOXELS = np.random.default_rng(0).integers(0, 300, (6, 5, 4)).astype(np.int16)
SLOPE, INTERCEPT, UNITS, TABLE = (0x28, 0x1053), (0x28, 0x1052), (0x54, 0x1001), (0x28, 0x3000)
PIXELS = struct.pack("<HH", 0x7FE0, 0x10)
SIGNED = struct.pack("<HHI", 0x28, 0x103, 2)


def series(folder: Path) -> list[Path]:
    """Files without a rescale, which GDCM writes as soon as ITK has read one."""
    save_dicom(folder, VOXELS, (0.5, 0.75, 3.0))
    for file in (files := sorted(folder.iterdir())):
        before, signed, after = file.read_bytes().partition(SIGNED)
        _, pixels, stored = after.partition(PIXELS)
        file.write_bytes(before + signed + after[:2] + pixels + stored)
    return files


def extended(file: Path, tag: tuple[int, int], value: str | bytes, length: int | None = None) -> None:
    """A file gets an element before its pixels, which must be larger than those it has."""
    content = value.encode() + b" " * (len(value) % 2) if isinstance(value, str) else value
    added = struct.pack("<HHI", *tag, len(content) if length is None else length) + content
    before = file.read_bytes()
    assert before.count(PIXELS) == 1
    file.write_bytes(before.replace(PIXELS, added + PIXELS))


def refused(files: list[Path]) -> str:
    with pytest.raises(ValueError, match=r".") as stopped:
        load_series("here", files)
    assert "\n" not in str(stopped.value)
    return str(stopped.value)


def test_each_slice_may_have_its_own_slope(tmp_path: Path) -> None:
    files, slopes = series(tmp_path), ["1", "0.5", "2", "0.25"]
    for file, slope in zip(files, slopes, strict=True):
        extended(file, INTERCEPT, "-5")
        extended(file, SLOPE, slope)
    expected = VOXELS * np.array(slopes, dtype=float) - 5
    assert np.array_equal(load_series("here", files)[0].numpy(), expected)


@pytest.mark.parametrize(
    ("tag", "keyword", "value"), [(SLOPE, "RescaleSlope", "2"), (INTERCEPT, "RescaleIntercept", "-1024")]
)
@pytest.mark.parametrize("without", [0, 2])
def test_a_slice_without_the_rescale_of_the_others_is_refused(
    tag: tuple[int, int], keyword: str, value: str, without: int, tmp_path: Path
) -> None:
    files = series(tmp_path)
    for file in (others := [file for file in files if file != files[without]]):
        extended(file, tag, value)
    assert refused(files) == (
        f"{files[without]} has no {keyword}, and {others[0]} of its series has {value}; all slices must have it, "
        "because values without it are others"
    )
    assert load_series("here", [files[without]]).shape[-1] == 1


def test_a_rescale_that_changes_nothing_may_be_left_out(tmp_path: Path) -> None:
    files = series(tmp_path)
    for file in files[1:]:
        extended(file, INTERCEPT, "0")
        extended(file, SLOPE, "1.0")
    assert np.array_equal(load_series("here", files)[0].numpy(), VOXELS)


@pytest.mark.parametrize("value", ["0", "0.0", "abc", "2\\3", "inf", "nan"])
def test_a_slope_that_is_no_number_or_0_is_refused(value: str, tmp_path: Path) -> None:
    files = series(tmp_path)
    for file in files:
        extended(file, SLOPE, value)
    assert refused(files) == f"{files[0]} has RescaleSlope {value!r}; it must be a number other than 0"


def test_an_intercept_that_is_no_number_is_refused(tmp_path: Path) -> None:
    files = series(tmp_path)
    extended(files[2], INTERCEPT, "abc")
    assert refused(files) == f"{files[2]} has RescaleIntercept 'abc'; it must be a number"


def test_values_with_and_without_a_sign_are_not_one_series(tmp_path: Path) -> None:
    files = series(tmp_path)
    content = files[1].read_bytes()
    assert content.count(SIGNED + b"\1\0") == 1
    files[1].write_bytes(content.replace(SIGNED + b"\1\0", SIGNED + b"\0\0"))
    assert refused(files) == (
        f"here holds slices of two kinds of values (PixelRepresentation): {files[0]} (1) and {files[1]} (0)"
    )


def test_values_of_two_units_are_not_one_series(tmp_path: Path) -> None:
    files = series(tmp_path)
    extended(files[0], UNITS, "BQML")
    load_series("here", files)  # others do not say theirs
    extended(files[-1], UNITS, "CNTS")
    assert refused(files) == (
        f"here holds slices of two kinds of values (Units): {files[0]} (BQML) and {files[-1]} (CNTS)"
    )


ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 10) + struct.pack("<HHIH", 0x28, 0x3002, 2, 16)
END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


@pytest.mark.parametrize(("value", "length"), [(ITEM, None), (ITEM + END, 2**32 - 1)], ids=["told", "until its end"])
def test_values_that_a_table_gives_are_refused(value: bytes, length: int | None, tmp_path: Path) -> None:
    files = series(tmp_path)
    extended(files[3], TABLE, value, length)
    assert refused(files) == (
        f"{files[3]} gives its values by a table (ModalityLUTSequence), which is not read; it must give them by "
        "RescaleSlope and RescaleIntercept"
    )


def test_a_table_within_another_sequence_is_not_of_the_values(tmp_path: Path) -> None:
    files = series(tmp_path)
    inside = struct.pack("<HHI", *TABLE, len(ITEM)) + ITEM
    extended(files[0], (0x28, 0x9145), struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside)
    assert np.array_equal(load_series("here", files)[0].numpy(), VOXELS)
