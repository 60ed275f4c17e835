"""Ensembles of a bundle: predicted, calibrated and evaluated as one network, and compared by a report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import COLLECTION, refused, start, trimmed, write_dataset
from monai.bundle import ckpt_export
from monai.metrics import compute_dice
from monai.networks.utils import one_hot
from spared import leave_undrawn

from calib_monai.phantoms import make_phantoms
from calib_monai.reports.run_files import read_run, read_runs

BUNDLE, CASE = "hippocampus_nacl", "phantom_000"
SMALL: dict[str, Any] = {"patch_size": [16, 16, 8], "network_def#channels": [4, 8, 8, 8], "batch_size": 4}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Phantoms, two networks of one split and a third one of another fold, each trained for an epoch."""
    folder = tmp_path_factory.mktemp("ensemble")
    write_dataset("hippocampus", folder / "data", trimmed(make_phantoms(6, 5), 14, 18))
    for seed, fold in ((0, 0), (1, 0), (2, 1)):
        start(BUNDLE, "train", folder / "data", folder / str(seed), epochs=1, seed=seed, fold=fold)
    return folder


def members(folder: Path, *seeds: int) -> dict[str, Any]:
    """The option that names networks by their seeds."""
    return {"ckpt_dirs": [str(folder / str(seed) / "models") for seed in seeds]}


def run(folder: Path, config: str, out: str, **options: Any) -> Path:
    """What a run writes, with no pictures; a single network is given by its `ckpt_dir`."""
    first = {"ckpt_dir": options["ckpt_dirs"][0]} if "ckpt_dirs" in options else {}
    start(BUNDLE, config, folder / "data", folder / out, **first, **options)
    return folder / out


def probs(out: Path, case: str = CASE) -> np.ndarray:
    """The probabilities that an inference wrote of a case."""
    return np.asarray(nibabel.load(out / "predictions" / case / f"{case}_probs.nii.gz").dataobj)


def dice_between(folders: list[Path], case: str) -> float:
    """The mean Dice between the labels that two inferences wrote of a case, by MONAI."""
    labels = [
        torch.as_tensor(np.asarray(nibabel.load(out / "predictions" / case / f"{case}_label.nii.gz").dataobj))
        for out in folders
    ]
    both = [one_hot(label[None, None], 3) for label in labels]
    return float(compute_dice(*both, include_background=False).nanmean())


def test_an_inference_writes_the_mean_of_the_probabilities_of_the_members(trained: Path) -> None:
    image = {"input": str(trained / "data" / "imagesTr" / f"{CASE}.nii.gz")}
    both = probs(run(trained, "inference", "both", **image, **members(trained, 0, 1)))
    alone = [
        probs(run(trained, "inference", f"alone_{seed}", **image, ckpt_dir=str(trained / str(seed) / "models")))
        for seed in (0, 1)
    ]
    np.testing.assert_allclose(both, np.mean(alone, axis=0), rtol=0, atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 0.01


def test_a_calibrator_of_an_ensemble_is_fitted_to_its_mean_and_refused_with_other_members(trained: Path) -> None:
    run(trained, "calibrate", "fit", **members(trained, 0, 1), calibrator="ts")
    assert (trained / "0" / "models" / "calibrator_ts_ensemble.safetensors").is_file()
    assert not (trained / "0" / "models" / "calibrator_ts.safetensors").exists()
    plain, calibrated = (
        run(trained, "evaluate", f"both_{name}", **members(trained, 0, 1), calibrator=name, figures=False)
        for name in ("none", "ts")
    )
    summary = json.loads((calibrated / "summary.json").read_text())
    assert summary["members"] == [str(trained / seed / "models" / "model.pt") for seed in ("0", "1")]
    nll = [json.loads((out / "summary.json").read_text())["metrics"]["nll_all"]["value"] for out in (plain, calibrated)]
    assert nll[0] != nll[1]
    with refused("calibrator_ts_ensemble.safetensors was fitted to other members than those of ckpt_dirs"):
        run(trained, "evaluate", "other", **members(trained, 0, 2), calibrator="ts", figures=False)
    with refused("summary.json is of an evaluation of the ensemble of .*, and this one is of a single network"):
        run(trained, "evaluate", "both_none", ckpt_dir=str(trained / "0" / "models"), figures=False)
    names = [run.name for run in read_runs([plain, calibrated])]
    assert names == ["both_none, ensemble of 2 (nacl)", "both, ensemble of 2 + TS (nacl)"]


def test_members_of_other_folds_or_networks_are_refused(trained: Path) -> None:
    split = trained / "0" / "models" / "split.json"
    for aside in (split, split.with_name("aside.json")):  # then the drawn cases are tested, and 2 knows some of them
        split.rename(aside)
        with refused("2/models/split.json has .* for training or validation, and it is a test case here"):
            run(trained, "evaluate", "fold", **members(trained, 0, 2), figures=False)
        aside.rename(split)
    with refused("2/models/split.json has .*, and it is a test case here.* or give other images by --input"):
        run(trained, "inference", "fold", **members(trained, 0, 2))
    assert not list(trained.glob("fold/predictions/*"))
    made_for = trained / "1" / "models" / "model.json"
    before = made_for.read_text()
    made_for.write_text(json.dumps(json.loads(before) | {"axcodes": "LPS"}))
    try:
        with refused('axcodes is "LPS" in .*1/models/model.json and "RAS" in .*0/models/model.json; the members'):
            run(trained, "inference", "axes", **members(trained, 0, 1))
    finally:
        made_for.write_text(before)


def test_an_ensemble_is_not_exported(trained: Path, tmp_path: Path) -> None:
    root = COLLECTION / BUNDLE
    with pytest.raises(ValueError, match="an ensemble is not exported to one file: leave out --ckpt_dirs"):
        ckpt_export(
            net_id="calibrated_network",
            filepath=str(tmp_path / "it.ts"),
            ckpt_file=str(trained / "0" / "models" / "model.pt"),
            config_file=str(root / "configs" / "inference.json"),
            bundle_root=str(root),
            **members(trained, 0, 1),
        )
    assert not (tmp_path / "it.ts").exists()


def test_members_of_volumes_are_calibrated_evaluated_and_predicted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_undrawn(monkeypatch)
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(8, 5), 12, 20))
    for seed in (0, 1):
        start(BUNDLE, "train_volumes", tmp_path / "data", tmp_path / str(seed), epochs=1, seed=seed, **SMALL)
    both = members(tmp_path, 0, 1) | SMALL
    run(tmp_path, "calibrate_volumes", "fit", **both, calibrator="ts")
    evaluated = run(tmp_path, "evaluate_volumes", "evaluated", **both, calibrator="ts")
    predicted = run(tmp_path, "inference_volumes", "predicted", **both)
    alone = [
        run(tmp_path, "inference_volumes", f"alone_{seed}", **SMALL, ckpt_dir=str(tmp_path / str(seed) / "models"))
        for seed in (0, 1)
    ]
    found = read_run(evaluated)
    for case, values in found.cases.items():
        mean = np.mean([probs(out, case) for out in alone], axis=0)
        np.testing.assert_allclose(probs(predicted, case), mean, rtol=0, atol=1e-6)
        told = json.loads((predicted / "predictions" / case / f"{case}_structures.json").read_text())["pairwise_dice"]
        assert values["pairwise_dice"] == pytest.approx(dice_between(alone, case), abs=1e-6)
        assert told == pytest.approx(values["pairwise_dice"], abs=1e-4)
    assert found.metrics["pairwise_dice"] == pytest.approx(
        np.mean([row["pairwise_dice"] for row in found.cases.values()])
    )
    summary = json.loads((evaluated / "summary.json").read_text())
    assert summary["aurc"].keys() == {
        *("num_cases", "expected_dice", "pairwise_dice", "mean_confidence", "best", "by_chance")
    }
    assert summary["aurc"]["best"] <= summary["aurc"]["pairwise_dice"]
    page = (evaluated / "report" / "report.html").read_text()
    assert "by Dice between members" in page
    assert "cases are too few to tell which confidence is better." in page
