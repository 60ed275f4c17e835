"""Text headers: reads what MetaImage and NRRD say of their voxels, and which bytes of which file these are."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from calib_monai.file_cache import cached_until_changed

MOST_HEADER = 2**20  # bytes
META = (".mhd", ".mha")
NRRD = b"NRRD000"
AXES, DATA_FILE, LOCAL = "NDims", "ElementDataFile", "LOCAL"  # the voxels follow in the same file
DATA_FILE_OF_NRRD = "datafile"
META_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4, "ULONG": 4} | {
    "LONG_LONG": 8,
    "ULONG_LONG": 8,
    "FLOAT": 4,
    "DOUBLE": 8,
}  # of an element, by MetaImage's name without MET_
NRRD_BYTES = {
    r"(u?int8(_t)?|(un)?signed char|char|uchar)": 1,
    r"(u?int16(_t)?|((un)?signed )?short( int)?|ushort)": 2,
    r"(u?int32(_t)?|((un)?signed )?int|uint|float)": 4,
    r"(u?int64(_t)?|((un)?signed )?(long ){2}(int)?|u?longlong|double)": 8,
}
MOST_SHOWN = 100  # characters of a name
BLANKS = " \t\r\n\v\f"  # others belong to a name


class TextHeader(NamedTuple):
    """A header.

    Attributes:
        is_nrrd: whether it is NRRD's, else MetaImage's.
        fields: the values by key; the keys of NRRD in small letters, without blanks.
        length: its bytes; the voxels follow if they are in the same file.
    """

    is_nrrd: bool
    fields: Mapping[str, str]
    length: int


class Stored(NamedTuple):
    """The bytes of the voxels.

    Attributes:
        name: of their file, by the header; None if they follow the header.
        size: their number, unpacked; 0 if it is not known.
        start: where they begin in the file; -1 if they are at its end.
        packing: "raw", "zlib", "gzip", or another.
        packed_size: their number as packed; 0 if the header does not say it.
        lines: of text before them, from `start` on.
    """

    name: str | None
    size: int
    start: int
    packing: str
    packed_size: int = 0
    lines: int = 0


def text_header(file: str) -> TextHeader | None:
    """The header of a MetaImage or a NRRD, which is read once until the file changes.

    None for what is no file, for another format, or for a MetaImage without an end of its header.

    Raises:
        ValueError: a header is too long, or has axes with which ITK would write beyond its memory.
    """
    return _read(file) if Path(file).is_file() else None


@cached_until_changed
def _read(file: str) -> TextHeader | None:
    """`text_header` of what is a file."""
    with Path(file).open("rb") as content:
        head = content.read(len(NRRD))
        is_nrrd = head == NRRD
        if not (is_nrrd or Path(file).suffix.lower() in META):
            return None
        head += content.read(MOST_HEADER)
    lines = head.split(b"\n")
    header = _nrrd(lines) if is_nrrd else _meta(file, lines)
    if len(head) > MOST_HEADER and (header is None or header.length > len(head)):
        raise ValueError(f"{file} has a header of more than {MOST_HEADER} bytes")
    return header


def stored(header: TextHeader) -> Stored:
    """The bytes of the voxels of a header."""
    return _stored_nrrd(header) if header.is_nrrd else _stored_meta(header)


def _meta(file: str, lines: Sequence[bytes]) -> TextHeader | None:
    """The header of a MetaImage; None if it has no end."""
    fields: dict[str, str] = {}
    length = 0
    for line in lines:
        length += len(line) + 1
        key, *value = re.split("[=:]", os.fsdecode(line), maxsplit=1)  # as the name of a file is decoded
        fields[key.strip()] = "".join(value).strip(BLANKS)
        if key.strip() == AXES and not re.fullmatch("[1-9]", fields[AXES]):  # ITK writes beyond its memory
            raise ValueError(f"{file} has {AXES} {fields[AXES][:MOST_SHOWN]!r}; it must be a whole number from 1 to 9")
        if key.strip() == DATA_FILE:  # there MetaImage's header ends
            return TextHeader(is_nrrd=False, fields=fields, length=length)
    return None


def _nrrd(lines: Sequence[bytes]) -> TextHeader:
    """The header of a NRRD, which ends before an empty line."""
    end = next((number for number, line in enumerate(lines) if line in (b"", b"\r")), len(lines))
    parts = [os.fsdecode(line).partition(":") for line in lines[:end] if not line.startswith(b"#")]
    fields: dict[str, str] = {}
    for key, _, value in parts:
        name = key.strip().lower().replace(" ", "")
        if not value.startswith("=") or name == DATA_FILE_OF_NRRD:  # "KEY:=VALUE" is a remark
            fields[name] = value.strip(BLANKS)
    return TextHeader(is_nrrd=True, fields=fields, length=sum(len(line) + 1 for line in lines[: end + 1]))


def _stored_meta(header: TextHeader) -> Stored:
    """The bytes of the voxels of a MetaImage, where ITK looks for them."""
    fields = header.fields
    local = fields[DATA_FILE].upper() == LOCAL
    element = META_BYTES.get(fields.get("ElementType", "").removeprefix("MET_"), 0)
    sizes, channels = numbers(fields.get("DimSize", "")), numbers(fields.get("ElementNumberOfChannels", "1"))
    before = sum(numbers(fields.get("HeaderSize", "0")))
    packing = "zlib" if _is_true(fields.get("CompressedData", "")) else "raw"
    return Stored(
        name=None if local else fields[DATA_FILE],
        size=math.prod([*sizes, *channels]) * element if sizes and channels else 0,
        start=header.length if local and not before else before,
        packing=packing if _is_true(fields.get("BinaryData", "True")) else "text",
        packed_size=max(sum(numbers(fields.get("CompressedDataSize", "0"))), 0),
    )


def _stored_nrrd(header: TextHeader) -> Stored:
    """The bytes of the voxels of a NRRD."""
    fields = header.fields
    name = fields.get(DATA_FILE_OF_NRRD)
    element = next((size for kind, size in NRRD_BYTES.items() if re.fullmatch(kind, fields.get("type", "").lower())), 0)
    sizes = numbers(fields.get("sizes", ""))
    size = math.prod(sizes) * element if sizes else 0
    lines, skipped = (sum(numbers(fields.get(key, "0"))) for key in ("lineskip", "byteskip"))
    packing = {"gz": "gzip"}.get(encoding := fields.get("encoding", "raw").lower(), encoding)
    start = header.length if name is None else 0
    if packing == "gzip":  # where bytes are passed over after they are unpacked
        return Stored(name, size + skipped if size else 0, start, packing, lines=lines)
    return Stored(name, 0 if lines or skipped else size, start, packing)


def number_in(text: str) -> float:
    """A number, NaN if a text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def numbers(text: str) -> list[int]:
    """Whole numbers in a text, none if it holds something else."""
    parts = text.split()
    return [int(part) for part in parts] if all(re.fullmatch(r"-?\d{1,12}", part) for part in parts) else []


def _is_true(text: str) -> bool:
    """Whether ITK takes a text for true."""
    return text[:1] in ("T", "t", "1")
