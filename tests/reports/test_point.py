"""Point: README's picture is drawn of two evaluations, and its numbers are theirs."""

from __future__ import annotations

from pathlib import Path

import draw_point
import pytest
from PIL import Image
from written_runs import write_run

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "point.png"


def test_the_picture_and_the_numbers_of_its_caption_are_those_of_the_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(write_run(tmp_path / name, sharpness)) for name, sharpness in (("before", 2.0), ("after", 1.0))]
    draw_point.main([*runs, "--out", str(tmp_path / "point.png")])
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "3 cases"
    assert "ECE, plausible: 0.044 -> 0.044" in told
    assert told[-1] == "drawn: b, slice 3, Dice 0.490"
    with Image.open(tmp_path / "point.png") as picture:
        assert picture.size == (draw_point.DPI * draw_point.SIZE[0], draw_point.DPI * draw_point.SIZE[1])


def test_runs_of_other_cases_are_refused(tmp_path: Path) -> None:
    runs = [str(write_run(tmp_path / name, 1.0, cases=cases)) for name, cases in (("before", "abc"), ("after", "abd"))]
    with pytest.raises(ValueError, match="2 of them the same"):
        draw_point.main([*runs, "--out", str(tmp_path / "point.png")])
    assert not (tmp_path / "point.png").exists()


def test_the_committed_picture_is_light_enough_for_a_readme() -> None:
    assert PICTURE.stat().st_size < 200_000
