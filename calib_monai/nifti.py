"""NIfTI: a compressed file is read to its end, where its checksum is."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import nibabel
from monai.data import NibabelReader
from monai.data.utils import correct_nifti_header_if_necessary
from monai.utils import ensure_tuple

BYTES_AT_A_TIME = 2**20


class WholeNiftiReader(NibabelReader):
    """MONAI's reader of NIfTI, which refuses compressed voxels that are not as they were written.

    nibabel stops after the last voxel, so that nothing compares the checksum. Here the rest is read too, which takes
    no time: it is a few bytes, and the checksum is computed anyway.
    """

    def read(self, data: Any, **options: Any) -> Any:
        """The image, or a list of several, whose voxels are not read yet.

        Args:
            data: the path of a file, or several.
            options: of `nibabel.load`.
        """
        self.filenames = ensure_tuple(data)
        opened = [_opened(str(file), options) for file in self.filenames]
        images = [correct_nifti_header_if_necessary(image) for image in opened]  # type: ignore[no-untyped-call]
        return images if len(images) > 1 else images[0]

    def get_data(self, img: Any) -> tuple[Any, dict[str, Any]]:
        """The voxels and what the header says.

        Raises:
            ValueError: a file ends before its voxels, or its checksum does not hold.
        """
        try:
            voxels: tuple[Any, dict[str, Any]] = super().get_data(img)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{', '.join(map(str, self.filenames))} is damaged: {error}") from None
        for image in ensure_tuple(img):
            stream = image.dataobj.file_like
            if isinstance(stream, gzip.GzipFile):
                _read_on(stream)
        return voxels


def _opened(file: str, options: dict[str, Any]) -> Any:
    """The image of a file, on a stream that stays open where it is compressed."""
    image: Any = nibabel.load(file, **options)
    # `_read_on` closes the stream.
    return type(image).from_stream(gzip.open(file)) if file.lower().endswith(".gz") else image


def _read_on(stream: gzip.GzipFile) -> None:
    """Read a stream to its end and close it; ValueError if that is not as it was written."""
    try:
        with stream:
            while stream.read(BYTES_AT_A_TIME):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{stream.name} is damaged: {error}") from None
