"""NIfTI: a compressed file is read to its end, where its checksum is."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from monai.data import NibabelReader
from monai.utils import ensure_tuple

MOST_BEHIND = 2**20  # bytes after the last voxel


class WholeNiftiReader(NibabelReader):
    """MONAI's reader of NIfTI, which also refuses a compressed file whose checksum does not hold.

    nibabel stops after the last voxel, before the checksum is compared. This reader reads the last few bytes, too,
    which takes no time.
    """

    def get_data(self, img: Any) -> tuple[Any, dict[str, Any]]:
        """The voxels and what the header says, of the image that `read` gave or a list of several.

        Raises:
            ValueError: a file ends before its voxels, or its checksum does not hold.
        """
        with ExitStack() as streams:
            for image in ensure_tuple(img):
                streams.enter_context(_on_stream(image))
            try:
                voxels: tuple[Any, dict[str, Any]] = super().get_data(img)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise ValueError(f"{', '.join(map(str, self.filenames))} is damaged: {error}") from None
            for image in ensure_tuple(img):
                if isinstance(image.dataobj.file_like, gzip.GzipFile):
                    _read_on(image.dataobj.file_like)
        return voxels


@contextmanager
def _on_stream(image: Any) -> Iterator[None]:
    """Have the voxels of a compressed image read from a stream of its own."""
    file = str(image.dataobj.file_like)
    if not file.lower().endswith(".gz"):
        yield
        return
    with gzip.open(file) as stream:
        image.dataobj.file_like = stream
        try:
            yield
        finally:
            image.dataobj.file_like = file


def _read_on(stream: gzip.GzipFile) -> None:
    """Read a stream to its end; ValueError if that is not as it was written, or far behind the voxels."""
    try:
        if stream.read(MOST_BEHIND) and stream.read(1):
            raise ValueError(f"{stream.name} is damaged: it unpacks to more than its header says")
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{stream.name} is damaged: {error}") from None
