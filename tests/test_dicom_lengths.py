"""DICOM lengths: files that would end the process are not given to the reader, and every file tells its series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicoms import report, without_image

from calib_monai.datalists.files import save_dicom
from calib_monai.dicom import header_of
from calib_monai.dicom_lengths import is_readable, series_of

LENGTH = b"\x00\x00\x00\x7f"
MODALITY = b"\x08\x00\x60\x00"
IN_ITEMS = b"\x08\x00\x82\x00SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MODALITY + b"\x02\x00\x00\x00", MODALITY + b"UT\x00\x00" + LENGTH),
        (MODALITY + b"\x02\x00\x00\x00", MODALITY + LENGTH),
        (MODALITY + b"\x02\x00\x00\x00", IN_ITEMS + MODALITY + b"UT\x00\x00" + LENGTH),
        (b"UI\x12\x001.2.840.10008.1.2\x00", b"UI\x16\x001.2.840.10008.1.2.1.99"),
        (b"\x0c\x00\x00\x00MONOCHROME2 ", b"\x0e\x00\x00\x00PALETTE COLOR "),
    ],
    ids=["long", "without a type", "in a sequence", "deflated", "colors of a palette"],
)
def test_a_file_that_would_take_gigabytes_or_end_the_process_is_not_given_to_the_reader(
    before: bytes, after: bytes, tmp_path: Path
) -> None:
    save_dicom(tmp_path, np.zeros((4, 4, 1), np.int16), (1, 1, 1))
    file = tmp_path / "000.dcm"
    assert is_readable(file)
    content = file.read_bytes()
    assert before in content
    file.write_bytes(content.replace(before, after))
    assert not is_readable(file)
    assert header_of(str(file)) is None


@pytest.mark.parametrize("kind", ["implicit", "cut off"])
def test_lengths_of_other_files_are_true(kind: str, tmp_path: Path) -> None:
    elements = b"\x08\x00\x60\x00\x02\x00\x00\x00MR" + b"\xe0\x7f\x10\x00\x00\x00\x01\x00" + bytes(2**16)
    (tmp_path / "a.dcm").write_bytes(elements if kind == "implicit" else elements[:-9])
    assert is_readable(tmp_path / "a.dcm")


REFERENCE = b"\x20\x00\x0e\x00UI\x04\x001.99"
ITEM = b"\xfe\xff\x00\xe0"


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\x08\x00\x15\x11SQ\x00\x00\x14\x00\x00\x00" + ITEM + b"\x0c\x00\x00\x00" + REFERENCE,
        b"\x08\x00\x15\x11SQ\x00\x00\xff\xff\xff\xff"
        + (ITEM + b"\xff\xff\xff\xff" + REFERENCE + b"\xfe\xff\x0d\xe0\x00\x00\x00\x00")
        + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    ],
    ids=["alone", "after a sequence", "after a sequence without a length"],
)
def test_the_series_of_a_file_is_read_and_not_that_of_others_that_it_names(before: bytes, tmp_path: Path) -> None:
    without_image(tmp_path / "a.dcm", "1.2.3", "1.2.345.6", before)
    assert series_of(tmp_path / "a.dcm") == "1.2.345.6"
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes().partition(b"1.2.345.6")[0] + b"1.2")
    assert series_of(tmp_path / "b.dcm") == ""


def test_the_series_of_other_files_is_that_of_their_header(tmp_path: Path) -> None:
    save_dicom(tmp_path, np.zeros((4, 4, 3), np.int16), (1, 1, 1))
    for file in tmp_path.iterdir():
        assert series_of(file) == header_of(str(file)).series
    (tmp_path / "text").write_text("no DICOM" * 99)
    report(tmp_path / "report")
    assert series_of(tmp_path / "text") == series_of(tmp_path / "report") == ""
