"""DICOM inputs: the series below a folder become cases, named by patient and number of the series."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from calib_monai.datalists.splits import Case
from calib_monai.dicom import SAME, DicomFiles, Header, is_dicom, sorted_into_series
from calib_monai.dicom_lengths import is_deflated, series_of
from calib_monai.path_options import check_searched
from calib_monai.series import far_apart

LONGEST_NAME = 80
MOST_BESIDE = 20_000  # files in the folders beside that of a file
READABLE = os.R_OK | os.X_OK

# folder, slices and damaged files of a series; is it the only one?
SeriesInFolder = tuple[Path, list[Header], list[str], bool]

logger = logging.getLogger(__name__)


def dicom_cases(
    path: Path, others: Sequence[str] = (), taken: Iterable[str] = (), most: int | None = None
) -> list[Case]:
    """A case `{"image": folder or files, "case": name}` for each DICOM series at a path, in the order of their folders.

    Files are recognized by their content, at any depth. Reports, localizers and similar files are skipped with a
    warning. The image is the folder if it holds one series, else the files of the series. A series in several folders
    is one case. A single file stands for its series in its folder and the folders beside it.

    The case is called PATIENT_NUMBER, or named after its folder if the file names no patient. If two names are equal, a
    number is added.

    Args:
        path: a file or a folder.
        others: suffixes of other formats, whose files are not opened.
        taken: names of other cases.
        most: number of files in a folder and its folders, None for any.

    Raises:
        ValueError: a folder as `check_searched` refuses it.
    """
    found_in = [(folder, sorted_into_series(files)) for folder, files in _by_folder(path, others, most)]
    _tell_passed_over([found for _, found in found_in])
    series: list[SeriesInFolder] = []
    strays: dict[str, str] = {}  # damaged files of series of which nothing else lies in their folders
    for folder, found in found_in:
        alone = len(found.series) == 1
        series.extend((folder, one, found.damaged_of({one[0].series}), alone) for one in found.series)
        strays |= {file: of for file, of in found.damaged.items() if of not in found.identifiers | {""}}
    names = {name.casefold() for name in taken}
    cases: list[Case] = []
    for folder, headers, damaged, whole in _joined(series):
        stray = [file for file, of in strays.items() if of == headers[0].series]
        alone = whole and not stray
        slices = [*(header.file for header in headers), *damaged, *stray]
        if path.is_file() and str(path) not in slices:
            continue
        name = _distinct(case_name(headers[0], folder), names)
        names.add(name.casefold())
        cases.append({"image": str(folder) if alone else slices if len(slices) > 1 else slices[0], "case": name})
        logger.info("%s is series %s (%s) in %s", name, headers[0].number or "?", headers[0].title, folder)
        if far := far_apart(headers):
            logger.warning("%s may lack slices: %s", name, far)
    return cases


def _tell_passed_over(found: Sequence[DicomFiles]) -> None:
    """Warn of the files that are not read, with the reason: those that spoil no series."""
    known = set[str]().union(*(one.identifiers for one in found))
    for one in found:
        reasons = dict(one.passed_over)
        for file, series in one.damaged.items():
            other = "no image can be read in it, and it is of another series"
            if not (series in known if series else one.series):
                unknown = "it is deflated" if is_deflated(file) else "it is damaged, or no DICOM inside"
                reasons[file] = other if series and known else unknown
        for file, reason in reasons.items():
            logger.warning("skipped: %s: %s", file, reason)


def case_name(header: Header, folder: Path) -> str:
    """PATIENT_NUMBER of a series, or FOLDER_NUMBER without a patient, in characters that a file's name may have."""
    told = (header.patient or folder.resolve().name, header.number)
    parts = (re.sub(r"[^\w.-]+", "_", part).strip("._-") for part in told)
    return "_".join(part for part in parts if part)[:LONGEST_NAME] or "series"


def _distinct(name: str, names: set[str]) -> str:
    """The name, with a number if it is already taken (capitals do not matter)."""
    number, told = 1, name
    while told.casefold() in names:
        number += 1
        told = f"{name}_{number}"
    return told


def _by_folder(root: Path, others: Sequence[str], most: int | None) -> Iterator[tuple[Path, list[Path]]]:
    """The DICOM files of each folder below a root, without hidden files; each link is followed once.

    If the root is a DICOM file, these are the files of its folder, and those of its series in folders beside it.
    """
    if root.is_file():
        if not root.name.lower().endswith(tuple(others)) and is_dicom(root):
            yield root.parent, _shown(root.parent, others)
            yield from _beside(root, others)
        return
    seen: set[Path] = set()
    count = 0
    for folder, folders, names in os.walk(root, followlinks=True):
        count += len(names)
        check_searched(root, most, count)
        here = Path(folder).resolve()
        if here in seen:
            folders.clear()
            continue
        seen.add(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = _shown(Path(folder), others)
        if files:
            yield Path(folder), files


def _shown(folder: Path, others: Sequence[str]) -> list[Path]:
    """The DICOM files of a folder in the order of their names, without hidden files and files of other formats."""
    files = [file for file in sorted(folder.iterdir()) if not file.name.startswith(".")]
    return [file for file in files if not file.name.lower().endswith(tuple(others)) and is_dicom(file)]


def _beside(file: Path, others: Sequence[str]) -> Iterator[tuple[Path, list[Path]]]:
    """The files of a file's series in the folders beside its own; warn if these are too many to be searched."""
    series, own = series_of(file), file.parent.resolve()
    if not series or own.parent == Path("/") or not os.access(own.parent, READABLE):  # not the folders of the system
        return
    count = 0
    for folder in sorted(own.parent.iterdir()):
        if folder.name.startswith(".") or not os.access(folder, READABLE) or not folder.is_dir():
            continue
        if folder.resolve() == own:
            continue
        count += sum(1 for _ in os.scandir(folder))
        if count > MOST_BESIDE:
            logger.warning(
                "%s: its series may go on in other folders; those in %s hold more than %d files, and not all were "
                "searched: name the folder with the whole series",
                *(file, own.parent, MOST_BESIDE),
            )
            return
        there = _by_series(folder, folder.stat().st_mtime_ns, tuple(others))
        if series in there:
            yield folder, sorted([*there[series], *there.get("", [])])


@lru_cache(maxsize=10_000)
def _by_series(folder: Path, _changed: int, others: tuple[str, ...]) -> dict[str, list[Path]]:
    """The DICOM files of a folder by their series, remembered until the folder changes."""
    found: dict[str, list[Path]] = {}
    for file in _shown(folder, others):
        found.setdefault(series_of(file), []).append(file)
    return found


def _joined(
    series: Iterable[SeriesInFolder],
) -> list[SeriesInFolder]:
    """The series, with parts of one series in several folders joined if patient and grid agree and places differ."""
    joined: list[SeriesInFolder] = []
    for part in series:
        folder, headers, damaged, _ = part
        place = next((at for at, (_, other, _, _) in enumerate(joined) if _continues(headers, other)), None)
        if place is None:
            joined.append(part)
        else:
            first, other, others_damaged, _ = joined[place]
            logger.info("series %s lies in %s and %s; it is one case", headers[0].number or "?", first, folder)
            joined[place] = (first, [*other, *headers], [*others_damaged, *damaged], False)
    return joined


def _continues(one: list[Header], other: list[Header]) -> bool:
    """Whether two lists of slices belong to one series and have no place twice."""
    first, second = one[0], other[0]
    if (first.series, first.patient, first.size) != (second.series, second.patient, second.size) or not first.series:
        return False
    studies = [{header.study for header in part} for part in (one, other)]
    if len(studies[0]) == len(studies[1]) == 1 and studies[0] != studies[1]:  # examinations of one patient
        return False
    if any(header.position is None for header in (*one, *other)) or np.abs(first.normal - second.normal).max() > SAME:
        return False
    places = [np.array([header.place @ first.normal for header in part]) for part in (one, other)]
    return bool(np.abs(np.subtract.outer(*places)).min() > SAME)
