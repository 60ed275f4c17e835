"""Packed voxels: those of a compressed MetaImage or NRRD are as they were written, or the file is refused."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from calib_monai.text_headers import Stored, stored, text_header

PIECE, UNPACKED = 2**16, 2**18  # bytes that are read, and unpacked, at once
ZLIB_OR_GZIP = 47  # of zlib: both are unpacked, as ITK does


def check_packed(file: str) -> None:
    """Raise ValueError if the compressed voxels of a MetaImage or NRRD are damaged, or fewer or more than promised.

    ITK gives what it could unpack, and says nothing. Here they are unpacked to their end, where a checksum is, in
    pieces that take no memory.

    Args:
        file: of an image, whatever its format, that `calib_monai.data_files.check_data_file` has passed.
    """
    header = text_header(file)
    voxels = stored(header) if header else None
    if voxels is None or voxels.packing not in ("zlib", "gzip"):
        return
    if voxels.packing == "zlib" and voxels.start and not voxels.packed_size:  # ITK would unpack the header
        raise ValueError(f"{file} is compressed and has no CompressedDataSize; it must have one: save the image again")
    try:
        unpacked = _unpacked_size(Path(file).parent / (voxels.name or Path(file).name), voxels)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is damaged: its voxels cannot be unpacked, {error}") from None
    if voxels.size and unpacked != voxels.size:
        held = f"only {unpacked}" if unpacked < voxels.size else "more"
        raise ValueError(f"{file} is damaged: it promises {voxels.size} bytes of voxels, and unpacks to {held}")


def _unpacked_size(path: Path, voxels: Stored) -> int:
    """The bytes that the voxels in a file unpack to; reading stops where these are too many."""
    unpacked = 0
    with path.open("rb") as stream:
        for piece in _pieces(stream, voxels):
            unpacked += piece
            if unpacked > voxels.size > 0:
                break
    return unpacked


def _pieces(stream: BinaryIO, voxels: Stored) -> Iterator[int]:
    """The lengths of the unpacked pieces of a file.

    Raises:
        OSError: gzip's checksum does not hold.
        EOFError: the file ends before its voxels.
        zlib.error: it cannot be unpacked, or zlib's checksum does not hold.
    """
    stream.seek(max(voxels.start, 0))
    for _ in range(voxels.lines):
        if not stream.readline():
            break
    if voxels.packing == "gzip":
        with gzip.GzipFile(fileobj=stream) as unpacked:
            while piece := unpacked.read(UNPACKED):
                yield len(piece)
        return
    left = voxels.packed_size or Path(stream.name).stat().st_size
    unpacker = zlib.decompressobj(ZLIB_OR_GZIP)
    while not unpacker.eof:
        packed = unpacker.unconsumed_tail
        if not packed:
            packed = stream.read(min(PIECE, left))
            left -= len(packed)
        piece = unpacker.decompress(packed, UNPACKED)
        if not packed and not piece:
            raise EOFError("they end before their checksum")
        yield len(piece)
