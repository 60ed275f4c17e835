"""`dataset.json`: names of classes and pairs that contradict it are refused, and test images are told."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calib_monai.datalists.dataset_json import check_class_names, check_pairs, tell_listed_tests

NAMES = ("background", "anterior", "posterior")


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "background", "1": "Anterior", "2": "Posterior"},
        {"background": 0, "anterior": 1, "posterior": 2},
    ],
    ids=["Decathlon", "nnU-Net"],
)
def test_names_in_another_order_are_refused(labels: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    check_class_names(str(tmp_path), NAMES)
    check_class_names(str(tmp_path), ("background", "head", "tail"))  # names of one's own
    with pytest.raises(
        ValueError, match=r"dataset.json calls the labels from 0 on background, anterior, posterior: give"
    ):
        check_class_names(str(tmp_path), ("background", "posterior", "anterior"))


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[1]", "{}", '{"labels": 3}', '{"labels": {"a": "b"}}'),
        '{"labels": {"background": 0, "posterior": 1, "anterior": 4}}',  # which a loading may map
        '{"labels": {"background": 0, "whole": [1, 2], "posterior": 1}}',
    ],
)
def test_what_does_not_say_it_is_passed_over(content: str, tmp_path: Path) -> None:
    check_class_names(str(tmp_path), NAMES)
    (tmp_path / "dataset.json").write_text(content)
    check_class_names(str(tmp_path), NAMES)


def listed_in(folder: Path, **lists: Any) -> tuple[partial[dict[str, Any]], list[dict[str, Any]]]:
    """What gives the cases a, b and c of a folder with these lists, and the cases, of absolute paths."""
    (folder / "dataset.json").write_text(json.dumps(lists))
    cases = [{"case": n, "image": f"{folder}/imagesTr/{n}.nii", "label": f"{folder}/labelsTr/{n}.nii"} for n in "abc"]
    return partial(dict, dataset_dir=str(folder / ".." / folder.name)), cases


def pair(image: str, label: str) -> dict[str, str]:
    return {"image": f"./imagesTr/{image}.nii", "label": f"./labelsTr/{label}.nii"}


def test_an_image_that_is_listed_with_the_label_of_another_case_is_refused(tmp_path: Path) -> None:
    check_pairs(*listed_in(tmp_path, training=[pair("a", "a"), pair("b", "b")]))
    datalist, cases = listed_in(tmp_path, training=[pair("a", "a"), pair("b", "c")])
    with pytest.raises(
        ValueError, match=r"dataset\.json lists /.*/imagesTr/b\.nii with /.*/labelsTr/c\.nii, which by .* label of c: "
    ):
        check_pairs(datalist, cases)
    cases[1]["image"], cases[2]["label"] = [cases[1]["image"], "/other.nii"], [cases[2]["label"], "/second.nii"]
    with pytest.raises(ValueError, match=r"imagesTr/b\.nii with "):
        check_pairs(datalist, cases)
    check_pairs(dict, cases)


@pytest.mark.parametrize(
    "training",
    [
        *(3, "a", None, {"image": "a"}, [3, None, ["a"], "./imagesTr/b.nii"], [{"image": 3, "label": None}, {}]),
        [pair("b", "missing"), pair("missing", "c"), {"image": "./imagesTr/b.nii"}],
        [{"image": ["./imagesTr/b.nii"], "label": ["./labelsTr/b.nii"]}],
    ],
)
def test_a_list_that_contradicts_no_pair_is_passed_over(training: Any, tmp_path: Path) -> None:
    datalist, cases = listed_in(tmp_path, training=training, test=training)
    check_pairs(datalist, cases)
    tell_listed_tests(datalist, [])
    (tmp_path / "dataset.json").write_text("[1]")
    check_pairs(datalist, cases)
    (tmp_path / "dataset.json").unlink()
    check_pairs(datalist, cases)


def test_test_images_that_are_trained_on_are_told_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tests = ["./imagesTr/b.nii", {"image": "./imagesTr/c.nii"}, "./imagesTs/d.nii"]
    datalist, cases = listed_in(tmp_path, training=[pair("a", "a")], test=tests)
    tell_listed_tests(datalist, cases)
    [line] = caplog.messages
    assert line.startswith("2 image(s) that /")
    assert "/dataset.json lists under 'test' have a label and are used to train or validate, " in line
    assert f"first {tmp_path}/imagesTr/b.nii: to keep" in line
    caplog.clear()
    tell_listed_tests(datalist, cases[:1])
    tell_listed_tests(*listed_in(tmp_path, training=[pair("b", "b"), pair("c", "c")], test=tests))
    assert not caplog.messages
