"""Listed cases: a training reads its data set when it is asked for, or the lists of another program in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from checked_phantoms import model
from monai.data import MetaTensor
from monai.transforms import Compose

from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.listed_cases import SplitOnDemand
from calib_monai.loading import LoadCased
from calib_monai.processes import OwnPart
from calib_monai.targets import arguments_of


def nowhere() -> Any:
    raise ValueError("dataset_dir is not a folder")


def on_demand(tmp_path: Path, datalist: Any = nowhere, **options: Any) -> SplitOnDemand:
    loading, places = Compose([LoadCased(["image", "label"])]), (str(tmp_path / "models"), str(tmp_path / "out"))
    for place in places:
        Path(place).mkdir(parents=True, exist_ok=True)
    folders = {"ckpt_dir": places[0], "output_dir": places[1]}
    return SplitOnDemand(datalist=datalist, made_for=model(), loading=loading, **folders, **options)


def files_of(folder: Path) -> list[dict[str, Any]]:
    """All cases of a Decathlon folder, as another program lists them."""
    split = hippocampus_split(str(folder))
    return [{key: case[key] for key in ("image", "label")} for cases in split.values() for case in cases]


def test_the_data_set_is_read_once_and_when_it_is_asked_for(phantom_dir: Path, tmp_path: Path) -> None:
    calls = []

    def datalist() -> Any:
        calls.append(1)
        return hippocampus_split(str(phantom_dir))

    cases = on_demand(tmp_path, datalist)
    assert not calls
    training, validation = cases["training"], cases["validation"]
    used = cases.used(training, OwnPart(validation[:1], validation))  # as one of several processes has it
    assert used["validation"] == validation
    assert list(used) == list(cases) == ["training", "validation", "test"]
    assert len(cases) == 3
    assert len(calls) == 1


def test_images_and_labels_in_memory_are_checked_as_files_are(phantom_dir: Path, tmp_path: Path) -> None:
    listed: list[dict[str, Any]] = []
    for number, files in enumerate(files_of(phantom_dir)):
        loaded = LoadCased(["image", "label"])(files)
        held = {
            key: MetaTensor(loaded[key].as_tensor(), affine=torch.diag(torch.tensor([1.0, 1, 2, 1]))) for key in files
        }
        listed.append(held | {"case": str(number)})
    used = on_demand(tmp_path).used(listed[2:], listed[:2])
    assert used["training"][0]["image"] is listed[2]["image"]
    listed[3]["label"] += 7
    with pytest.raises(ValueError, match=r"^the label of 3 holds the label value\(s\) 7, 8, 9; with 3 classes"):
        on_demand(tmp_path / "other").used(listed[2:], listed[:2])
    listed[3]["label"] = torch.zeros(2, 2, 2)
    with pytest.raises(ValueError, match=r"^the case 3 cannot be taken: label is in memory and has no affine"):
        on_demand(tmp_path / "third").used(listed[2:], listed[:2])


def test_lists_take_the_place_of_the_data_set_and_are_checked(phantom_dir: Path, tmp_path: Path) -> None:
    listed = files_of(phantom_dir)
    used = on_demand(tmp_path).used(listed[2:], listed[:2])
    assert len(used["training"]) == len(used.geometries) == len(listed) - 2
    assert used["training"][0]["case"] == Path(listed[2]["image"]).name.removesuffix(".nii.gz")
    assert (tmp_path / "models" / "split.json").is_file()
    Path(listed[3]["label"]).write_text("no label")
    with pytest.raises(ValueError, match=Path(listed[3]["label"]).name):
        on_demand(tmp_path / "again").used(listed[2:], listed[:2])


def test_a_list_in_place_of_one_set_leaves_the_others_to_the_split(phantom_dir: Path, tmp_path: Path) -> None:
    cases = on_demand(tmp_path, lambda: hippocampus_split(str(phantom_dir)))
    training, validation, test = (cases[name] for name in ("training", "validation", "test"))
    used = cases.used(training[1:], OwnPart(validation[:1], validation))
    assert [case["case"] for case in used["training"]] == [case["case"] for case in training[1:]]
    assert used["validation"] == validation  # in each process
    assert used["test"] == test
    used = cases.used(training[1:], list(training[:1]))
    assert used["validation"] == training[:1]
    used = cases.used(training, validation[:1])
    assert used["validation"] == validation[:1]
    written = json.loads((tmp_path / "models" / "split.json").read_text())
    assert written["validation"] == [validation[0]["case"]]
    for listed in (test, training[:1]):
        files = [{key: case[key] for key in ("image", "label")} for case in listed]
        with pytest.raises(ValueError, match=r"is a (training|validation) case and a (validation|test) case: list"):
            cases.used(training, files)


def test_what_the_model_is_made_for_gives_the_rules(
    phantom_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"axcodes": "RAS", "class_names": ["background", "a", "b", "c"]}
    given: dict[str, Any] = {
        "loading": Compose([LoadCased(["image", "label"])]),
        "ckpt_dir": str(tmp_path),
        "output_dir": str(tmp_path / "out"),
    }
    Path(given["output_dir"]).mkdir()
    with pytest.raises(ValueError, match="with 2 classes they must be whole numbers"):
        SplitOnDemand(
            datalist=lambda: hippocampus_split(str(phantom_dir)), made_for=model(num_classes=2, **told), **given
        )["training"]
    cases = SplitOnDemand(datalist=nowhere, made_for=model(**told), **given)
    cases.used(files_of(phantom_dir), [])
    assert "training cases shows class 3 (c): a network cannot learn it" in caplog.text


def test_the_rules_of_a_check_are_the_options_of_its_cases() -> None:
    known = arguments_of(SplitOnDemand)
    assert known is not None
    assert {"datalist", "made_for", "same_grid", "zones"} <= known
    assert "same_gird" not in known


def test_a_list_without_validation_is_one(phantom_dir: Path, tmp_path: Path) -> None:
    assert on_demand(tmp_path).used(files_of(phantom_dir), [])["validation"] == []


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ([], "^the list of training cases is empty"),
        ([{"image": "a.nii.gz"}], "^case 0 of training has no 'label': each needs 'image' and 'label'"),
        (["a.nii.gz"], "^case 0 of training has no 'image'"),
    ],
)
def test_a_list_of_no_cases_is_refused(training: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        on_demand(tmp_path).used(training, [])


MEASURED: dict[str, Any] = {"use": ["test"], "keep": True}


def moved(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The case with a label that lies 200 mm away."""
    label = nibabel.load(case["label"])
    affine = label.affine.copy()
    affine[0, 3] += 200
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(label.dataobj), affine), folder / "away.nii.gz")
    return {**case, "label": str(folder / "away.nii.gz")}


def test_a_list_for_an_evaluation_is_checked_as_the_split_is(phantom_dir: Path, tmp_path: Path) -> None:
    listed = files_of(phantom_dir)
    on_demand(tmp_path, **MEASURED).check_measured(listed[:2])
    assert len(json.loads((tmp_path / "out" / "split.json").read_text())["test"]) == 2
    assert not (tmp_path / "models" / "split.json").exists()
    for wrong, said in (
        (moved(listed[1], tmp_path), r"away.nii.gz lies elsewhere than .*, by 200 mm"),
        ({**listed[1], "image": "nowhere.nii.gz"}, r"nowhere.nii.gz cannot be read"),
        ({"image": listed[1]["image"]}, r"^case 1 of test has no 'label'"),
        ({**listed[1], "image": 5}, r"^the image of case 1 of test is of int; it must be a path"),
    ):
        with pytest.raises(ValueError, match=said):
            on_demand(tmp_path, **MEASURED).check_measured(OwnPart([listed[0]], [listed[0], wrong]))
    with pytest.raises(ValueError, match=r"^the list of test cases is empty"):
        on_demand(tmp_path, **MEASURED).check_measured([])


def test_a_list_of_cases_that_the_model_was_trained_on_is_told(
    phantom_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cases = on_demand(tmp_path, lambda: hippocampus_split(str(phantom_dir)))
    trained, tested = cases["training"][:1], cases["test"][:1]
    on_demand(tmp_path, **MEASURED).check_measured([{key: tested[0][key] for key in ("image", "label")}])
    assert not [line for line in caplog.messages if "listed case(s)" in line]
    on_demand(tmp_path, **MEASURED).check_measured([{key: trained[0][key] for key in ("image", "label")}])
    [line] = [line for line in caplog.messages if "listed case(s)" in line]
    assert f"first {trained[0]['case']}, have the names of training cases of" in line
    caplog.clear()
    on_demand(tmp_path, **MEASURED).check_measured([{**trained[0], "case": "new"}])
    assert f"the image of new (test) is that of {trained[0]['case']}, which" in caplog.text


def test_only_sets_whose_files_are_checked_are_given(phantom_dir: Path, tmp_path: Path) -> None:
    def datalist() -> Any:
        return hippocampus_split(str(phantom_dir))

    on_demand(tmp_path, datalist)["training"]
    for options, said in (
        ({"use": ["training"], "keep": True}, r"^cases#use is \['training'\], and the run takes the test cases"),
        ({"use": ["tset"], "keep": True}, r"^cases#use is \['tset'\]; it must be a list of some of"),
        ({"use": [], "keep": True}, r"^cases#use is \[\]; it must be a list of some of"),
        ({"use": "test", "keep": True}, r"^cases#use is 'test'; it must be a list of some of"),
        ({"use": ["test"], "keep": False, "overwrite": True}, r"^cases#keep is False and .*: only a training draws a"),
    ):
        with pytest.raises(ValueError, match=said):
            on_demand(tmp_path, datalist, **options)["test"]
    evaluated = on_demand(tmp_path, datalist, **MEASURED)
    evaluated.check_measured(OwnPart(evaluated["test"][:1], evaluated["test"]))
