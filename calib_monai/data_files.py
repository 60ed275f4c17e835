"""Data files: the header of an image may name another file for its voxels, which must be its own and whole."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

MOST_HEADER = 2**20  # bytes
META = (".mhd", ".mha")
NRRD, HDF5 = b"NRRD000", b"\x89HDF\r\n\x1a\n"
AXES, DATA_FILE, LOCAL = "NDims", "ElementDataFile", "LOCAL"  # the voxels follow in the same file
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
SEVERAL_OF_META = re.compile("LIST|.*%")  # names that MetaImage and NRRD take for several files
SEVERAL_OF_NRRD = re.compile(r"(SKIP)?LIST|.*%\d*[du]")
RULE = "a header may name one file for its voxels, which lies in its own folder or below"


def check_regular(file: str) -> None:
    """Raise ValueError if a path is a pipe, a socket or a device: reading it would wait, or never end."""
    try:
        mode = Path(file).stat().st_mode
    except (OSError, ValueError):  # the reader says what is wrong
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{file} is no regular file: a pipe, a socket or a device is not read")


def check_data_file(file: str) -> None:
    """Raise ValueError if an image takes its voxels from a file that is not its own.

    A MetaImage (.mhd, .mha) and a NRRD may name a file for their voxels. It must be a regular file in the folder of the
    header, or below, also where it is a link; uncompressed, it must have the size that the header promises. Lists of
    files and HDF5, which may link to other files, are refused.

    Args:
        file: of an image, whatever its format.
    """
    check_regular(file)
    path = Path(file)
    if not path.is_file():
        return
    with path.open("rb") as content:
        start = content.read(len(HDF5))
        if start == HDF5:
            raise ValueError(f"{file} is HDF5, which may take its voxels from other files: save it as .nii.gz or .nrrd")
        if not (start.startswith(NRRD) or path.suffix.lower() in META):
            return
        head = start + content.read(MOST_HEADER)
        is_cut = len(head) > MOST_HEADER
    if start.startswith(NRRD):
        header, end, _ = head.replace(b"\r\n", b"\n").partition(b"\n\n")
        if is_cut and not end:
            raise ValueError(f"{file} has a header of more than {MOST_HEADER} bytes")
        _check_nrrd(path, [os.fsdecode(line) for line in header.split(b"\n")])
        return
    fields: dict[str, str] = {}
    for line in head.split(b"\n"):
        key, *value = re.split("[=:]", os.fsdecode(line), maxsplit=1)  # as the name of a file is decoded
        fields[key.strip()] = "".join(value).strip(BLANKS)
        if key.strip() == AXES and not re.fullmatch("[1-9]", fields[AXES]):  # ITK writes beyond its memory
            raise ValueError(f"{file} has {AXES} {fields[AXES][:MOST_SHOWN]!r}; it must be a whole number from 1 to 9")
        if key.strip() == DATA_FILE:  # there MetaImage's header ends
            _check_meta(path, fields)
            return
    if is_cut:
        raise ValueError(f"{file} has a header of more than {MOST_HEADER} bytes")


def _check_meta(path: Path, fields: Mapping[str, str]) -> None:
    """Raise ValueError if the header of a MetaImage, by its keys, names a file that is not its own."""
    name = fields[DATA_FILE]
    if name.upper() == LOCAL:
        return
    _check_one(path, name, SEVERAL_OF_META)
    element = META_BYTES.get(fields.get("ElementType", "").removeprefix("MET_"), 0)
    sizes = _numbers(fields.get("DimSize", ""))
    channels = _numbers(fields.get("ElementNumberOfChannels", "1"))
    size = math.prod([*sizes, *channels]) * element if sizes and channels else 0
    _check_own(path, name, size, _numbers(fields.get("HeaderSize", "0")), fields.get("CompressedData", "").lower())


def _check_nrrd(path: Path, header: Sequence[str]) -> None:
    """Raise ValueError if the header of a NRRD, line by line, names a file that is not its own."""
    lines = (line.partition(":") for line in header if not line.startswith("#"))
    fields = {key.strip().lower().replace(" ", ""): value.strip(BLANKS) for key, _, value in lines}
    name = fields.get("datafile")
    if name is None:
        return
    _check_one(path, name, SEVERAL_OF_NRRD)
    element = next((size for kind, size in NRRD_BYTES.items() if re.fullmatch(kind, fields.get("type", "").lower())), 0)
    sizes = _numbers(fields.get("sizes", ""))
    compressed = "false" if fields.get("encoding", "raw").lower() == "raw" else "true"
    skipped = any(fields.get(key, "0") != "0" for key in ("lineskip", "byteskip"))
    _check_own(path, name, 0 if skipped else math.prod(sizes) * element, [0], compressed)


def _check_one(path: Path, name: str, several: re.Pattern[str]) -> None:
    """Raise ValueError if what a header names is no file, or if `several` says that it stands for many."""
    if not name or "\0" in name:
        raise ValueError(f"{path} takes its voxels from {_shown(name)}; {RULE}")
    if several.match(name):
        raise ValueError(f"{path} takes its voxels from {_shown(name)}, which stands for several files; {RULE}")


def _check_own(path: Path, name: str, size: int, before: list[int], compressed: str) -> None:
    """Raise ValueError if the file for the voxels of a header is not its own, or not of the promised size.

    Args:
        path: of the header.
        name: that it gives.
        size: bytes of the voxels, 0 if it is not known.
        before: bytes of the file before its voxels, -1 where these are at its end.
        compressed: "true" if the voxels are compressed.
    """
    folder, shown = path.parent.resolve(), _shown(name)
    data = (path.parent / name).resolve()
    if Path(name).is_absolute() or not data.is_relative_to(folder):
        raise ValueError(f"{path} takes its voxels from {shown}, {data}; {RULE}")
    if not data.is_file():
        raise ValueError(f"{path} takes its voxels from {shown}, which is no regular file there")
    there = data.stat().st_size
    if size and compressed != "true" and (there < size if -1 in before else there != size + sum(before)):
        raise ValueError(f"{path} promises {size} bytes of voxels, and its file {shown} has {there}")


def _shown(name: str) -> str:
    """The name of a file in quotes, cut if it is long."""
    return repr(name if len(name) < MOST_SHOWN else f"{name[:MOST_SHOWN]}...")


def _numbers(text: str) -> list[int]:
    """Whole numbers in a text, none if it holds something else."""
    parts = text.split()
    return [int(part) for part in parts] if all(re.fullmatch(r"-?\d{1,12}", part) for part in parts) else []
