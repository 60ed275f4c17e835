"""Same files: finds images that are stored twice, so that a split can keep them together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

from scipy.cluster.hierarchy import DisjointSet

from calib_monai.datalists.splits import Case, patient_of

SAMPLE = 2**16  # bytes in the middle of a file


def with_copies_together(cases: Sequence[Case]) -> list[Case]:
    """The cases; patients with the same image file, byte for byte, get a common "patient", the first by name.

    Training then sees no image that is tested. A warning of the check of all files names the copies.

    Args:
        cases: cases with a name under "case" and the path of a file, or of one for each channel, under "image". Other
            images, such as folders of DICOM, are not compared, nor are empty files.
    """
    alike = [[case for case in cases if all(file.is_file() and _size(file) for file in _files(case))]]
    for told_by in (_size, _middle, _digest):  # from what costs nothing to what reads whole files
        alike = [group for some in alike for group in _groups(some, told_by)]
    together = DisjointSet(patient_of(case) for case in cases)
    for first, *copies in alike:
        for copy in copies:
            together.merge(patient_of(first), patient_of(copy))
    name = {patient: min(group) for group in together.subsets() if len(group) > 1 for patient in group}
    return [case | {"patient": name[patient_of(case)]} if patient_of(case) in name else case for case in cases]


def _groups(cases: Sequence[Case], told_by: Callable[[Path], Hashable]) -> list[list[Case]]:
    """The groups of two or more cases whose files agree in this value."""
    of_value: dict[Hashable, list[Case]] = {}
    for case in cases:
        of_value.setdefault(tuple(told_by(file) for file in _files(case)), []).append(case)
    return [group for group in of_value.values() if len(group) > 1]


def _files(case: Case) -> list[Path]:
    """The files of a case's image."""
    image = case["image"]
    return [Path(file) for file in ([image] if isinstance(image, str | Path) else image)]


def _size(file: Path) -> int:
    """The number of bytes of a file."""
    return file.stat().st_size


def _middle(file: Path) -> bytes:
    """The bytes in the middle of a file."""
    with file.open("rb") as stream:
        stream.seek(max(0, _size(file) - SAMPLE) // 2)
        return stream.read(SAMPLE)


def _digest(file: Path) -> bytes:
    """What is the same for two files if their bytes are."""
    digest = hashlib.blake2b()
    with file.open("rb") as stream:
        for part in iter(lambda: stream.read(SAMPLE), b""):
            digest.update(part)
    return digest.digest()
