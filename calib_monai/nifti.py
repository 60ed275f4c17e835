"""NIfTI: a compressed file is read to its end, where its checksum is."""

from __future__ import annotations

import gzip
import zlib
from contextlib import ExitStack
from typing import Any

from monai.data import NibabelReader
from monai.utils import ensure_tuple

BYTES_AT_A_TIME = 2**20


class WholeNiftiReader(NibabelReader):
    """MONAI's reader of NIfTI, which refuses compressed voxels that are not as they were written.

    nibabel stops after the last voxel, so that nothing compares the checksum. Here the rest is read too, which takes
    no time: it is a few bytes, and the checksum is computed anyway.
    """

    def get_data(self, img: Any) -> tuple[Any, dict[str, Any]]:
        """The voxels and what the header says, of the image that `read` gave or a list of several.

        Raises:
            ValueError: a file ends before its voxels, or its checksum does not hold.
        """
        with ExitStack() as streams:
            for image in ensure_tuple(img):
                _put_on_stream(image, streams)
            try:
                voxels: tuple[Any, dict[str, Any]] = super().get_data(img)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise ValueError(f"{', '.join(map(str, self.filenames))} is damaged: {error}") from None
            for image in ensure_tuple(img):
                if isinstance(image.dataobj.file_like, gzip.GzipFile):
                    _read_on(image.dataobj.file_like)
        return voxels


def _put_on_stream(image: Any, streams: ExitStack) -> None:
    """Have the voxels of a compressed image read from a stream of its own, until `streams` are closed."""
    file = str(image.dataobj.file_like)
    if file.lower().endswith(".gz"):
        image.dataobj.file_like = streams.enter_context(gzip.open(file))
        streams.callback(setattr, image.dataobj, "file_like", file)


def _read_on(stream: gzip.GzipFile) -> None:
    """Read a stream to its end; ValueError if that is not as it was written."""
    try:
        while stream.read(BYTES_AT_A_TIME):
            pass
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{stream.name} is damaged: {error}") from None
