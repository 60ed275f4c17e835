"""Intensities: refuses a MetaImage whose header says other values than are read."""

from __future__ import annotations

from calib_monai.text_headers import MOST_SHOWN, number_in, text_header

UNCHANGED = {"ElementToIntensityFunctionSlope": 1.0, "ElementToIntensityFunctionOffset": 0.0}


def check_intensities(file: str) -> None:
    """Raise ValueError if the header of a MetaImage rescales the stored values: ITK reads them as they are stored.

    Args:
        file: of an image, whatever its format.
    """
    header = text_header(file)
    if header is None or header.is_nrrd:
        return
    for key, unchanged in UNCHANGED.items():
        told = header.fields.get(key, "")
        if told and number_in(told) != unchanged:
            raise ValueError(
                f"{file} has {key} {told[:MOST_SHOWN]!r}, which is not read; it must be {unchanged:g}: store the "
                "values themselves"
            )
