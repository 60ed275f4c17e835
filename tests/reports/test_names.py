"""Names: long ones are broken into lines, and lose nothing."""

from __future__ import annotations

import pytest

from calib_monai.reports.names import wrapped


@pytest.mark.parametrize("width", [2, 5, 12, 100])
def test_no_line_is_too_long_and_no_letter_is_lost(width: int) -> None:
    name = "seed0/hippocampus_attention_unet__dice_ce + LTS"
    lines = wrapped(name, width).split("\n")
    assert max(map(len, lines)) <= width
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")


def test_a_name_is_broken_where_it_has_a_gap() -> None:
    assert wrapped("brains_nacl", 20) == "brains_nacl"
    assert wrapped("brains_nacl + LTS", 12) == "brains_nacl\n+ LTS"
    assert wrapped("seed0/brains_nacl", 12) == "seed0/\nbrains_nacl"
    assert wrapped("", 5) == ""
