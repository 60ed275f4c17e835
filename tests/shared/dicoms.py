"""DICOM files without an image."""

from __future__ import annotations

import struct
from pathlib import Path


def report(path: Path) -> None:
    """A structured report: DICOM without an image."""
    kind = b"1.2.840.10008.5.1.4.1.1.88.11\0"
    meta = struct.pack("<HH2sH", 2, 2, b"UI", len(kind)) + kind
    meta += struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(128) + b"DICM" + length + meta + struct.pack("<HH2sH", 8, 0x60, b"CS", 2) + b"SR")


def without_image(path: Path, kind: str, series: str, before: bytes = b"") -> None:
    """DICOM of a series and a kind that holds nothing of an image; `before` stands before its series."""
    kind_of_file = struct.pack("<HH2sH", 2, 2, b"UI", len(kind)) + kind.encode()
    meta = kind_of_file + struct.pack("<HH2sH", 2, 0x10, b"UI", 20) + b"1.2.840.10008.1.2.1\0"
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta))
    told = struct.pack("<HH2sH", 0x20, 0xE, b"UI", len(series)) + series.encode()
    data = struct.pack("<HH2sHI", 0x29, 0x1010, b"OB", 0, 200) + bytes(200)
    path.write_bytes(bytes(128) + b"DICM" + length + meta + before + told + data)
