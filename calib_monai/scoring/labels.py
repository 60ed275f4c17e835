"""Labels: finds those of a folder, by case, with the probabilities that they are for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from calib_monai.case_names import check_case_name
from calib_monai.datalists.folders import files_below, held
from calib_monai.datalists.inputs import LABEL
from calib_monai.scoring.names import LABEL_SUFFIXES, PROBS, case_named, check_folder, stem_of

NAMED_PROBS = re.compile(rf"(.+?)[_\-. ]{PROBS}", re.IGNORECASE)


def labels_in(folder: Path, probs: Sequence[Path]) -> dict[str, Path]:
    """The labels of a folder, by case.

    A label is called as its case, or as that and `_gt`, `_label`, `_seg` and so on. A case may itself be called such as
    `lesion_mask_0`, if its probabilities are. Where a name has such an ending, other files are labels only if
    probabilities have their names: they may be images.

    Args:
        folder: of the labels.
        probs: the files among which the probabilities are.

    Raises:
        ValueError: a folder that is none or holds no image, two labels of a case, or a name that no case can have.
    """
    check_folder("--labels", folder)
    images = [file for file in files_below(folder)[0] if file.name.lower().endswith(LABEL_SUFFIXES)]
    if not images:
        raise ValueError(f"--labels {folder} holds no {', '.join(LABEL_SUFFIXES)}; {held(folder)}")
    named = _by_name(probs)
    marked = {file: match[1] for file in images if (match := LABEL.fullmatch(stem_of(file)))}
    labels: dict[str, Path] = {}
    for file, before in marked.items():
        exact = _others(named.get(stem_of(file), []), file) and not _others(named.get(before, []), file)
        _add(labels, stem_of(file) if exact else before, file)
    for file in images:
        if file not in marked and (not marked or (stem_of(file) not in labels and _has_probs(file, probs))):
            _add(labels, stem_of(file), file)
    return labels


def _add(labels: dict[str, Path], case: str, file: Path) -> None:
    """Add a label; raise ValueError if there is another one of the case, or if no case can have this name."""
    check_case_name(case, where=str(file))
    if case in labels:
        raise ValueError(f"{labels[case]} and {file} are both the label of {case}; there must be one of them")
    labels[case] = file


def _by_name(probs: Sequence[Path]) -> dict[str, list[Path]]:
    """The files by what may be their case: the whole name, what stands before `_probs`, or the name of the folder."""
    named: dict[str, list[Path]] = {}
    for file in probs:
        stem = stem_of(file)
        match = NAMED_PROBS.fullmatch(stem)
        for name in {stem, file.parent.name, match[1] if match else stem}:
            named.setdefault(name, []).append(file)
    return named


def _others(files: Sequence[Path], label: Path) -> list[Path]:
    """The files that are not the label itself."""
    return [file for file in files if file.resolve() != label.resolve()]


def _has_probs(label: Path, probs: Sequence[Path]) -> bool:
    """Whether other files begin with the name of a label."""
    return bool(_others([file for file in probs if case_named(stem_of(file), [stem_of(label)])], label))
