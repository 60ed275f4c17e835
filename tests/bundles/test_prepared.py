"""Preparation: a model is used with the transforms that it was trained with, whatever changed them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from committed import COLLECTION, DATASETS, FILES, SMALL_NETWORK, phantoms_of, refused
from monai.bundle import ConfigParser, run

from calib_monai.descriptions import described_transforms

INVERTED = {"_target_": "Lambdad", "keys": "image", "func": "$lambda x: 1 - x"}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """For a data set, by its name, a folder of phantoms."""
    return phantoms_of(tmp_path_factory, 12, 18)


def described(dataset: str, name: str, transforms: str, **changes: Any) -> dict[str, Any]:
    """The description of transforms in a run of a bundle."""
    files = [str(COLLECTION / f"{dataset}_ce" / "configs" / f"{file}.json") for file in FILES[name]]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser["orientation"] = "RAS"
    for key, value in changes.items():
        parser[key] = value
    return described_transforms(parser.get_parsed_content(transforms))


@pytest.mark.parametrize("dataset", DATASETS)
def test_all_runs_of_a_bundle_describe_their_preparation_alike(dataset: str) -> None:
    trained = described(dataset, "train", "validate#preprocessing")
    assert trained["other_transforms"] or dataset == "busi"  # what is padded
    assert described(dataset, "evaluate", "validate#preprocessing") == trained
    assert described(dataset, "inference", "preprocessing") == trained


def test_another_channel_is_another_preparation() -> None:
    here = described("msd_prostate", "train", "validate#preprocessing")
    there = described("msd_prostate", "train", "validate#preprocessing", **{"loading#transforms#2#index": 1})
    assert here["other_transforms"][0] != there["other_transforms"][0]
    assert here["other_transforms"][1:] == there["other_transforms"][1:]


def test_a_model_is_used_with_the_preprocessing_that_a_file_added_and_with_the_windows_of_its_training(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    added = {f"+{name}#preprocessing#transforms": [INVERTED] for name in ("train", "validate")}
    (tmp_path / "inverted.json").write_text(json.dumps(added))

    def start(name: str, *laid_over: Path, **options: Any) -> None:
        root = COLLECTION / "hippocampus_ce"
        folders = {"ckpt_dir": str(tmp_path / "models"), "output_dir": str(tmp_path / name)}
        files = [*(root / "configs" / f"{file}.json" for file in FILES[name]), *laid_over]
        data = str(folder_of("hippocampus"))
        given: dict[str, Any] = {"bundle_root": str(root), "dataset_dir": data, **folders, **SMALL_NETWORK, **options}
        run(config_file=[str(file) for file in files], **given)

    start("train", tmp_path / "inverted.json", epochs=1, batch_size=64)
    there = json.loads((tmp_path / "models" / "model.json").read_text())["other_transforms"]
    assert [name for name, _ in there] == ["SpatialPadd", "Lambdad"]
    start("calibrate", tmp_path / "inverted.json")
    with refused(r"^other_transforms is \[\[\"SpatialPadd\", .*: a model must be used as it was trained"):
        start("calibrate")
    with refused("^other_transforms is "):
        start("inference", input=str(next((folder_of("hippocampus") / "imagesTr").glob("*.nii.gz"))))
    windows = {"_target_": "SlidingWindowInferer", "roi_size": [32, 32]}
    with refused(r"^inferer#roi_size is \[32, 32\], and the network is made for \[48, 64\]"):
        start("calibrate", tmp_path / "inverted.json", **{"inferer#roi_size": [32, 32]})
    with refused(r"^inferer#roi_size is \[32, 32\], and the network is made for \[48, 64\]"):
        start("inference", input="", inferer=windows)
    with refused("made_for#other_transforms .*; resume with the options it was trained with"):
        start("train", epochs=2, batch_size=64, resume=True)
