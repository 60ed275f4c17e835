"""Files that a score took are taken by `apply`: names that end in a class, cases of the fit, and what it says else."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from applied_probs import applied, scored, values_of
from saved_probs import NAMES, Folders, sharpened, with_more

from calib_monai.score import main as score


@pytest.mark.parametrize("name", ["{}.npz", "{}_probs.npz"])
def test_the_name_of_a_case_may_end_in_that_of_a_class(folders: Callable[..., Folders], name: str) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        (given.labels / f"{case}.nii.gz").rename(given.labels / f"{case}_liver.nii.gz")
        given.write(f"{case}_liver", name, sharpened(one.probs).transpose(0, 3, 2, 1))
    assert score([*given.line(), "--calibrate", "ts", "--fit", "case_0_liver", "case_1_liver"]) == 0
    assert applied(given) == 0
    file = name.format("case_3_liver")
    out, root = given.probs.parent / "out", given.probs.parent
    np.testing.assert_array_equal(values_of(root / "applied" / file), values_of(out / "calibrated" / file))


def test_files_of_the_fit_are_taken_if_the_measured_ones_are_stored_in_another_way(
    folders: Callable[..., Folders],
) -> None:
    given = with_more(folders())
    to_fit = given.probs.parent / "to_fit"
    to_fit.mkdir()
    for case, one in given.cases.items():
        values = sharpened(one.probs)
        if case in ("case_0", "case_1"):
            np.savez(to_fit / f"{case}.npz", probabilities=values.transpose(0, 3, 2, 1))
        else:
            given.write(case, "{}.nii.gz", values.transpose(1, 2, 3, 0))
    assert score([*given.line(), "--calibrate", "ts", "--fit", str(to_fit)]) == 0
    assert json.loads((given.probs.parent / "out" / "scored.json").read_text())["axes"] == ["czyx", "xyzc"]
    assert applied(given) == 0
    assert applied(given, probs=to_fit, out=given.probs.parent / "applied_to_fit") == 0


def test_a_missing_file_of_a_class_is_told_with_what_the_temperature_was_fitted_to(
    folders: Callable[..., Folders],
) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        for index, values in enumerate(sharpened(one.probs)):
            given.write(case, f"{{}}_{NAMES[index]}.nii.gz", values)
    scored(given)
    (given.probs / f"case_3_{NAMES[0]}.nii.gz").unlink()
    with pytest.raises(
        ValueError, match=r"give --foreground; this temperature was fitted to files of .* hold the back"
    ):
        applied(given)
