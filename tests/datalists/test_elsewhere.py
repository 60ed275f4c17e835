"""Elsewhere: all labeled cases of another folder, found by the layout of the bundle or by a JSON, are tested."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from calib_monai.case_keys import LABEL_VALUES
from calib_monai.datalists.acdc import acdc_split, write_acdc
from calib_monai.datalists.elsewhere import OtherData
from calib_monai.datalists.hippocampus import hippocampus_split, write_hippocampus
from calib_monai.datalists.split_files import Listed
from calib_monai.phantoms import make_phantoms

NAMES = ["background", "anterior", "posterior"]
OTHERS = {"images": ["{case}_t1.nii.gz"], "label": "{case}_seg.nii.gz", "patient": "{patient}_*"}


def written(tmp_path: Path, **content: Any) -> OtherData:
    """A JSON for the folder `hospital` beside it."""
    (tmp_path / "hospital").mkdir(exist_ok=True)
    file = tmp_path / "b.json"
    file.write_text(json.dumps({"folder": "hospital"} | content))
    return OtherData(str(file))


def cases_of(other: OtherData, split: Any, folder: Path) -> Listed:
    """The cases, for a bundle that was trained in a folder."""
    return other.datalist(partial(split, dataset_dir=str(folder), seed=0, fold=0), NAMES, None)()


@pytest.mark.parametrize(("split", "write"), [(hippocampus_split, write_hippocampus), (acdc_split, write_acdc)])
def test_every_case_of_a_folder_of_the_bundles_layout_is_tested(split: Any, write: Any, tmp_path: Path) -> None:
    write(str(tmp_path / "here"), make_phantoms(2, seed=4))
    found = cases_of(OtherData(str(tmp_path / "here")), split, tmp_path / "missing")
    assert found["training"] == found["validation"] == []
    assert [Path(case["image"]).is_file() for case in found["test"]] == [True] * len(found["test"])
    assert 0 < len(found["test"]) <= 2
    assert all(LABEL_VALUES not in case for case in found["test"])


def test_a_json_says_how_files_are_named_and_what_labels_mean(tmp_path: Path) -> None:
    labels = {"1": "posterior", "2": "anterior", "7": "background"}
    other = written(tmp_path, labels=labels, **OTHERS)
    for name in ("a_ED_t1", "a_ED_seg", "a_ES_t1", "a_ES_seg", "b_ED_t1"):
        (tmp_path / "hospital" / f"{name}.nii.gz").touch()
    found = cases_of(other, hippocampus_split, tmp_path)["test"]
    assert [case["case"] for case in found] == ["a_ED", "a_ES"]
    assert {case["patient"] for case in found} == {"a"}
    assert found[0][LABEL_VALUES] == {0: 0, 1: 2, 2: 1, 7: 0}
    assert other.described(NAMES, ignore_index=255).classes[255] == 255
    assert other.told(NAMES)["labels"] == labels | {"0": "background"}


@pytest.mark.parametrize(
    ("test_dir", "name", "suffix"),
    [("", "", ""), ("site B/", "site B", "_on_site_B"), ("x/m&ms.json", "m&ms", "_on_m_ms"), ("ts", "ts", "_on_ts")],
)
def test_results_have_the_name_of_the_folder_or_the_json(test_dir: str, name: str, suffix: str) -> None:
    other = OtherData(test_dir)
    assert bool(other) == bool(test_dir)
    assert (other.name, other.suffix) == (name, suffix)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"folder": "gone"}, r": test_dir .*gone is not a folder"),
        ({"image": ["{case}.nii"]}, "sets 'image'; it may have .*; did you mean images"),
        ({"images": ["{case}.nii"]}, "must have both 'images' and 'label'"),
        ({"images": "{case}.nii", "label": "{case}_s.nii"}, r"sets images to '\{case\}.nii'"),
        ({"images": ["{case}.nii"], "label": "seg.nii"}, "the pattern 'seg.nii' must name the case"),
        ({"labels": {"1": "anterior", "2": "posteror"}}, "labels calls 2 'posteror'.*did you mean posterior"),
        ({"labels": {"1": "anterior"}}, "labels has no value for posterior; each class of the model"),
        ({"labels": {"anterior": 1}}, "labels has 'anterior': 1; it must give a class for each value"),
        ({"labels": {"16777217": "anterior", "1": "posterior"}}, "labels has 16777217; it may be at most 16777216"),
        ({"labels": {}}, "sets labels to {}"),
    ],
)
def test_a_wrong_json_is_refused_with_its_name(content: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"b\.json.*{said}"):
        written(tmp_path, **content).described(NAMES)


def test_a_folder_or_file_that_is_missing_or_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    for path, said in (
        ("gone", "is not a folder: set --test_dir"),
        ("gone.json", "cannot be read: No such file"),
        ("bad.json", "is no JSON"),
        ("list.json", "must hold an object"),
    ):
        with pytest.raises(ValueError, match=said):
            OtherData(str(tmp_path / path)).described(NAMES)
    with pytest.raises(ValueError, match=r"^test_dir .* holds no label labelsTr"):
        cases_of(OtherData(str(tmp_path)), hippocampus_split, tmp_path / "gone")
    with pytest.raises(ValueError, match="the datalist of this bundle takes no folder"):
        OtherData(str(tmp_path)).datalist(Listed, NAMES, None)()


def test_the_folder_of_the_training_is_refused(tmp_path: Path) -> None:
    for name in ("here", "there"):
        write_hippocampus(str(tmp_path / name), make_phantoms(3, seed=4))
    assert len(cases_of(OtherData(str(tmp_path / "there")), hippocampus_split, tmp_path / "here")["test"]) == 3
    with pytest.raises(ValueError, match="is the dataset_dir of the training: leave out --test_dir"):
        cases_of(OtherData(str(tmp_path / "here")), hippocampus_split, tmp_path / "here")
