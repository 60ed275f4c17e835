"""Trained networks in `results`: each predicts a phantom, and real cases with the committed numbers where they are."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from committed import REPOSITORY, start
from PIL import Image

from calib_monai.phantoms import make_phantoms

NETWORKS = sorted(path.parent for path in (REPOSITORY / "results").glob("*/*/*/model.pt"))
DATA = REPOSITORY.parent / "shared" / "data"  # where there is some
FOLDERS = {"acdc": "ACDC", "busi": "Dataset_BUSI_with_GT", "hippocampus": "Task04_Hippocampus"}
CASES = 2  # that are measured
of_each = pytest.mark.parametrize("network", NETWORKS, ids=lambda folder: folder.relative_to(REPOSITORY).as_posix())


def told_of(network: Path) -> dict[str, Any]:
    """What its model.json says."""
    return json.loads((network / "model.json").read_text(encoding="utf-8"))


def run_of(network: Path, kind: str, data: Path, out: Path, **options: Any) -> None:
    """A run of the bundle that it was trained with."""
    told = told_of(network)
    bundle = f"{told['dataset']}_{told['bundle_method']}"
    if volumes := len(told["slice_size"]) == 3:
        options["patch_size"] = told["slice_size"]
    start(bundle, f"{kind}_volumes" if volumes else kind, data, out, **{"ckpt_dir": str(network)} | options)


@of_each
def test_a_trained_network_predicts_a_phantom(network: Path, tmp_path: Path) -> None:
    told = told_of(network)
    [phantom] = make_phantoms(1, num_classes=len(told["class_names"])).values()
    if told["dataset"] == "busi":
        image, shown = tmp_path / "phantom.png", phantom.image[..., phantom.image.shape[-1] // 2]
        Image.fromarray((255 * shown / shown.max()).astype(np.uint8).T).save(image)
    else:
        image, shown = tmp_path / "phantom.nii.gz", phantom.image
        nibabel.save(nibabel.Nifti1Image(shown, np.eye(4)), image)
    run_of(network, "inference", tmp_path, tmp_path, input=str(image), calibrator="ts")
    values = np.asarray(nibabel.load(tmp_path / "predictions" / "phantom" / "phantom_label.nii.gz").dataobj)
    assert np.squeeze(values).shape == shown.shape
    assert values.max() < len(told["class_names"])
    if told["dataset"] == "hippocampus":  # which phantoms resemble
        assert values.max() > 0


@of_each
def test_a_trained_network_has_the_committed_numbers_of_real_cases(network: Path, tmp_path: Path) -> None:
    told = told_of(network)
    data = DATA / FOLDERS[told["dataset"]]
    if not data.is_dir():
        pytest.skip("the real data are not here")
    models = shutil.copytree(network, tmp_path / "models")
    split = json.loads((models / "split.json").read_text(encoding="utf-8"))
    split["test"] = split["test"][:CASES]
    (models / "split.json").write_text(json.dumps(split))
    (models / "model.json").write_text(json.dumps(told | {"split_checksum": ""}))  # of the whole split
    options = {"ckpt_dir": str(models), "figures": False}
    run_of(network, "evaluate", data, tmp_path, **options)
    row = json.loads((network.parent / "results.json").read_text(encoding="utf-8"))["rows"][told["method"]]
    trials = [one for one in row["trials"] if network.name == f"{told['method']}_seed{one['seed']}"]
    [trial] = [one for one in trials if split["test"][0] in one["cases"]]  # of its fold
    with (tmp_path / "cases.csv").open(encoding="utf-8") as file:
        rows = {measured["case"]: measured for measured in csv.DictReader(file)}
    assert list(rows) == split["test"]
    for case, measured in rows.items():
        committed = trial["cases"][case]
        for name in ("nll_all", "brier_all", "ece_plausible", "ece_foreground"):
            assert float(measured[name]) == pytest.approx(committed[name], rel=0, abs=1e-4), name
        dice = [float(measured[name]) for name in measured if name.startswith("dice_foreground")]
        assert np.nanmean(dice) == pytest.approx(committed["dice_foreground"], rel=0, abs=1e-4)
