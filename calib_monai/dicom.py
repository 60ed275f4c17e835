"""DICOM: recognizes files by their content, sorts them into series, and finds files that are not volumes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import itk
import numpy as np
from numpy.typing import NDArray

from calib_monai.dicom_lengths import MAGIC, MAGIC_AT, has_element, is_readable, series_of
from calib_monai.file_cache import cached_until_changed

SUFFIXES = (".dcm", ".dicom", ".ima")
STORAGE = "1.2.840.10008.5.1.4.1.1."
NO_VOLUMES = {
    f"{STORAGE}4.2": "spectra",
    f"{STORAGE}9.": "a waveform",
    f"{STORAGE}11.": "a presentation state",
    f"{STORAGE}66": "raw data, a registration or a segmentation",
    f"{STORAGE}67": "a mapping of values",
    f"{STORAGE}88.": "a report",
    f"{STORAGE}104.": "a document",
    f"{STORAGE}481.": "an object of radiotherapy",
    "1.2.840.10008.1.3.10": "an index",
    "1.2.840.10008.5.1.4.38.": "a hanging protocol",
    "1.3.12.2.1107.5.9.1": "data of Siemens without an image",
}
SCREENSHOT = f"{STORAGE}7"
TABLE = (0x28, 0x3000)  # ModalityLUTSequence
SAME = 1e-3  # by which directions, and sizes in mm, may differ
ALONG = 0.9  # cosine of the angle between slices from which they are of one stack


@dataclass(frozen=True)
class Header:
    """The header of one file.

    Attributes:
        file: its path.
        study: unique identifier of its examination, empty where there is none.
        series: unique identifier of its series.
        frame: unique identifier of the space in which it has its place, empty where there is none.
        patient: name of the patient in the hospital's system, empty where there is none.
        number: of the series, empty where there is none.
        title: of the series.
        kind: identifier of what the file holds.
        image_type: words such as LOCALIZER.
        size: columns, rows and frames.
        index: number of the slice in its series, None where there is none.
        spacing: distance of columns and of rows, and the thickness of a slice, in mm; 0 where it does not say.
        apart: distance of slices in mm, 0 where it does not say.
        position: place of the first pixel in mm, or None.
        directions: of rows and columns, (6,), or None.
        colors: numbers in a pixel.
        white_is_0: whether a viewer is to show small values as white.
        slope: by which stored values are multiplied, as text, empty where it does not say.
        intercept: that is added to them then, as text, empty where it does not say.
        signed: whether stored values have a sign, "1" or "0", empty where it does not say.
        units: of the values of PET, empty where it does not say.
        has_table: whether a table says what stored values mean.
    """

    file: str
    study: str
    series: str
    frame: str
    patient: str
    number: str
    title: str
    kind: str
    image_type: str
    index: float | None
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    apart: float
    position: tuple[float, ...] | None
    directions: tuple[float, ...] | None
    colors: int
    white_is_0: bool
    slope: str
    intercept: str
    signed: str
    units: str
    has_table: bool

    @property
    def normal(self) -> NDArray[np.float64]:
        """The direction across the slice, (3,); zeros where it does not say."""
        if self.directions is None:
            return np.zeros(3)
        across = np.cross(self.directions[:3], self.directions[3:])
        length = np.linalg.norm(across)
        return across / length if length else across

    @property
    def place(self) -> NDArray[np.float64]:
        """The place of the first pixel in mm, (3,); NaN where it does not say."""
        return np.array(self.position or (np.nan,) * 3)


@dataclass
class DicomFiles:
    """DICOM files by kind: series of volumes, other files with the reason, and files in which no image can be read.

    Attributes:
        series: the headers of each series.
        passed_over: reasons, by file.
        damaged: the identifiers of their series, by file, "" where a file does not say.
    """

    series: list[list[Header]] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    @property
    def identifiers(self) -> set[str]:
        """Those of the series of volumes."""
        return {headers[0].series for headers in self.series}

    def damaged_of(self, identifiers: set[str]) -> list[str]:
        """Files that may be damaged slices of series: those of the series, and those that do not say theirs."""
        return [file for file, series in self.damaged.items() if series in identifiers | {""}]


def is_dicom(path: str | Path) -> bool:
    """Whether a file is DICOM by its content, or promises to be by its suffix."""
    file = Path(path)
    try:
        if not file.is_file():
            return False
        if file.suffix.lower() in SUFFIXES:
            return True
        with file.open("rb") as content:
            if content.read(MAGIC_AT + len(MAGIC))[MAGIC_AT:] == MAGIC:
                return True
    except OSError:
        return False
    if file.suffix and not file.suffix[1:].isdigit():
        return False
    # A file that is named by an identifier may lack the magic.
    return is_readable(file) and bool(itk.GDCMImageIO.New().CanReadFile(str(file)))


def sorted_into_series(files: Iterable[str | Path]) -> DicomFiles:
    """DICOM files by series, in the order of the files; localizers, reports and similar files are skipped.

    Series of two examinations are two, also where they have one identifier.
    Slices that lie across most others of their series are skipped, too. If no direction has a majority, all are
    skipped.
    """
    found, groups = DicomFiles(), dict[str, list[Header]]()
    for file in map(str, files):
        header = header_of(file)
        kind = header.kind if header else _stored_kind(file)
        reason = next((reason for start, reason in NO_VOLUMES.items() if kind.startswith(start)), None)
        if header and kind.startswith(SCREENSHOT) and header.position is None:
            reason = "a screenshot"
        if reason:
            found.passed_over[file] = f"it is {reason}"
        elif header is None:
            found.damaged[file] = series_of(file)
        else:
            groups.setdefault(header.series, []).append(header)
    for headers in chain.from_iterable(map(_by_study, groups.values())):
        slices = []
        for header in headers:
            if "LOCALIZER" in header.image_type.upper():
                found.passed_over[header.file] = "it is a localizer"
            else:
                slices.append(header)
        stack = _stack(slices)
        reason = "it is not parallel to the other slices" if stack else "the slices of its series are not parallel"
        stacked = {header.file for header in stack}
        found.passed_over |= {header.file: reason for header in slices if header.file not in stacked}
        if stack:
            found.series.append(stack)
    return found


def _by_study(headers: list[Header]) -> list[list[Header]]:
    """The headers of a series, by examination; all together if each file names its own, as ITK writes slices."""
    studies = {header.study for header in headers if header.study}
    if len(studies) in (0, 1, len(headers)):
        return [headers]
    return [
        [header for header in headers if header.study == study] for study in dict.fromkeys(h.study for h in headers)
    ]


def _stack(headers: list[Header]) -> list[Header]:
    """The slices with the direction of the majority; none if no direction has a majority.

    A slice without a direction counts as parallel.
    """
    for one in headers:
        along = [header for header in headers if not header.normal.any() or abs(header.normal @ one.normal) > ALONG]
        if len(along) * 2 > len(headers):
            return along
    return []


@cached_until_changed
def header_of(file: str) -> Header | None:
    """The header of a file, None if ITK finds no image in it."""
    if not is_readable(file):
        return None
    reader = itk.GDCMImageIO.New()
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    tags = _Tags(reader.GetMetaDataDictionary())
    apart, thick = (abs((tags.numbers(tag, 1) or (0.0,))[0]) for tag in ("0018|0088", "0018|0050"))
    index, frames = tags.numbers("0020|0013", 1), tags.numbers("0028|0008", 1)
    return Header(
        file,
        study=tags.text("0020|000d"),
        series=tags.text("0020|000e"),
        frame=tags.text("0020|0052"),
        patient=tags.text("0010|0020"),
        number=tags.text("0020|0011"),
        title=tags.text("0008|103e"),
        kind=tags.text("0008|0016"),
        image_type=tags.text("0008|0008"),
        index=index[0] if index else None,
        size=(reader.GetDimensions(0), reader.GetDimensions(1), int(frames[0]) if frames else 1),
        spacing=(*_across(tags), thick or apart),
        apart=apart,
        position=tags.numbers("0020|0032", 3),
        directions=tags.numbers("0020|0037", 6),
        colors=reader.GetNumberOfComponents(),
        white_is_0=tags.text("0028|0004") == "MONOCHROME1",
        slope=tags.text("0028|1053"),
        intercept=tags.text("0028|1052"),
        signed=tags.text("0028|0103"),
        units=tags.text("0054|1001"),
        has_table=has_element(file, TABLE),
    )


class _Tags:
    """The values of a header by "GROUP|ELEMENT", from ITK's dictionary."""

    def __init__(self, dictionary: Any) -> None:
        self.dictionary = dictionary

    def text(self, tag: str) -> str:
        """A value as text, "" if there is none."""
        return str(self.dictionary[tag]).strip(" \0") if self.dictionary.HasKey(tag) else ""

    def numbers(self, tag: str, count: int) -> tuple[float, ...] | None:
        """A value as so many finite numbers, None if it is something else."""
        try:
            values = tuple(float(value) for value in self.text(tag).split("\\"))
        except ValueError:
            return None
        return values if len(values) == count and np.isfinite(values).all() else None


def _across(tags: _Tags) -> tuple[float, float]:
    """The distance of columns and of rows in mm, 0 where a header does not say it.

    It is PixelSpacing, or where that is missing ImagerPixelSpacing, whatever the file holds: ITK looks at one of them
    by what the file holds, and takes 1 mm for what is not there. Both tags name the distance of rows first.
    """
    tag = "0028|0030" if tags.text("0028|0030") else "0018|1164"
    rows, columns = tags.numbers(tag, 2) or (0.0, 0.0)
    return (columns, rows) if min(rows, columns) > 0 else (0.0, 0.0)


def _stored_kind(file: str) -> str:
    """The identifier of a file's content, read from its first bytes; "" if they hold none."""
    with Path(file).open("rb") as content:
        found = re.search(rb"\x02\x00\x02\x00UI..([0-9.]+)", content.read(1024), re.DOTALL)
    return found[1].decode("ascii") if found else ""
