"""Command lines: an option that is given twice is refused."""

from __future__ import annotations

import argparse

import pytest

from calib_monai.command_lines import Once


def test_an_option_with_several_values_is_given_once(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", nargs="+", action=Once, default=[])
    assert parser.parse_args([]).fit == []
    assert parser.parse_args(["--fit", "a", "b"]).fit == ["a", "b"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--fit", "a", "--fit", "b"])
    assert "--fit is given twice; give it once, with all values" in capsys.readouterr().err
