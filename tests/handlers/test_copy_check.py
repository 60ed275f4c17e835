"""The check of copies: probabilities in other precision are the same, and labels of one value tell nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ignite.engine import Engine

from calib_monai.handlers import CopyCheck

SIZE = (24, 24, 24)


def case(name: str, seed: int, label: torch.Tensor | None = None) -> dict[str, Any]:
    """A case of three classes, as an evaluator holds it."""
    probs = (3 * torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(seed))).softmax(dim=0)
    return {"case": name, "prob": probs, "label": probs.argmax(dim=0, keepdim=True) if label is None else label}


def looked(cases: list[dict[str, Any]], fitted: Any = None) -> tuple[CopyCheck, list[str]]:
    """The check after a run, and the cautions of the run."""
    engine: Any = Engine(lambda _engine, batch: batch)
    check = CopyCheck(fitted)
    check.attach(engine)
    engine.run([[one] for one in cases])
    return check, engine.state.cautions


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.uint8])
def test_a_copy_in_other_precision_is_refused(precision: torch.dtype) -> None:
    first = case("first", 0)
    fitted = looked([first])[0].cases
    stored = first["prob"] * (255 if precision == torch.uint8 else 1)
    stored = stored.round() if precision == torch.uint8 else stored
    again = stored.to(precision).float()
    with pytest.raises(ValueError, match="again is a copy of first, to which the calibrator was fitted"):
        looked([first | {"case": "again", "prob": again / again.sum(dim=0)}], fitted)


def test_the_label_of_a_fitted_case_under_other_probabilities_is_a_caution() -> None:
    first = case("first", 0)
    _, [caution] = looked([case("other", 1, first["label"]), case("own", 2)], looked([first])[0].cases)
    assert caution.startswith(
        "1 case(s) have the label, voxel by voxel, of a case to which the calibrator was fitted, "
    )


def test_labels_of_one_value_make_no_copies() -> None:
    ones = torch.ones(1, *SIZE)
    _, cautions = looked([case("a", 0, ones), case("b", 1, ones)], looked([case("c", 2, ones)])[0].cases)
    assert cautions == []
    _, [caution] = looked([case("a", 0, ones), case("b", 0, ones)])
    assert caution == "1 case(s) are copies of others, first b of a: each counts again"


def test_the_probabilities_of_another_case_under_another_label_are_a_caution() -> None:
    first, second = case("first", 0), case("second", 1)
    mistaken = second | {"case": "mistaken", "prob": first["prob"].clone()}
    check, [caution] = looked([first, case("own", 2), mistaken])
    assert caution == (
        "1 case(s) have the probabilities of others, first mistaken those of first, whose label is another one: "
        "look at them"
    )
    assert check.copies == []
    constant = torch.full((3, *SIZE), 1 / 3)
    assert looked([first | {"prob": constant}, second | {"prob": constant}])[1] == []
