"""A label that is ignored reaches training, validation, calibration, evaluation and its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import COLLECTION, FILES, start, trimmed, write_dataset
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from calib_monai.phantoms import make_phantoms
from calib_monai.reports.run_files import read_run
from calib_monai.reports.slice_files import IGNORED

SETTINGS = {"slice_size": [48, 64]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Phantoms of MRBrainS, a part of whose brain has the label 9 or 10 and one of which shows nothing else."""
    folder = tmp_path / "data"
    write_dataset("mrbrains", folder, trimmed(make_phantoms(7, seed=5, num_classes=4), 14, 18))
    for path in folder.rglob("segm.nii.gz"):
        file = nibabel.load(path)
        label = np.asarray(file.dataobj).copy()
        label[: label.shape[0] // 2, :, 1:3] = np.array([9, 10])
        label = np.full_like(label, 9) if path.parent.name == "4" else label
        nibabel.save(nibabel.Nifti1Image(label, file.affine), path)
    return folder


def released(data: Path, case: str) -> np.ndarray:
    """The label of a case as its file has it."""
    return np.asarray(nibabel.load(data / case / "segm.nii.gz").dataobj)


def named(out: Path, use: str) -> list[str]:
    """The cases of a set."""
    return list(json.loads((out / "split.json").read_text())[use])


@pytest.mark.parametrize("method", ["dice_ce", "bwcr", "crac"])
def test_the_labels_9_and_10_of_mrbrains_are_left_out_everywhere(method: str, data: Path, tmp_path: Path) -> None:
    bundle = f"mrbrains_{method}"
    settings: dict[str, Any] = SETTINGS | {"datalist#seed": 3}
    start(bundle, "train", data, tmp_path, epochs=1, batch_size=3, **settings)
    assert np.isfinite(float((tmp_path / "history.csv").read_text().splitlines()[1].split(",")[1]))
    start(bundle, "calibrate", data, tmp_path, **settings)
    [validated] = named(tmp_path, "validation")
    report = json.loads((tmp_path / "calibration_ts.json").read_text())
    assert report["voxels"] == 48 * 64 * 4 - np.isin(released(data, validated), (9, 10)).sum()
    start(bundle, "evaluate", data, tmp_path, figures=False, **settings)
    [tested] = named(tmp_path, "test")
    label = released(data, tested)
    run = read_run(tmp_path)
    assert run.bins.total.item() == (label <= 8).sum()  # after one epoch the foreground is plausible everywhere
    part = run.slice_of(tested)
    assert np.array_equal(part.label == IGNORED, np.isin(label[..., part.index], (9, 10)))


@pytest.mark.parametrize("ignore_index", [255, None])
def test_ignored_voxels_count_nowhere_in_the_expected_dice_of_an_evaluation(ignore_index: int | None) -> None:
    configs = COLLECTION / "mrbrains_ce" / "configs"
    parser = ConfigParser(ConfigParser.load_config_files([str(configs / f"{name}.json") for name in FILES["evaluate"]]))
    parser["ignore_index"] = ignore_index
    probs = torch.full((parser["num_classes"], 20, 20, 2), 1e-5)
    probs[1, :, 5:15] = 0.99
    probs[0] += 1 - probs.sum(dim=0)
    label = probs.argmax(dim=0, keepdim=True)
    label[:, 10:] = 0 if ignore_index is None else ignore_index
    pad = {"_target_": "SpatialPadd", "keys": "image", "spatial_size": [20, 20, -1]}
    parser["preparation"] = {"_target_": "Compose", "transforms": [pad]}
    image = MetaTensor(torch.rand(1, 20, 20, 2))
    case = parser.get_parsed_content("preparation")({"image": image, "scan": image, "truth": MetaTensor(label)})
    measured = parser.get_parsed_content("validate#postprocessing")({**case, "pred": probs.log(), "label": label})
    engine = Engine(lambda _engine, item: [item])
    handler = parser.get_parsed_content("validate#additional_metrics#expected_dice")
    handler.attach(engine, "expected_dice")
    parser.get_parsed_content("validate#handlers#0").attach(engine)
    engine.run([measured])
    value = handler.metric_fn.values()[0, 0].item()
    assert value == pytest.approx(0.995, abs=0.001)
