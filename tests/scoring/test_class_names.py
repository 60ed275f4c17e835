"""Names of classes: where they come from, and that no two sources have them in two orders."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from saved_probs import NAMES, Folders, sharpened, with_more

from calib_monai.label_tables import write_label_tables
from calib_monai.score import main
from calib_monai.scoring.class_names import classes_of

SWAPPED = ("background", "tumor", "liver")


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write a `dataset.json` as nnU-Net does."""
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps({"labels": {name: label for label, name in enumerate(names)}}))


def write_probs(given: Folders) -> None:
    """Write the probabilities of each case."""
    for case, made in given.cases.items():
        given.write(case, "{}.npy", sharpened(made.probs))


@pytest.mark.parametrize(
    ("content", "names", "ignored"),
    [
        ({"labels": {"background": 0, "tumor": 2, "liver": 1}}, ["background", "liver", "tumor"], None),
        ({"labels": {"0": "background", "1": "Anterior"}}, ["background", "Anterior"], None),
        ({"labels": {"background": 0, "liver": [1], "ignore": 2}}, ["background", "liver"], 2),
        (["background", "liver"], ["background", "liver"], None),
    ],
)
def test_classes_are_those_of_a_json(tmp_path: Path, content: Any, names: list[str], ignored: int | None) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (tmp_path / "labelsTr").mkdir()
    for found in (classes_of([], [tmp_path / "labelsTr"]), classes_of([str(tmp_path / "dataset.json")], [])):
        assert found == (names, ignored)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"labels": {"background": 0, "whole": [1, 2], "core": [2]}}, "has the regions whole, which overlap"),
        ({"labels": {"background": 0, "liver": 2}}, "has the labels 0, 2; they must be 0..1"),
        ({"labels": 3}, "gives no classes"),
        ({"labels": {"background": 0, "liver": "one"}}, "must be a whole number with a name"),
    ],
)
def test_a_json_without_classes_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=said):
        classes_of([], [tmp_path])


def test_classes_are_those_that_an_inference_wrote_beside_its_predictions(tmp_path: Path) -> None:
    names = ["background", "left ventricle", "the wall"]
    write_label_tables(tmp_path, names)
    assert classes_of([], [tmp_path], ignore_index=255) == (names, 255)


def test_names_that_are_given_in_another_order_than_the_labels_have_are_refused(
    folders: Callable[..., Folders],
) -> None:
    given = folders()
    write_probs(given)
    write_names(given.labels, SWAPPED)
    with pytest.raises(
        ValueError, match=r"liver, tumor in --classes, and background, tumor, liver in .*labels/dataset.json: give them"
    ):
        main(given.options)
    write_names(given.labels, NAMES)
    assert main(given.options) == 0
    write_names(given.probs.parent, ["0", "Tumor", "LIVER"])  # the background has another name, and all two folders
    with pytest.raises(ValueError, match=r"in --classes, and 0, Tumor, LIVER in .*dataset.json: give them in the ord"):
        main(given.options)


def test_files_with_two_orders_are_refused_whatever_the_option_says(folders: Callable[..., Folders]) -> None:
    given = folders()
    write_probs(given)
    write_names(given.labels, NAMES)
    write_names(given.probs, SWAPPED)
    for options in (given.line("--dataset", "mine"), given.line("--classes", "background", "one", "two")):
        without = [word for word in options if options[-1] == "two" or word not in ("--classes", *NAMES)]
        with pytest.raises(
            ValueError, match=r"liver, tumor in .*labels/dataset.json, and .*, tumor, liver in .*probs/data.* --order"
        ):
            main(without)
    assert main([*(word for word in given.options if word not in ("--classes", *NAMES)), "--order", *NAMES]) == 0
    told = json.loads((given.probs.parent / "out" / "scored.json").read_text())
    assert told["classes"] == list(NAMES)


def test_two_files_of_the_labels_with_two_orders_are_refused(tmp_path: Path) -> None:
    probs, labels = tmp_path / "probs" / "deep" / "deeper", tmp_path / "data" / "labelsTr"
    for folder in (probs, labels):
        folder.mkdir(parents=True)
    write_names(labels, NAMES)
    write_names(labels.parent, SWAPPED)
    with pytest.raises(ValueError, match=r"in .*labelsTr/dataset.json, and .* in .*data/dataset.json: correct the one"):
        classes_of([], [probs, labels])


def test_other_names_and_files_without_classes_are_no_contradiction(tmp_path: Path) -> None:
    probs, labels = tmp_path / "probs", tmp_path / "labels"
    write_names(probs, ["background", "RV", "LV_cavity"])
    write_names(labels, ["background", "LV", "RV"])
    assert classes_of([], [probs, labels]) == (["background", "RV", "LV_cavity"], None)
    (labels / "dataset.json").write_text('{"labels": {"background": 0, "whole": [1, 2], "RV": 2}}')
    assert classes_of(["background", "LV_cavity", "RV_"], [probs, labels]) == (["background", "LV_cavity", "RV_"], None)


def test_cases_of_a_fit_have_the_order_of_the_measured_ones(folders: Callable[..., Folders]) -> None:
    given = with_more(folders())
    write_probs(given)
    to_fit, labels = given.probs.parent / "to_fit", given.probs.parent / "of_fit"
    to_fit.mkdir()
    write_names(labels, SWAPPED)
    for case in ("case_2", "case_3"):
        (given.probs / f"{case}.npy").rename(to_fit / f"{case}.npy")
        (given.labels / f"{case}.nii.gz").rename(labels / f"{case}.nii.gz")
    with pytest.raises(ValueError, match=r"in the measured cases, and .* in .*of_fit/dataset.json: the cases of --fit"):
        main(given.line("--calibrate", "ts", "--fit", str(to_fit), "--fit_labels", str(labels)))
