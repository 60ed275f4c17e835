"""Whatever the storage order of its voxels, a scan gets the same label map in space, and the same scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import DATASETS, config_of, start, trimmed, write_dataset
from compose_bundles import main as compose
from monai.data import ITKReader, ITKWriter, MetaTensor
from monai.data.image_reader import itk
from monai.transforms import LoadImage, Orientation
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from scipy.ndimage import gaussian_filter

from calib_monai.datalists.files import save_nifti
from calib_monai.phantoms import Phantom, make_phantoms

ORDERS = ("RAS", "LPS", "PIR", "ASL")
SHIFT = (3, 2)  # voxels of a slice between what the network looks at and what it says
VOLUMES = [name for name in DATASETS if name != "busi"]  # pictures have no orientation


def phantoms(count: int, num_classes: int) -> dict[str, Phantom]:
    """One phantom several times, its image smooth: what interpolation does to noise is not looked at here."""
    [(image, label)] = trimmed(make_phantoms(1, seed=4, num_classes=num_classes), 8, 28).values()
    smooth = 1000 * gaussian_filter((label > 0).astype(np.float32), 1.5)
    return {str(index): Phantom(smooth.astype(image.dtype), label) for index in range(count)}


def store(file: Path, order: str) -> Path:
    """Write a volume again with its voxels in another order; a DICOM series as one file."""
    if file.name.endswith(".nii.gz"):
        image = nibabel.load(file)
        turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(tuple(order)))
        turned = image.as_reoriented(turn)
        nibabel.save(nibabel.Nifti1Image(np.asarray(turned.dataobj), turned.affine), file)
        return file
    volume = LoadImage(ITKReader(pixel_type=itk.F), image_only=True, ensure_channel_first=True)(file)
    turned = Orientation(order, labels=(("L", "R"), ("P", "A"), ("I", "S")))(volume)
    if file.is_dir():
        file = file.with_name(f"{file.parents[1].name}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(np.asarray(turned[0]), turned.affine.numpy()), file)
        return file
    writer = ITKWriter(output_dtype=np.uint8 if "mask" in file.name else np.float32)
    writer.set_data_array(turned, channel_dim=0)
    writer.set_metadata({"affine": turned.affine, "original_affine": turned.affine, "spatial_shape": turned.shape[1:]})
    writer.write(file)
    return file


def shifting(channels: int, classes: int, models: Path) -> dict[str, Any]:
    """A network that says class 1 where the image is bright a few voxels away, which shows how slices are turned."""
    size = 2 * max(SHIFT) + 1
    network = torch.nn.Conv2d(channels, classes, size, padding=max(SHIFT))
    with torch.no_grad():
        network.weight.zero_()
        network.bias.fill_(-20.0)
        network.bias[:2] = torch.tensor([10.0, -10.0])
        at = (0, max(SHIFT) + SHIFT[0], max(SHIFT) + SHIFT[1])
        network.weight[0][at], network.weight[1][at] = -20.0, 20.0
    torch.save(network.state_dict(), models / "model.pt")
    arguments = {"in_channels": channels, "out_channels": classes, "kernel_size": size, "padding": max(SHIFT)}
    return {"_target_": "torch.nn.Conv2d", **arguments}


def written_in_all_orders(dataset: str, data: Path) -> list[dict[str, Any]]:
    """The cases of a folder in which each has another storage order."""
    module = import_module(f"calib_monai.datalists.{dataset}")
    num_classes = config_of(f"{dataset}_ce", "train")["num_classes"]
    write_dataset(dataset, data, phantoms(6 if dataset in ("acdc", "nci_isbi") else 4, num_classes))
    for case, order in zip(getattr(module, f"read_{dataset}")(str(data)), cycle(ORDERS), strict=False):
        for key in ("image", "label"):
            files = case[key] if isinstance(case[key], list) else [case[key]]
            for file in map(Path, files):
                store(file, order)
                for part in file.glob("*.dcm"):
                    part.unlink()
    return list(getattr(module, f"read_{dataset}")(str(data)))


def in_space(file: Path) -> Mapping[str, Any]:
    """A label map in one order, whatever its own."""
    image = nibabel.load(file)
    volume = MetaTensor(np.asarray(image.dataobj, np.float32)[None], affine=image.affine)
    return Orientation("RAS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(volume)


@pytest.mark.parametrize("dataset", VOLUMES)
def test_every_storage_order_gets_the_same_label_map_and_the_same_scores(dataset: str, tmp_path: Path) -> None:
    cases = written_in_all_orders(dataset, tmp_path / "data")
    models, config = tmp_path / "models", config_of(f"{dataset}_ce", "train")
    models.mkdir()
    names = [case["case"] for case in cases]
    (models / "split.json").write_text(json.dumps({"training": [], "validation": [], "test": names}))
    (models / "model.json").write_text(json.dumps({"axcodes": config["axcodes"]}))
    options: dict[str, Any] = {"network_def": shifting(config["in_channels"], config["num_classes"], models)}
    options |= {"slice_size": [48, 64]}  # with a model.json that says nothing of it
    options |= {name: value for name, value in {"n4_iterations": [1], "num_slices": 64}.items() if name in config}
    start(f"{dataset}_ce", "inference", tmp_path / "data", tmp_path, outputs=["label"], **options)
    start(f"{dataset}_ce", "evaluate", tmp_path / "data", tmp_path, figures=False, **options)
    maps = [in_space(tmp_path / "predictions" / name / f"{name}_label.nii.gz") for name in names]
    assert maps[0].sum() > 1000
    for case, other in zip(cases, maps, strict=True):
        assert 2 * (maps[0] * other).sum() / (maps[0].sum() + other.sum()) > 0.99, case
        stored = nibabel.load(tmp_path / "predictions" / case["case"] / f"{case['case']}_label.nii.gz")
        image = case["image"] if isinstance(case["image"], str) else case["image"][0]
        if image.endswith(".nii.gz"):
            assert stored.shape == nibabel.load(image).shape[:3]
            np.testing.assert_allclose(stored.affine, nibabel.load(image).affine, atol=1e-4)
    column = f"dice_foreground_{config['class_names'][1]}" if config["num_classes"] > 2 else "dice_foreground"
    with (tmp_path / "cases.csv").open() as file:
        dice = [float(row[column]) for row in csv.DictReader(file)]
    assert max(dice) - min(dice) < 0.01
    assert min(dice) > 0.05


def test_volumes_of_ones_own_are_sliced_along_their_thickest_axis(tmp_path: Path) -> None:
    part = {
        "image": {"channels": ["T1"]},
        "both": {"slice_size": [48, 64], "datalist": {"images": ["{case}.nii.gz"], "label": "{case}-mask.nii.gz"}},
        "train": {"class_names": ["background", "anterior", "posterior"]},
    }
    (tmp_path / "brains.json").write_text(json.dumps(part))
    compose(["--method", "ce", "--dataset", str(tmp_path / "brains.json"), "--out", str(tmp_path)])
    for name, (image, label) in trimmed(make_phantoms(4, seed=2), 12, 24).items():
        for ending, voxels in (("", image), ("-mask", label)):
            affine = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 6, 0, 0], [0, 0, 0, 1.0]])
            save_nifti(tmp_path / "data" / f"{name}{ending}.nii.gz", voxels.transpose(0, 2, 1), affine)
    bundle = str(tmp_path / "brains_ce")
    start(bundle, "train", tmp_path / "data", tmp_path, epochs=1)
    made_for = json.loads((tmp_path / "models" / "model.json").read_text())
    assert made_for["axcodes"] == "RAS"
    assert made_for["training_images"]["size"][2] == [12, 12]
    assert made_for["training_images"]["spacing"] == [[1, 1], [1, 1], [6, 6]]
    start(bundle, "evaluate", tmp_path / "data", tmp_path, figures=False)
    start(bundle, "inference", tmp_path / "data", tmp_path)
    [tested] = json.loads((tmp_path / "split.json").read_text())["test"]
    label = nibabel.load(tmp_path / "predictions" / tested / f"{tested}_label.nii.gz")
    assert label.shape == nibabel.load(tmp_path / "data" / f"{tested}.nii.gz").shape
    assert nibabel.aff2axcodes(label.affine) == ("R", "S", "A")


def test_an_image_far_outside_of_the_training_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(6, seed=5), 14, 20))
    start("hippocampus_ce", "train", tmp_path / "data", tmp_path, epochs=1)
    [(image, _)] = make_phantoms(1, seed=9).values()
    save_nifti(tmp_path / "coarse.nii.gz", image[..., :6], np.diag([2.0, 2.0, 2.0, 1.0]))
    start("hippocampus_ce", "inference", tmp_path, tmp_path, input=str(tmp_path / "coarse.nii.gz"))
    assert (
        "coarse is far outside of what the model was trained on: a spacing of 2 x 2 x 2 mm" in capsys.readouterr().out
    )
    told = json.loads((tmp_path / "predictions" / "coarse" / "coarse_structures.json").read_text())
    assert told["note"].startswith("far outside of what the model was trained on: a spacing of 2 x 2 x 2 mm")
