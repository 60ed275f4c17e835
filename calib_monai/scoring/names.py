"""Names of files: what they say of the case and the class."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from calib_monai.headers import NIFTI
from calib_monai.scoring.arrays import NPY, NPZ

LABEL_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
PROB_SUFFIXES = (*NIFTI[::-1], NPZ, NPY)
PROBS = r"(?:probs?|probabilit(?:y|ies)|softmax|logits?|prob_?maps?)"
OF_PROBS = re.compile(rf"{PROBS}?", re.IGNORECASE)
OF_CLASS = re.compile(r"(?:probs?_|softmax_)?(?:class|label|channel|c)?_?(\d+)", re.IGNORECASE)
WORD_OF_PROBS = re.compile(rf"^{PROBS}(?=[_\-. ]|$)|(?:^|[_\-. ]){PROBS}$", re.IGNORECASE)  # a whole word at an end
SEPARATORS = "_-. "


def stem_of(file: Path) -> str:
    """The name of a file without the suffix of its format."""
    suffix = next((suffix for suffix in (*LABEL_SUFFIXES, NPZ, NPY) if file.name.lower().endswith(suffix)), file.suffix)
    return file.name[: len(file.name) - len(suffix)]


def case_named(stem: str, cases: Collection[str]) -> str | None:
    """The case whose name is this, or is followed by a separator in it; the longest fits. None if there is none."""
    named = [case for case in cases if stem == case or (stem.startswith(case) and stem[len(case)] in SEPARATORS)]
    return max(named, key=len, default=None)


def rest_of(stem: str, case: str) -> str:
    """What a name says beside the case."""
    return stem[len(case) :].strip(SEPARATORS) if stem.startswith(case) else stem


def check_folder(option: str, folder: Path) -> None:
    """Raise ValueError if the folder of an option is none."""
    if not folder.is_dir():
        raise ValueError(f"{option} {folder} is not a folder")
