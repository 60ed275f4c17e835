"""Checks of ensembles: their folders, what their members are made for, and what these were trained on."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from calib_monai.datalists.split_files import Drawn, write_split
from calib_monai.ensembles import check_ckpt_dirs, check_members, check_predicted, check_splits

MADE_FOR = {"class_names": ["background", "a"], "axcodes": "RAS", "spacing": [1.0, 1.0, -1.0], "spatial_dims": 2}
MADE_FOR |= {"network": {"_target_": "monai.networks.nets.unet.UNet"}}


def written(folder: Path, **others: Any) -> str:
    """The folder of a model with this `model.json`."""
    folder.mkdir(exist_ok=True)
    (folder / "model.json").write_text(json.dumps(MADE_FOR | others))
    return str(folder)


def test_no_folder_or_several_make_an_ensemble() -> None:
    check_ckpt_dirs([])
    check_ckpt_dirs(["a", "b"])


@pytest.mark.parametrize(
    ("ckpt_dirs", "said"),
    [
        ("[a/models,b/models]", "it must be a list of folders, as"),
        ([1, 2], "it must be a list of folders"),
        (["a"], "two or more folders that differ"),
        (["a", "b", "./a"], "two or more folders that differ"),
        (["a", "b#1"], "ckpt_dirs b#1 holds '#'"),
    ],
)
def test_other_folders_are_refused(ckpt_dirs: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_ckpt_dirs(ckpt_dirs)


def test_a_copy_of_a_member_is_refused(tmp_path: Path) -> None:
    one, two = (written(tmp_path / name) for name in ("one", "two"))
    for folder, weights in ((one, "a"), (two, "b")):
        (Path(folder) / "model.pt").write_text(weights)
    check_members(one, [one, two])
    (Path(two) / "model.pt").write_text("a")
    with pytest.raises(ValueError, match=r"two/model.pt is a copy of .*one/model.pt; the members"):
        check_members(one, [one, two])


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"class_names": ["background", "b"]}, r'class_names is \["background", "b"\] in .*two/model.json and .*"a"\]'),
        ({"axcodes": "LPS"}, 'axcodes is "LPS" in .*two/model.json and "RAS" in .*one/model.json; the members'),
        ({"spacing": [1.0, 1.0, 2.0]}, r"spacing is \[1.0, 1.0, 2.0\] in .*two/model.json"),
        (
            {"network": {"_target_": "monai.networks.nets.dynunet.DynUNet"}},
            "two/model.json is of DynUNet for slices and .*one/model.json of UNet for slices; the members",
        ),
        ({"spatial_dims": 3}, "two/model.json is of UNet for volumes and .*one/model.json of UNet for slices"),
        ({"channels": ["T1"]}, r'channels is \["T1"\] in .*two/model.json and null'),
    ],
)
def test_members_that_are_made_for_something_else_are_refused(
    others: dict[str, Any], said: str, tmp_path: Path
) -> None:
    one, same = (written(tmp_path / name) for name in ("one", "same"))
    check_members(one, [one, same])
    with pytest.raises(ValueError, match=said):
        check_members(one, [one, same, written(tmp_path / "two", **others)])


def test_members_may_be_of_an_earlier_version_that_described_fewer_transforms(tmp_path: Path) -> None:
    one, earlier = written(tmp_path / "one", other_transforms=[["A", {}]]), written(tmp_path / "earlier")
    check_members(one, [one, earlier])
    with pytest.raises(ValueError, match=r"other_transforms is .*; the members"):
        check_members(one, [one, written(tmp_path / "two", other_transforms=[["A", {}], ["B", {}]])])


def test_the_first_member_is_the_model_of_the_run_and_each_says_what_it_is_for(tmp_path: Path) -> None:
    one, two = (written(tmp_path / name) for name in ("one", "two"))
    with pytest.raises(ValueError, match=r"ckpt_dir is other and ckpt_dirs begin with .*one: give ckpt_dirs alone"):
        check_members("other", [one, two])
    (tmp_path / "two" / "model.json").unlink()
    with pytest.raises(ValueError, match=r"there is no .*two/model\.json"):
        check_members(one, [one, two])


def test_a_member_that_was_trained_on_what_is_tested_is_refused(tmp_path: Path) -> None:
    splits = {"one": ("a", "b", "c"), "same": ("a", "b", "c"), "fold": ("c", "a", "b"), "chosen": ("a", "c", "b")}
    for name, cases in splits.items():
        drawn = Drawn(dict(zip(("training", "validation", "test"), ([case] for case in cases), strict=True)), {})
        (tmp_path / name).mkdir()
        write_split(drawn, tmp_path / name / "split.json")
    folders = {name: str(tmp_path / name) for name in splits}
    check_splits([folders["one"], folders["same"]], {"test": ["c"]})
    check_predicted([folders["one"], folders["same"]], ["c", "d"])
    check_predicted([], ["a"])
    with pytest.raises(ValueError, match=r"fold/split.json has c .*, and it is a test case here: .* by --input$"):
        check_predicted([folders["one"], folders["fold"]], ["c", "d"])
    check_splits([folders["one"], folders["chosen"]], {"validation": ["b"]})  # which is a test case there
    (tmp_path / "one" / "split.json").unlink()  # the split of the run is then drawn anew
    for name in ("fold", "chosen"):
        with pytest.raises(
            ValueError, match=rf"{name}/split.json has c for training or validation, and it is a test case here"
        ):
            check_splits([folders["one"], folders["same"], folders[name]], {"test": ["c"]})


def test_a_member_whose_split_is_not_known_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_predicted([str(tmp_path)], ["a"])
    [said] = caplog.messages
    assert said == (f"{tmp_path / 'split.json'} is not there: nothing says which cases the model was trained on")
