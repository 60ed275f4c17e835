"""Spelling: the nearest word is suggested, and none where none is near."""

from __future__ import annotations

from calib_monai.spelling import did_you_mean, nearest


def test_the_nearest_word_is_suggested() -> None:
    assert nearest("unte", {"unet", "dynunet"}) == "unet"
    assert did_you_mean("forground", ["foreground", "all"]) == "; did you mean foreground?"


def test_a_number_is_the_same_with_zeros_before_it() -> None:
    cases = ["hippocampus_006", "hippocampus_036", "hippocampus_366"]
    assert nearest("hippocampus_36", cases) == "hippocampus_036"
    assert nearest("Hippocampus_0366", cases) == "hippocampus_366"
    assert nearest("case 10", ["case 1", "case 100"]) in ("case 1", "case 100")


def test_where_none_is_near_nothing_is() -> None:
    assert nearest("knees", ["unet"]) == ""
    assert did_you_mean("knees", []) == ""
