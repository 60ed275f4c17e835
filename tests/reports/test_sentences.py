"""Sentences: each measure says what it is, in which unit, and which direction is better."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from committed import COLLECTION, config_of

from calib_monai.measures import COVERED, KINDS, MEASURES, MISSED, SIZE, WIDTH, measure_of
from calib_monai.regions import REGIONS
from calib_monai.reports.sentences import OWN, sentence_of, where_of

OF_REGIONS = [f"{kind}_{region}" for kind in KINDS for region in REGIONS]


@pytest.mark.parametrize("name", [*MEASURES, *OF_REGIONS, "ece_plausible_pooled", "cece_band_debiased"])
def test_a_measure_says_what_it_is_its_unit_and_its_direction(name: str) -> None:
    sentence, measure = sentence_of(name, measure_of(name)), measure_of(name)
    *said, last = re.split(r"(?<=[.]) ", sentence)
    assert said
    assert "{" not in sentence
    assert re.match(r"In (mm|pixels|voxels|nats|%)|0 to \d|0, 1, 2", last)
    direction = {True: "more is better", False: "less is better", None: ""}[measure.more_is_better]
    assert last.endswith(f"{direction}.")
    assert ("The label chooses these voxels" in sentence) == (measure.proper is False)


def test_all_that_an_evaluation_measures_by_default_has_a_sentence_of_its_own() -> None:
    metrics = config_of(COLLECTION / "brats_nacl", "evaluate")["+validate"]["additional_metrics"]
    assert metrics.pop("conformal")
    names = [*metrics.pop("calibration")["metrics"], *metrics, COVERED, WIDTH, MISSED, SIZE]
    assert len({sentence_of(name, measure_of(name)) for name in names}) == len(names) > 10
    assert not any(OWN in sentence_of(name, measure_of(name)) for name in names)


def test_a_sentence_says_the_options_of_its_region_and_the_direction_that_was_given() -> None:
    measure = measure_of("ece_plausible_0.05")
    assert "at least 1 %" in sentence_of("ece_plausible", measure)
    assert "at least 5 %" in sentence_of("ece_plausible_0.05", measure, {"at_least": 0.05})
    tace = measure_of("tace_foreground_width")
    assert "in groups of equally many voxels" in sentence_of("tace_foreground", tace, {"adaptive": True})
    assert "in bins of equal width" in sentence_of("tace_foreground_width", tace, {"adaptive": False})
    assert where_of("my_region") == "in the voxels of my_region"
    assert "within 7 voxels" in sentence_of("ece_band_7", measure, {"width": 7})
    assert sentence_of("mine", replace(measure, more_is_better=True)) == f"{OWN} More is better."
    assert sentence_of("dice_of_my_own", measure_of("mine")) == f"{OWN} Which direction is better is not known."
