"""DICOM lengths: finds files for which GDCM would take memory that is not there, or end the process.

It reads the series of a file, too, also where GDCM finds no image, and finds sequences, which ITK does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

Order = Literal["little", "big"]

MAGIC, MAGIC_AT = b"DICM", 128
LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}  # 32 bits for length
SHORT = {
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"),
    *(b"ST", b"TM", b"UI", b"UL", b"US"),
}
KINDS = LONG | SHORT
SYNTAX, SERIES, PIXELS, ITEM = (2, 0x10), (0x20, 0xE), (0x7FE0, 0x10), (0xFFFE, 0xE000)
ENDS = {(0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)}  # of items and of sequences whose length is not told
BIG_ENDIAN = b"1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
UNREADABLE = {(SYNTAX, DEFLATED.encode()), ((0x28, 4), b"PALETTE COLOR")}  # deflated, or colors of a palette
OF_ITEMS = 0xFFFE  # the group of items and what ends them
STARTS_OF_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
UNDEFINED = 2**32 - 1
MOST_ELEMENTS = 10**6
MOST_BEYOND = 2**24  # bytes beyond the end of a file; less is left to the reader, who knows the errors of old programs
BEGIN = 64  # bytes of a value that are read
AT_ONCE = 2**13  # bytes


class Element(NamedTuple):
    """An element of a file.

    Attributes:
        tag: its group and number.
        value: the first bytes of its value, without those that fill it up; empty if it is cut off.
        nested: whether it is of an item, not of the file itself.
        beyond: the bytes of its value that the file lacks.
    """

    tag: tuple[int, int]
    value: bytes
    nested: bool
    beyond: int


def is_readable(file: str | Path) -> bool:
    """Whether no element of a DICOM file is far longer than the file, and it is neither deflated nor of a palette.

    GDCM takes memory for an element before it reads it, up to 4 GB, and ends the process if the colors of a palette are
    missing. What is no DICOM is left to it, too.
    """
    return not any(
        element.beyond > MOST_BEYOND or (element.tag, element.value) in UNREADABLE for element in _elements(file)
    )


def is_deflated(file: str | Path) -> bool:
    """Whether a DICOM file says that all of it is compressed."""
    return any((element.tag, element.value) == (SYNTAX, DEFLATED.encode()) for element in _elements(file))


def series_of(file: str | Path) -> str:
    """The identifier of the series of a DICOM file, which may be damaged or hold no image; "" if it does not say."""
    element = _element(file, SERIES)
    told = element and re.fullmatch(rb"[0-9.]+", element.value)
    return told[0].decode("ascii") if told else ""


def has_element(file: str | Path, tag: tuple[int, int]) -> bool:
    """Whether a DICOM file has an element or a sequence, outside other sequences."""
    return _element(file, tag) is not None


def _element(file: str | Path, tag: tuple[int, int]) -> Element | None:
    """An element of the file itself, None if it has none with this tag; the search ends where it would be."""
    after = (element for element in _elements(file) if not element.nested and element.tag >= tag)
    first = next(after, None)
    return first if first is not None and first.tag == tag else None


def _elements(file: str | Path) -> Iterator[Element]:
    """The elements of a file, also those in sequences and items; values are skipped."""
    size = Path(file).stat().st_size
    with Path(file).open("rb") as stream:
        yield from _elements_of(_Window(stream), size)


class _Window:
    """A part of a file that is read at once, because elements are many and small.

    Args:
        stream: the file that was opened.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.begin, self.content = 0, b""

    def read(self, place: int, count: int) -> bytes:
        """The bytes at a place, fewer at the end of the file."""
        if not self.begin <= place <= place + count <= self.begin + len(self.content):
            self.stream.seek(place)
            self.begin, self.content = place, self.stream.read(AT_ONCE)
        return self.content[place - self.begin : place - self.begin + count]


def _elements_of(window: _Window, size: int) -> Iterator[Element]:
    """`_elements` of a file that was opened."""
    place = MAGIC_AT + len(MAGIC) if window.read(MAGIC_AT, len(MAGIC)) == MAGIC else 0
    later: Order = "little"  # of bytes, after the first group
    of_elements = True  # items hold elements, and not pieces of a picture
    depth, inside = 0, 0  # sequences and items whose end is not told, and the place where those end that tell it
    for _ in range(MOST_ELEMENTS):
        head = window.read(place, 12)
        if len(head) < 8:  # noqa: PLR2004 - a tag and a length
            return
        order: Order = "little" if int.from_bytes(head[:2], "little") == SYNTAX[0] else later
        tag = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
        start, length = _start_and_length(tag, head, order)
        nested = depth > 0 or place < inside
        place += start
        if length == UNDEFINED:
            of_elements = of_elements and tag != PIXELS
            yield Element(tag, b"", nested, 0)
            depth += 1
            continue
        depth = max(depth - (tag in ENDS), 0)
        begin = window.read(place, min(length, BEGIN))
        value = begin.rstrip(b"\0 ") if len(begin) == min(length, BEGIN) else b""
        yield Element(tag, value, nested, length - (size - place))
        if tag == SYNTAX:
            later = "big" if value == BIG_ENDIAN else "little"
        if begin.startswith(STARTS_OF_ITEMS) or (tag == ITEM and of_elements):
            inside = max(inside, place + length)
        else:
            place += length


def _start_and_length(tag: tuple[int, int], head: bytes, order: Order) -> tuple[int, int]:
    """The bytes before the value of an element, and the bytes of its value."""
    kind = head[4:6]
    if tag[0] == OF_ITEMS or kind not in KINDS:
        return 8, int.from_bytes(head[4:8], order)
    return (12, int.from_bytes(head[8:12], order)) if kind in LONG else (8, int.from_bytes(head[6:8], order))
