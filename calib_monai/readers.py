"""Readers: names the reader of a file by its format, so that no other package that is installed changes an image."""

from __future__ import annotations

from typing import Any

import itk
from monai.data import ImageReader, ITKReader
from monai.utils import ensure_tuple

from calib_monai.headers import ITK_SUFFIXES, is_nifti
from calib_monai.nifti import WholeNiftiReader

MOST_AXES = 4  # of an image that ITK's Python can hold


class FloatReader(ITKReader):
    """MONAI's reader of NRRD and MetaImage, for every type of real numbers and any number of channels.

    ITK's Python has no image of signed bytes or of whole numbers of 64 bits, and few of several channels. This reader
    takes voxels as float32, which MONAI makes of all images anyway. Whole numbers up to 2^24 are exact.
    """

    def read(self, data: Any, **kwargs: Any) -> Any:
        """ITK's image of a file, or a list of the images of several files.

        Args:
            data: the path, or several paths.
            kwargs: of `itk.imread`.

        Raises:
            ValueError: an image has more than four axes.
        """
        images = [
            itk.imread(file, **{"pixel_type": _pixel_type(file), **kwargs}) for file in map(str, ensure_tuple(data))
        ]
        return images if len(images) > 1 else images[0]


def reader_of(file: str) -> ImageReader | None:
    """The reader of a file: nibabel's of NIfTI, ITK's of NRRD and MetaImage, None where MONAI chooses.

    Args:
        file: its path; only the name counts.
    """
    if is_nifti(file):
        return WholeNiftiReader()
    return FloatReader() if file.lower().endswith(ITK_SUFFIXES) else None


def _pixel_type(file: str) -> Any:
    """ITK's type for the voxels of a file: float32, in each of its channels."""
    header = itk.ImageIOFactory.CreateImageIO(file, itk.CommonEnums.IOFileMode_ReadMode)
    if header is None:  # `itk.imread` says what is wrong
        return itk.F
    header.SetFileName(file)
    header.ReadImageInformation()
    axes = header.GetNumberOfDimensions()
    if axes > MOST_AXES:
        raise ValueError(f"{file} has {axes} axes; it must have at most {MOST_AXES}: of space, and of channels")
    return itk.F if header.GetNumberOfComponents() == 1 else itk.VariableLengthVector[itk.F]
