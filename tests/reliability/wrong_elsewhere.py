"""Ways to be wrong with the labeled data of another folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from spoiled import Change, voxels
from wrong_inputs import Wrong

LABELS = {"labels": {"1": "anterior", "2": "posterior"}}


def hospital(**content: Any) -> Change:
    """Writes a JSON for the folder `other`, which has copies of the data."""

    def change(folder: Path) -> None:
        shutil.copytree(folder / "data", folder / "other")
        (folder / "b.json").write_text(json.dumps({"folder": "other"} | content))

    return change


def turned(**content: Any) -> Change:
    """Writes the same, and turns the copies afterwards, so that they are of other patients."""

    def change(folder: Path) -> None:
        hospital(**content)(folder)
        for path in sorted((folder / "other").rglob("*.nii.gz")):
            voxels(str(path), lambda values: values[::-1])(folder)

    return change


BY_JSON = {"test_dir": "{}/b.json"}
WRONG_ELSEWHERE = [
    Wrong(
        f"other data: {name}", said, change, config, {"output_dir": "{}/new"} | BY_JSON | options, after_training=True
    )
    for name, said, change, config, options in (
        ("a hospital", None, turned(**LABELS), "evaluate", {"figures": False}),
        ("no folder", "test_dir .*gone is not a folder: set", hospital(), "evaluate", {"test_dir": "{}/gone"}),
        ("the training's", "is the dataset_dir of the training", hospital(), "evaluate", {"test_dir": "{}/data"}),
        ("a misspelled key", "sets 'lables'; it may .* mean labels", hospital(lables={}), "evaluate", {}),
        ("an unknown class", "calls 1 'lv'; the model's classes are", hospital(labels={"1": "lv"}), "evaluate", {}),
        ("a class without a value", "no value for posterior", hospital(labels={"1": "anterior"}), "evaluate", {}),
        (
            "a value without a class",
            r"holds the label value\(s\) 2; the labels of test_dir name 0, 1, 3",
            turned(labels={"1": "anterior", "3": "posterior"}),
            "evaluate",
            {},
        ),
        ("training cases", r"is that of .*split.json has for training", hospital(**LABELS), "evaluate", {}),
        ("no label", "holds no label", hospital(images=["{case}.x"], label="{case}.y"), "evaluate", {}),
        ("over the inside", "is of an evaluation of the test", turned(), "evaluate", {"output_dir": "{}/eval"}),
        ("two lists", "--split .* and --test_dir", turned(), "evaluate", {"split": "{}/models/split.json"}),
        ("a calibration", "unknown option --test_dir", turned(), "calibrate", {}),
    )
]
