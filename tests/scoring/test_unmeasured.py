"""Labels without probabilities: a few may be of cases in which the network failed, and a caution names them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from saved_probs import Folders, with_more

from calib_monai.score import main


@pytest.mark.parametrize(
    ("written", "options", "told"),
    [
        ((0, 1, 3), (), 1),
        ((0, 1, 2, 3), (), 0),
        ((0,), (), 0),  # the labels are of a whole data set
        ((0, 1, 3), ("--cases", "case_0", "case_1"), 0),
        ((0, 1, 3), ("--calibrate", "ts", "--fit", "case_0"), 1),
    ],
)
def test_a_case_that_may_have_failed_is_in_the_summary(
    folders: Callable[..., Folders], written: Sequence[int], options: tuple[str, ...], told: int
) -> None:
    given = with_more(folders())
    for index in written:
        np.save(given.probs / f"case_{index}.npy", given.cases[f"case_{index}"].probs)
    assert main([*given.line(), "--any_fit", *options]) == 0
    run = given.probs.parent / "out" / ("eval" if "--fit" in options else "")
    cautions = json.loads((run / "summary.json").read_text())["cautions"]
    said = [caution for caution in cautions if "have no probabilities and are not measured, first case_2" in caution]
    assert len(said) == told
