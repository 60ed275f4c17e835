"""Relabeled: a label whose values are not those of its data set is refused, or told once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.relabeled import Relabeld

DATASETS = Path(__file__).parents[1] / "scripts" / "parts" / "datasets"


def of_dataset(name: str) -> Relabeld:
    """The change of values in the loading of a data set."""
    [*_, given] = json.loads((DATASETS / f"{name}.json").read_text(encoding="utf-8"))["both"]["loading"]["transforms"]
    return Relabeld(**{key: value for key, value in given.items() if key != "_target_"})


def label(file: str, *values: float) -> dict[str, MetaTensor]:
    """A case whose label holds these values."""
    return {"label": MetaTensor(torch.tensor([*values]).view(1, -1, 1, 1), meta={"filename_or_obj": file})}


def changed(relabeling: Relabeld, case: dict[str, MetaTensor]) -> list[float]:
    """The values after the change."""
    values: list[float] = relabeling(case)["label"].flatten().tolist()  # type: ignore[index]
    return values


def test_of_two_values_that_would_become_one_a_label_may_hold_one() -> None:
    brats = of_dataset("brats")
    assert changed(brats, label("a.nii", 0, 1, 2, 4)) == [0, 1, 2, 3]
    assert changed(brats, label("a.nii", 0, 1, 2, 3)) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"^a\.nii holds both of the label values 4 and 3, and 4 becomes 3: [^\n]+$"):
        brats(label("a.nii", 0, 1, 2, 3, 4))  # type: ignore[arg-type]
    assert changed(Relabeld([2], [1]), label("a.nii", 0, 1, 2)) == [0, 1, 1]  # united where that is meant
    assert changed(Relabeld([1, 2], [2, 1], apart=True), label("a.nii", 0, 1, 2)) == [0, 2, 1]
    assert brats({"image": torch.zeros(1)}) == {"image": torch.zeros(1)}


def test_a_label_with_the_values_of_another_release_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    mrbrains = of_dataset("mrbrains")
    for values in ((0, 1, 3, 5), (0, 9, 2), (0, 1, 2, 4)):
        mrbrains(label("good.nii", *values))  # type: ignore[arg-type]
    assert not caplog.messages
    for _ in range(2):
        assert changed(mrbrains, label("other.nii", 0, 1, 2, 3)) == [0, 1, 1, 2]
    [line] = caplog.messages
    assert line == (
        "other.nii holds the label value(s) 0, 1, 2, 3, and none of 4, 5, 6, 7, 8, 9, 10, of which each label of this "
        "data set holds one: does it have the values of another release?"
    )
