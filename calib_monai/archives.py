"""Archives: how much the arrays of an `.npz` take once they are unpacked, before they are."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

MIB = 2**20


def check_unpacked(path: str | Path, most: int) -> None:
    """Raise ValueError if the files in an archive unpack to more than `most` bytes together.

    A file that unpacks to more than its archive says is cut there by Python, and its checksum does not hold.

    Raises:
        OSError: it cannot be read.
        BadZipFile: it is no archive.
    """
    with ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise ValueError(f"it unpacks to {size / MIB:.0f} MiB; it may have {most / MIB:.0f}")
