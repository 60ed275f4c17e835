"""Spelling: the nearest word is suggested, and none where none is near."""

from __future__ import annotations

from calib_monai.spelling import did_you_mean, nearest


def test_the_nearest_word_is_suggested() -> None:
    assert nearest("unte", {"unet", "dynunet"}) == "unet"
    assert did_you_mean("forground", ["foreground", "all"]) == "; did you mean foreground?"


def test_where_none_is_near_nothing_is() -> None:
    assert nearest("knees", ["unet"]) == ""
    assert did_you_mean("knees", []) == ""
