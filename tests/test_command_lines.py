"""Command lines: an option that is given twice, or is not known, is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.command_lines import Parser


@pytest.mark.parametrize(
    ("twice", "said"),
    [
        (["--fit", "a", "--fit", "b"], "--fit is given twice; give it once, with all values"),
        (["--fit", "a", "--fi", "b"], "there is no option --fi; did you mean --fit?"),
        (["--out", "a", "--out", "a"], "--out is given twice; give it once; --help"),
        (["--out=a", "--out=b"], "--out is given twice; give it once; --help"),
        (["--seed", "0", "--seed", "7"], "--seed is given twice; give it once; --help"),
        (["--kind", "ts", "--kind", "lts"], "--kind is given twice; give it once; --help"),
    ],
)
def test_an_option_is_given_once(twice: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser()
    parser.add_argument("--fit", nargs="+", default=[])
    parser.add_argument("--out", default="out")
    parser.add_argument("--kind", default="", choices=("", "ts", "lts"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true")
    assert vars(parser.parse_args([])) == {"fit": [], "out": "out", "kind": "", "seed": 0, "quiet": False}
    assert parser.parse_args(["--fit", "a", "b", "--quiet", "--quiet"]).fit == ["a", "b"]
    with pytest.raises(SystemExit):
        parser.parse_args(twice)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("empty", ["", " "])
def test_a_path_is_not_empty(empty: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser()
    parser.add_argument("--out", type=Path)
    assert parser.parse_args(["--out", "."]).out == Path()
    with pytest.raises(SystemExit):
        parser.parse_args(["--out", empty])
    assert "argument --out: the path is empty; for the folder that you are in write ." in capsys.readouterr().err


def test_an_unknown_option_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser()
    parser.add_argument("--labels")
    parser.add_argument("--probs", required=True)
    for given, said in (
        (["--prbs", "a"], "error: there is no option --prbs; did you mean --probs?"),
        (["--probs", "a", "--label_dir=b"], "error: there is no option --label_dir; did you mean --labels?"),
        (["--probs", "my", "probs"], "error: probs belongs to no option; put a path with spaces in quotation marks"),
        ([], "error: the following arguments are required: --probs"),
    ):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(given)
        assert ended.value.code == 2
        assert capsys.readouterr().err == f"{said}; --help lists the options\n"
