"""Duplicates: pictures that are nearly the same are one group, whatever was done to them, and others are none."""

from __future__ import annotations

import json
import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from calib_monai.datalists.busi import busi_split, read_busi, write_busi
from calib_monai.datalists.duplicates import with_groups
from calib_monai.datalists.split_files import Drawn, kept_split, names_of, patients_of_split, write_split
from calib_monai.datalists.splits import Split
from calib_monai.phantoms import make_phantoms


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight images, of which the first benign one is there three times: brighter, and smaller in another folder."""
    write_busi(str(tmp_path / "BUSI"), make_phantoms(6, seed=5, num_classes=2))
    original, mask = (tmp_path / "BUSI" / "benign" / f"benign (1){ending}.png" for ending in ("", "_mask"))
    with Image.open(original) as image, Image.open(mask) as shown:
        brighter = ImageEnhance.Brightness(image).enhance(0.8)
        smaller = image.resize((image.width // 2 * 2 - 4, image.height - 6))
        for name, copy in (("benign/benign (9)", brighter), ("malignant/malignant (9)", smaller)):
            copy.save(tmp_path / "BUSI" / f"{name}.png")
            shown.resize(copy.size).save(tmp_path / "BUSI" / f"{name}_mask.png")
    return tmp_path / "BUSI"


COPIES = {"benign (1)", "benign (9)", "malignant (9)"}


def test_copies_are_one_group_and_others_are_none(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = {case["case"]: case.get("patient") for case in with_groups(read_busi(str(folder)))}
    assert {name for name, patient in found.items() if patient} == COPIES
    assert {found[name] for name in COPIES} == {"benign (1)"}
    assert (
        "1 group(s) of near-duplicates stay on one side of the split: benign (1), benign (9), malignant" in caplog.text
    )


@pytest.mark.parametrize("seed", range(4))
def test_copies_are_on_one_side_of_every_split(folder: Path, seed: int) -> None:
    split = busi_split(str(folder), seed)
    assert len([name for name, cases in split.items() if {case["case"] for case in cases} & COPIES]) == 1
    assert patients_of_split(split) == dict.fromkeys(COPIES, "benign (1)")
    assert patients_of_split(busi_split(str(folder), seed, group_duplicates=False)) == {}


def test_bits_change_no_group_and_what_cannot_be_read_is_in_none(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((40, 50))
    for name, picture in (("a", (255 * values).astype(np.uint8)), ("b", (4095 * values).astype(np.uint16))):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    Image.new("L", (50, 40), 9).save(tmp_path / "flat.png")
    Image.new("L", (50, 40), 7).save(tmp_path / "flat_2.png")
    (tmp_path / "broken.png").write_text("words")
    cases = [{"image": str(tmp_path / f"{name}.png"), "case": name} for name in ("a", "b", "flat", "flat_2", "broken")]
    assert [case.get("patient") for case in with_groups(cases)] == ["a", "a", None, None, None]


def test_a_split_that_lies_beside_a_model_is_kept_and_what_crosses_it_is_told(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    datalist = partial(busi_split, str(folder))
    names = {"training": ["benign (1)"], "validation": ["benign (2)"], "test": ["benign (9)", "malignant (1)"]}
    path = tmp_path / "split.json"
    write_split(Drawn(names, {}), path)
    split, _ = kept_split(datalist(), {}, path, ["training", "validation", "test"])
    assert names_of(split) == names
    assert "1 of its 2 test case(s) are near-duplicates" in caplog.text
    assert "first benign (9) and benign (1); results on them say too much" in caplog.text


def test_a_split_on_disk_says_whose_cases_they_are(tmp_path: Path) -> None:
    split: Split = {
        "training": [{"case": "a", "patient": "p"}, {"case": "b", "patient": "p"}],
        "validation": [{"case": "c"}],
        "test": [{"case": "d"}],
    }
    write_split(Drawn(names_of(split), {"split_seed": 1}, patients_of_split(split)), tmp_path / "split.json")
    written = json.loads((tmp_path / "split.json").read_text())
    assert written["patients"] == {"a": "p", "b": "p"}
    assert written["drawn_with"] == {"split_seed": 1}
