"""Path options: each is the path that was written, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.checks import check_bundle_root
from calib_monai.datalists.folders import dataset_folder
from calib_monai.path_options import PATHS, check_path, check_path_option, check_writable

CONFIG = dict.fromkeys(PATHS, ".") | {"seed": 0, "method": "nacl"}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "value",
    ["data", "/data/1", "./7", "my data (1)", "a@b", "@runs/a", "é", "a:b", "$@bundle_root + '/x'", "a%b", "@ckpt_dir"],
)
def test_a_path_that_monai_leaves_alone_passes(name: str, value: str) -> None:
    check_path_option(name, value, CONFIG)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("run #1", "holds '#'"),
        ("#1/x", "holds '#'"),
        ("run::1", "holds '::'"),
        ("@data", r"is read as a reference: write \./@data"),
        ("@seed", r"is read as a reference: write \./@seed"),
        ("@data#1", "holds '#'"),
        ("%data", r"is read as a reference: write \./%data"),
        ("$HOME/data", r"is read as an expression: write the path without \$"),
        ("~/data", "the shell did not write out '~'"),
        (7, r"is read as a number: write \./7"),
        (("a", "b"), "is read as a tuple"),
    ],
)
def test_a_path_that_would_become_another_is_refused_in_one_line(name: str, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as stop:
        check_path_option(name, value, CONFIG)
    assert str(stop.value).startswith(f"--{name} ")
    assert "\n" not in str(stop.value)


def test_a_path_of_which_fire_would_cut_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^--output_dir run #1 holds '#'"):
        check_path_option("output_dir", "run", CONFIG, "run #1")
    check_path_option("output_dir", "run", CONFIG, "'run'")


def test_a_list_of_inputs_is_told_where_it_is_given() -> None:
    with pytest.raises(
        ValueError, match=r"^--input is one path; several images are given as --dataset#data \"\['a'\]\"$"
    ):
        check_path_option("input", ["a"], CONFIG)


def test_only_an_input_may_be_empty() -> None:
    check_path_option("input", "", CONFIG)
    for value in ("", " "):
        with pytest.raises(ValueError, match=r"--output_dir is empty; for the folder that you are in write \."):
            check_path_option("output_dir", value, CONFIG)


def test_what_monai_has_made_of_a_path_is_refused_wherever_it_came_from(tmp_path: Path) -> None:
    # In a configuration, or called from Python, "run #1" arrives as "run ::1".
    (tmp_path / "run ::1").mkdir()
    path = str(tmp_path / "run ::1")
    with pytest.raises(ValueError, match=r"^input .*run ::1 holds '::'"):
        check_path("input", path)
    with pytest.raises(ValueError, match=r"^dataset_dir .*run ::1 holds '::'"):
        dataset_folder(path, "images")
    with pytest.raises(ValueError, match=r"^nothing can be written to .*run ::1 holds '::'"):
        check_writable([path])
    with pytest.raises(ValueError, match=r"^bundle_root .*run ::1 holds '::'"):
        check_bundle_root(path)
