"""Rescales: refuses a DICOM series whose headers leave in doubt what its values mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

from calib_monai.dicom import Header
from calib_monai.text_headers import number_in


def check_rescales(name: str, headers: Sequence[Header]) -> None:
    """Raise ValueError if values of slices would be read otherwise than their headers say, or cannot be compared.

    The slope may differ from slice to slice, as in PET. A slice without a rescale among others is refused if the others
    are changed by theirs: its values would be the stored ones.

    Args:
        name: of the series, in messages.
        headers: of its files.
    """
    for header in headers:
        _check_read_as_told(header)
    for tag, unchanged in (("slope", 1.0), ("intercept", 0.0)):
        told = {header.file: getattr(header, tag) for header in headers}
        has = next((file for file, text in told.items() if text and float(text) != unchanged), None)
        lacks = next((file for file, text in told.items() if not text), None)
        if has and lacks:
            raise ValueError(
                f"{lacks} has no Rescale{tag.capitalize()}, and {has} of its series has {told[has]}; all slices must "
                "have it, because values without it are others"
            )
    for tag, keyword in (("signed", "PixelRepresentation"), ("units", "Units")):
        files = dict[str, str]()
        for header in headers:
            if value := getattr(header, tag):
                files.setdefault(value, header.file)
        if len(files) > 1:
            shown = " and ".join(f"{file} ({value})" for value, file in [*files.items()][:2])
            raise ValueError(f"{name} holds slices of two kinds of values ({keyword}): {shown}")


def _check_read_as_told(header: Header) -> None:
    """Raise ValueError if a file says other values than ITK reads."""
    if header.has_table:
        raise ValueError(
            f"{header.file} gives its values by a table (ModalityLUTSequence), which is not read; it must give them by "
            "RescaleSlope and RescaleIntercept"
        )
    if header.slope and not (math.isfinite(slope := number_in(header.slope)) and slope):
        raise ValueError(f"{header.file} has RescaleSlope {header.slope!r}; it must be a number other than 0")
    if header.intercept and not math.isfinite(number_in(header.intercept)):
        raise ValueError(f"{header.file} has RescaleIntercept {header.intercept!r}; it must be a number")
