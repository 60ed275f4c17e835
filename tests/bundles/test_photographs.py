"""Photographs: a JSON of ten lines makes a bundle for color pictures with masks of two values."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import REPOSITORY, config_of, start
from monai.bundle import ConfigParser
from PIL import Image

from calib_monai.reports.run_files import read_run

PART = """{
    "like": "pictures",
    "both": {
        "datalist": {"images": ["photos/{case}.*"], "label": "masks/{case}.png"}
    },
    "train": {"class_names": ["background", "lesion"]}
}"""
SIZE = (40, 56)  # rows and columns of the phantoms


def photograph(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A reddish lesion on skin, (H, W, 3), and where it is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    row, column = rng.uniform(14, 26), rng.uniform(18, 38)
    lesion = ((rows - row) / rng.uniform(6, 11)) ** 2 + ((columns - column) / rng.uniform(6, 14)) ** 2 < 1
    colors = np.where(lesion[..., None], (150, 70, 60), (220, 180, 160)) + rng.normal(0, 12, (*SIZE, 3))
    return colors.clip(0, 255).astype(np.uint8), lesion


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photographs of every kind that lies in one folder in practice."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "photos").mkdir()
    (folder / "masks").mkdir()
    for number in range(8):
        colors, lesion = photograph(number)
        image = Image.fromarray(colors)
        image = image.convert({5: "L", 6: "RGBA"}.get(number, "RGB"))
        image.save(folder / "photos" / f"skin {number}.{'jpg' if number < 4 else 'png'}")
        mask = Image.fromarray(255 * lesion.astype(np.uint8))
        mask = Image.fromarray(lesion.astype(np.uint8)) if number == 1 else mask
        mask.convert({2: "RGB", 3: "1", 4: "P"}.get(number, "L")).save(folder / "masks" / f"skin {number}.png")
    return folder


def composed(part: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle that a part of one's own makes with NACL."""
    (folder / "skin.json").write_text(part)
    program = str(REPOSITORY / "scripts" / "compose_bundles.py")
    options = ["--dataset", str(folder / "skin.json"), "--method", "nacl", "--out", str(folder)]
    monkeypatch.setattr(sys, "argv", [program, *options])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(program, run_name="__main__")
    return folder / "skin_nacl"


def test_a_bundle_for_photographs_trains_evaluates_calibrates_and_predicts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PART.count("\n") <= 10
    bundle = str(composed(PART, tmp_path, monkeypatch))
    size: dict[str, Any] = {"slice_size": [48, 64]}
    start(bundle, "train", data, tmp_path, epochs=12, batch_size=2, learning_rate=0.005, **size)
    start(bundle, "evaluate", data, tmp_path, figures=False, **size)
    measured = read_run(tmp_path).metrics
    assert measured["dice_foreground"] > 0.6
    assert measured.keys() >= {"hd95_pixels", "asd_pixels"}
    start(bundle, "calibrate", data, tmp_path, calibrator="lts", **{"fitting#lts#epochs": 2}, **size)
    start(bundle, "inference", data, tmp_path, calibrator="lts", outputs=["label", "probs", "spread"], **size)
    for case in json.loads((tmp_path / "split.json").read_text())["test"]:
        written = tmp_path / "predictions" / case
        label = nibabel.load(written / f"{case}_label.nii.gz").get_fdata()
        assert label.shape == SIZE[::-1]
        found = json.loads((written / f"{case}_structures.json").read_text())["structures"]["lesion"]
        assert found["area_pixels"] == label.sum()


def test_several_masks_of_a_photograph_are_united(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = PART.replace('masks/{case}.png"', 'masks/{case}_*.png", "several_masks": true')
    parser = ConfigParser(config_of(composed(part, tmp_path, monkeypatch), "train"))
    parser["dataset_dir"] = str(shutil.copytree(data, tmp_path / "data"))
    masks = tmp_path / "data" / "masks"
    for mask in masks.glob("*.png"):
        mask.rename(masks / f"{mask.stem}_1.png")
    _, lesion = photograph(0)
    Image.fromarray(255 * np.roll(lesion, 3, axis=0).astype(np.uint8)).save(masks / "skin 0_2.png")
    found = [case for cases in parser.get_parsed_content("datalist")().values() for case in cases]
    [case] = [case for case in found if case["case"] == "skin 0"]
    label = parser.get_parsed_content("loading")(case)["label"]
    assert len(found) == 8
    np.testing.assert_array_equal(label[0], (lesion | np.roll(lesion, 3, axis=0)).T)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that calls a pixel a lesion where its red is above one half."""
    folder = tmp_path_factory.mktemp("oracle")
    weights = {"weight": torch.zeros(2, 3, 1, 1), "bias": torch.tensor([0.0, -20.0])}
    weights["weight"][1, 0] = 40
    torch.save(weights, folder / "model.pt")
    return folder


@pytest.mark.parametrize("shape", [(1, 60), (60, 1), (300, 400), (16, 16), (48, 64)])
@pytest.mark.parametrize("kind", ["RGB", "L", "I;16"])
def test_pictures_of_any_size_keep_it_in_all_that_is_written(
    shape: tuple[int, int], kind: str, oracle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros(shape, np.uint8)
    values[tuple(slice(0, max(1, size // 2)) for size in shape)] = 255
    image = Image.fromarray(values.astype(np.uint16) * 16) if kind == "I;16" else Image.fromarray(values).convert(kind)
    image.save(tmp_path / "a.png")
    bundle = str(composed(PART, tmp_path, monkeypatch))
    network = {"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 2, "kernel_size": 1}
    options = {"network_def": network, "ckpt_dir": str(oracle), "outputs": ["label", "probs", "confidence", "entropy"]}
    start(bundle, "inference", tmp_path, tmp_path / "out", input=str(tmp_path / "a.png"), **options)
    written = tmp_path / "out" / "predictions" / "a"
    for name in ("label", "probs", "confidence", "entropy"):
        found = nibabel.load(written / f"a_{name}.nii.gz").shape
        assert found[:2] == shape[::-1], name
    label = nibabel.load(written / "a_label.nii.gz").get_fdata().reshape(shape[::-1])
    assert np.mean((values > 0) == label.T) > 0.97
    area = json.loads((written / "a_structures.json").read_text())["structures"]["lesion"]["area_pixels"]
    assert area == label.sum()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"like": "pictures"', '"like": "photos"'), r"is like 'photos'; a data set can be like pictures"),
        (
            ('["photos/{case}.*"]', '["a/{case}.png", "b/{case}.png"]'),
            "has 2 images and 3 channels; .* or the three of",
        ),
        (('"train"', '"numbers": {"pixdim": [1, 1, 1]}, "train"'), "sets numbers#pixdim, which nothing in it takes"),
    ],
)
def test_a_part_of_pictures_that_cannot_be_is_refused(
    change: tuple[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=said):
        composed(PART.replace(*change), tmp_path, monkeypatch)
