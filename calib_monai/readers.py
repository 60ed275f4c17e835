"""Readers: names the reader of a file by its format, so that no other package that is installed changes an image."""

from __future__ import annotations

from monai.data import ImageReader, ITKReader

from calib_monai.headers import ITK_SUFFIXES, is_nifti
from calib_monai.nifti import WholeNiftiReader


def reader_of(file: str) -> ImageReader | None:
    """The reader of a file: nibabel's of NIfTI, ITK's of NRRD and MetaImage, None where MONAI chooses.

    Args:
        file: its path; only the name counts.
    """
    if is_nifti(file):
        return WholeNiftiReader()
    return ITKReader() if file.lower().endswith(ITK_SUFFIXES) else None
