"""Hippocampus of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

import re

from calib_monai.arguments import check_switch
from calib_monai.datalists.decathlon import decathlon_layout, write_decathlon
from calib_monai.datalists.files import Volumes
from calib_monai.datalists.splits import Case, Split, split_cases

RELEASED = re.compile(r"hippocampus_(\d+)")
LAYOUT = decathlon_layout(counts=(185, 25, 50))  # as in MbLS
CLASS_NAMES = ("background", "anterior", "posterior")


def hippocampus_split(dataset_dir: str, seed: int = 0, fold: int = 0, *, group_sides: bool = True) -> Split:
    """Training, validation and test cases: scans in the proportions of 185, 25 and 50, the counts of MbLS.

    Args:
        dataset_dir: the folder that holds `imagesTr` and `labelsTr`.
        seed: another seed draws another split.
        fold: fold of a cross-validation.
        group_sides: whether both sides of a scan stay together. If not, files are drawn one by one, as in the papers,
            and 260 of them are split into exactly these counts.

    Raises:
        ValueError: as `find_cases` and `split_cases`, or a `group_sides` that is neither True nor False.
    """
    check_switch("group_sides", group_sides)
    cases = read_hippocampus(dataset_dir)
    return split_cases(with_scans(cases) if group_sides else cases, LAYOUT.counts, seed, fold)


def with_scans(cases: list[Case]) -> list[Case]:
    """All cases; those of the release, `hippocampus_NNN`, with the scan that they are a side of as their "patient".

    An odd number and the next one are the left and the right hippocampus of one scan: their intensities were scaled by
    the same factor in 71 of 71 pairs that tell it. `tests/reliability/sides.py` counts them.
    """
    return [case | _scan_of(str(case["case"])) for case in cases]


def _scan_of(name: str) -> dict[str, str]:
    """The patient of a case of the release, named by its odd number; of other names nothing is known."""
    released = RELEASED.fullmatch(name)
    number = int(released[1]) if released else 0
    return {"patient": f"scan_{number - 1 + number % 2:03d}"} if number else {}


def read_hippocampus(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_hippocampus(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, at 1 mm; files of the same name are replaced."""
    write_decathlon(dataset_dir, cases, "Hippocampus", ["MRI"], CLASS_NAMES)
