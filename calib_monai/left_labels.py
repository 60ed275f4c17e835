"""Left labels: finds files that look like further labels of a case, such as its second mask, and are not used."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import digits

from monai.utils import ensure_tuple

from calib_monai.case_keys import LABEL
from calib_monai.case_names import name_by_file
from calib_monai.datalists.splits import Case

logger = logging.getLogger(__name__)


def tell_like_labels(files: Sequence[Path], cases: Iterable[Case]) -> list[Path]:
    """Warn, in one line, of files that look like further labels of a case; return the other files.

    Such a file lies beside the label and begins like it, as `a_mask_1.png` beside `a_mask.png`, or has another number
    at its end, as `a_mask_2.png` beside `a_mask_1.png`.

    Args:
        files: those that belong to no case.
        cases: all cases of the data set, with absolute paths.
    """
    labels: dict[tuple[Path, str], str] = {}
    numbered: dict[tuple[Path, str], str] = {}
    for case in cases:
        for file in (Path(one) for one in ensure_tuple(case.get(LABEL, ())) if isinstance(one, str)):
            stem, name = name_by_file(file), str(case["case"])
            without_number = stem.rstrip(digits)
            labels[file.parent, stem] = name
            if without_number != stem and name in f"{file.parent.name}/{without_number}":
                numbered[file.parent, without_number] = name
    like = {file: name for file in files if (name := _case_like(file, labels) or _numbered_like(file, numbered))}
    if like:
        first, name = next(iter(like.items()))
        logger.warning(
            "%d file(s) begin like the label of a case and are not used, first %s, like that of %s: where a case has "
            "several masks, unite them in one file, or for pictures set several_masks of the datalist to true",
            *(len(like), first, name),
        )
    return [file for file in files if file not in like]


def _case_like(file: Path, labels: dict[tuple[Path, str], str]) -> str:
    """The case whose label a file begins like, the longest one; "" if there is none."""
    stem = name_by_file(file)
    for end in range(len(stem) - 1, 0, -1):
        is_other_number = stem[end - 1].isdigit() and stem[end].isdigit()
        if (file.parent, stem[:end]) in labels and not is_other_number:
            return labels[file.parent, stem[:end]]
    return ""


def _numbered_like(file: Path, numbered: dict[tuple[Path, str], str]) -> str:
    """The case whose label differs from a file in the number at its end; "" if there is none."""
    stem = name_by_file(file)
    return numbered.get((file.parent, stem.rstrip(digits)), "") if stem[-1:].isdigit() else ""
