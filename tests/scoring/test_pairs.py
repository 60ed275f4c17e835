"""Pairs: the files of each case are found by their names, and the others are told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from saved_probs import NAMES, Folders

from calib_monai.scoring.pairs import pairs_in


def test_other_files_of_scored_cases_are_told_from_those_of_no_case(
    folders: Callable[..., Folders], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    given = folders()
    for case, one in given.cases.items():
        given.write(case, "{}.npz", one.probs)
        given.write(case, "{}.nii.gz", one.label)
    given.write("other", "{}.nii.gz", given.cases["case_0"].label)
    assert [pair.case for pair in pairs_in(given.probs, given.labels, NAMES)[0]] == ["case_0", "case_1"]
    told = "2 other file(s) of scored cases (case_0.nii.gz, case_1.nii.gz); 1 of no case that is scored (other.nii.gz)"
    assert f"3 file(s): {told}" in caplog.text


@pytest.mark.parametrize("class_names", [(), NAMES], ids=["without names", "with names"])
def test_masks_of_each_class_are_refused_at_once(folders: Callable[..., Folders], class_names: tuple[str, ...]) -> None:
    given = folders()
    for case, one in given.cases.items():
        for index, name in enumerate(NAMES[1:], 1):
            given.write(case, f"{{}}_{name}.nii.gz", (one.label == index).astype(np.float32))
    with pytest.raises(ValueError, match=r"case_0_\w+\.nii\.gz holds only 0 and 1: a segmentation"):
        pairs_in(given.probs, given.labels, class_names)
