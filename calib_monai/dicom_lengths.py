"""DICOM lengths: finds files for which GDCM would take memory that is not there, or end the process."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Literal

Order = Literal["little", "big"]

MAGIC, MAGIC_AT = b"DICM", 128
LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}  # 32 bits for length
SHORT = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"),
    *(b"ST", b"TM", b"UI", b"UL", b"US"),
}
SYNTAX, PIXELS, ITEM = (2, 0x10), (0x7FE0, 0x10), (0xFFFE, 0xE000)
BIG_ENDIAN = b"1.2.840.10008.1.2.2"
UNREADABLE = {(SYNTAX, b"1.2.840.10008.1.2.1.99"), ((0x28, 4), b"PALETTE COLOR")}  # deflated, or colors of a palette
OF_ITEMS = 0xFFFE  # the group of items and what ends them
STARTS_OF_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
UNDEFINED = 2**32 - 1
MOST_ELEMENTS = 10**6
MOST_BEYOND = 2**24  # bytes beyond the end of a file; less is left to the reader, who knows the errors of old programs


def is_readable(file: str | Path) -> bool:
    """Whether no element of a DICOM file is far longer than the file, and it is neither deflated nor of a palette.

    GDCM takes memory for an element before it reads it, up to 4 GB, and ends the process if the colors of a palette are
    missing. What is no DICOM is left to it, too.
    """
    size = Path(file).stat().st_size
    with Path(file).open("rb") as stream:
        return _are_true(stream, size)


def _are_true(stream: BinaryIO, size: int) -> bool:
    """Go through the elements, also into sequences and items; only values are skipped."""
    place = MAGIC_AT + len(MAGIC) if stream.read(MAGIC_AT + len(MAGIC)).endswith(MAGIC) else 0
    later: Order = "little"  # of bytes, after the first group
    of_elements = True  # items hold elements, and not pieces of a picture
    for _ in range(MOST_ELEMENTS):
        stream.seek(place)
        head = stream.read(12)
        if len(head) < 8:  # noqa: PLR2004 - a tag and a length
            return True
        order: Order = "little" if int.from_bytes(head[:2], "little") == SYNTAX[0] else later
        tag, kind = (int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)), head[4:6]
        if tag[0] == OF_ITEMS or kind not in LONG | SHORT:
            start, length = 8, int.from_bytes(head[4:8], order)
        elif kind in LONG:
            start, length = 12, int.from_bytes(head[8:12], order)
        else:
            start, length = 8, int.from_bytes(head[6:8], order)
        place += start
        if length == UNDEFINED:
            of_elements = of_elements and tag != PIXELS
            continue
        if length > size - place + MOST_BEYOND:
            return False
        stream.seek(place)
        begin = stream.read(min(length, 64))
        value = begin.rstrip(b"\0 ")
        if (tag, value) in UNREADABLE:
            return False
        if tag == SYNTAX:
            later = "big" if value == BIG_ENDIAN else "little"
        if not (begin.startswith(STARTS_OF_ITEMS) or (tag == ITEM and of_elements)):
            place += length
    return False
