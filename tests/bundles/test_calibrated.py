"""A calibrator is fitted, and what goes through it is measured and written, in a bundle of each data set."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import COLLECTION, DATASETS, config_of, refused, trimmed, write_dataset
from committed import start as start_on
from monai.bundle import ConfigParser
from monai.bundle.scripts import ckpt_export

from calib_monai import checks
from calib_monai.phantoms import make_phantoms
from calib_monai.reports.run_files import read_run

OUTPUTS = [output for output in checks.OUTPUTS if output != "margin"]  # which needs more validation cases
OPTIONS: dict[str, dict[str, Any]] = {"ts": {}, "lts": {"fitting#lts#epochs": 1}}  # of a fit


def start(bundle: str, config: str, folder: Path, **options: Any) -> None:
    """A run on the data and the model that are in a folder, which writes there too."""
    start_on(bundle, config, folder / "data", folder, **{"output_dir": str(folder / "eval")} | options)


def prepare(bundle: str, folder: Path) -> dict[str, Any]:
    """Write phantoms, and a model that has learned nothing and its split; the settings to run with are returned."""
    config = config_of(bundle, "train")
    phantoms = make_phantoms(6, seed=5, num_classes=config["num_classes"])
    write_dataset(config["dataset"], folder / "data", trimmed(phantoms, 15, 19))
    (folder / "models").mkdir()
    parser = ConfigParser(deepcopy(config))
    parser["dataset_dir"] = str(folder / "data")
    split = {name: [case["case"] for case in cases] for name, cases in parser.get_parsed_content("datalist")().items()}
    (folder / "models" / "split.json").write_text(json.dumps(split))
    torch.manual_seed(0)
    network = parser.get_parsed_content("network_def")
    for weights in list(network.parameters())[-2:]:
        weights.data *= 30  # a network that is sure of itself, and whose classes meet in the image
    torch.save(network.state_dict(), folder / "models" / "model.pt")
    (folder / "models" / "model.json").write_text("{}")  # which says nothing of its training
    quick = {"n4_iterations": [1], "num_slices": 8}
    return {"slice_size": [48, 64]} | {name: value for name, value in quick.items() if name in config}


def maps_of(folder: Path, case: str) -> dict[str, Any]:
    """The maps that an inference wrote of a case."""
    return {
        output: nibabel.load(folder / "eval" / "predictions" / case / f"{case}_{output}.nii.gz") for output in OUTPUTS
    }


@pytest.mark.parametrize(("bundle", "kind"), [("acdc_nacl", "ts"), ("hippocampus_ce", "lts")])
def test_the_errors_of_a_fit_are_those_that_an_evaluation_measures(bundle: str, kind: str, tmp_path: Path) -> None:
    settings = prepare(bundle, tmp_path)
    start(bundle, "calibrate", tmp_path, calibrator=kind, **OPTIONS[kind], **settings)
    report = json.loads((tmp_path / "eval" / f"calibration_{kind}.json").read_text())
    settings |= {"cases#use": ["validation"], "validate#dataset#data": "$@cases['validation']", "figures": False}
    for name, calibrator in (("before", "none"), ("after", kind)):
        start(bundle, "evaluate", tmp_path, calibrator=calibrator, output_dir=str(tmp_path / name), **settings)
        found = read_run(tmp_path / name).metrics
        for error in ("nll_all", "ece_plausible", "ece_foreground"):
            assert found[error] == pytest.approx(report[f"{error}_{name}"], rel=1e-6)
        assert list(report[f"volume_errors_{name}"]) == config_of(bundle, "train")["class_names"][1:]


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_bundle_of_each_data_set_is_calibrated_and_writes_all_it_can(dataset: str, tmp_path: Path) -> None:
    bundle = f"{dataset}_nacl"
    settings = prepare(bundle, tmp_path)
    kind = "lts" if dataset in {"acdc", "busi", "brats"} else "ts"
    start(bundle, "calibrate", tmp_path, calibrator=kind, **OPTIONS[kind], **settings)
    report = json.loads((tmp_path / "eval" / f"calibration_{kind}.json").read_text())
    assert report["nll_after"] <= report["nll_before"]
    [case, *_] = json.loads((tmp_path / "models" / "split.json").read_text())["test"]
    start(bundle, "inference", tmp_path, outputs=["label"], **settings)
    before = np.asarray(nibabel.load(tmp_path / "eval" / "predictions" / case / f"{case}_label.nii.gz").dataobj)
    options = {"outputs": list(OUTPUTS), "num_views": 2, "probs_dtype": "uint8", "calibrator": kind}
    start(bundle, "inference", tmp_path, overwrite=True, **options, **settings)
    written = maps_of(tmp_path, case)
    assert np.array_equal(before, np.asarray(written["label"].dataobj))  # even where probabilities are resampled
    assert len(np.unique(before)) > 1
    label, probs = (np.asarray(written[name].dataobj) for name in ("label", "probs"))
    assert written["probs"].get_data_dtype() == np.uint8
    probs = probs.reshape(*label.shape, -1)
    assert np.abs(probs.sum(axis=-1) - 1).max() < probs.shape[-1] / 255
    for name in ("confidence", "entropy", "spread"):
        values = np.asarray(written[name].dataobj).reshape(label.shape)
        assert values.min() >= 0
        assert values.max() <= 1 + 1e-6
    assert written["spread"].get_fdata().max() > 0
    told = json.loads((tmp_path / "eval" / "predictions" / case / f"{case}_structures.json").read_text())
    config = config_of(bundle, "inference")
    assert list(told["structures"]) == config["class_names"][1:]
    for k, structure in enumerate(told["structures"].values(), start=1):
        unit = next(iter(structure))
        assert f"{unit}_interval" not in structure  # one validation case promises nothing
        voxel = 1.0 if unit == "area_pixels" else np.prod(written["label"].header.get_zooms()) / 1000
        assert structure[unit] == pytest.approx((label == k).sum() * voxel, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("bundle", ["hippocampus_ce", "acdc_ce"])
def test_a_calibrator_changes_what_is_measured_and_no_label(bundle: str, tmp_path: Path) -> None:
    settings = prepare(bundle, tmp_path)
    start(bundle, "calibrate", tmp_path, **settings)
    handlers = [handler["_target_"] for handler in config_of(bundle, "evaluate")["+validate"]["handlers"]]
    no_figures = {f"validate#handlers#{handlers.index('calib_monai.handlers.FiguresSaver')}#_disabled_": True}
    measured = {}
    for kind in ("none", "ts"):
        places = {"output_dir": str(tmp_path / kind), "calibrator": kind}
        start(bundle, "evaluate", tmp_path, **places, **settings, **no_figures)
        summary = json.loads((tmp_path / kind / "summary.json").read_text())
        assert summary["calibrator"] == kind
        measured[kind] = {name: metric["value"] for name, metric in summary["metrics"].items()}
    with refused(r"none/summary\.json is of an evaluation with the calibrator none"):
        start(bundle, "evaluate", tmp_path, output_dir=str(tmp_path / "none"), calibrator="ts", **settings)
    for name in ("dice_foreground", "hd95_mm", "asd_mm"):
        assert measured["ts"][name] == measured["none"][name]
    for name in ("ece_plausible", "ece_foreground", "nll_all", "brier_all"):
        assert measured["ts"][name] != measured["none"][name]


@pytest.mark.filterwarnings("ignore:The TorchScript type system", "ignore:.*torch.jit")
def test_the_calibrated_network_is_exported_to_a_file_of_its_own(tmp_path: Path) -> None:
    settings = prepare("hippocampus_ce", tmp_path)
    start("hippocampus_ce", "calibrate", tmp_path, calibrator="lts", **settings)
    models = tmp_path / "models"
    configs = COLLECTION / "hippocampus_ce" / "configs"
    given = {
        "net_id": "calibrated_network",
        "filepath": str(models / "calibrated.ts"),
        "meta_file": str(configs / "metadata.json"),
        "config_file": str(configs / "inference.json"),
        "ckpt_dir": str(models),
        "calibrator": "lts",
    }
    other = torch.load(models / "model.pt", weights_only=True)
    torch.save({name: values + 1 for name, values in other.items()}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"these weights are not those of .*models/model.pt, to which the calibrator"):
        ckpt_export(ckpt_file=str(tmp_path / "other.pt"), **given)
    ckpt_export(ckpt_file=str(models / "model.pt"), **given)
    exported = torch.jit.load(models / "calibrated.ts")
    parser = ConfigParser(config_of("hippocampus_ce", "inference"))
    parser["ckpt_dir"], parser["calibrator"] = str(models), "lts"
    network = parser.get_parsed_content("network").eval()
    network.load_state_dict(torch.load(models / "model.pt", weights_only=True))
    image = torch.rand(2, 1, 48, 64)
    calibrated = parser.get_parsed_content("calibrated_network").calibrator(network(image), image).softmax(dim=1)
    torch.testing.assert_close(exported(image), calibrated)
    assert not torch.allclose(calibrated, network(image).softmax(dim=1), atol=1e-2)


def test_what_cannot_be_read_is_passed_over_and_told_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = prepare("hippocampus_ce", tmp_path)
    images = sorted((tmp_path / "data" / "imagesTr").iterdir())
    images[1].write_bytes(images[1].read_bytes()[:100])
    scan = nibabel.load(images[2])
    voxels = scan.get_fdata(dtype=np.float32)
    voxels[0], voxels[1] = 3e38, -3e38  # whose difference float32 does not have
    nibabel.save(nibabel.Nifti1Image(voxels, scan.affine), images[2])
    with refused(r"^2 case\(s\) were skipped"):
        start("hippocampus_ce", "inference", tmp_path, input=str(images[0].parent), **settings)
    said, told = capsys.readouterr()
    assert f"{len(images) - 2} case(s)" in said
    assert f"{images[1].name} cannot be read: " in told
    assert f"{images[2].name} cannot be prepared: its values, -3e+38 to 3e+38, become NaN or infinite" in told
    assert len(list((tmp_path / "eval" / "predictions").glob("*/*_label.nii.gz"))) == len(images) - 2


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ("calibrate", {"calibrator": "none"}, "calibrator is none; it must be ts or lts"),
        ("calibrate", {"fitting#ts#region": "forground"}, "fitting#ts#region is 'forground'.*did you mean foreground"),
        (
            "calibrate",
            {"calibrator": "lts", "fitting#lts#learning_rate": "abc"},
            "learning_rate abc: it must be a number",
        ),
        ("calibrate", {"calibrator": "lts", "fitting#lts#epochs": 0}, "epochs is 0"),
        ("evaluate", {"calibrator": "tls"}, "it must be none, ts or lts; did you mean ts"),
        ("evaluate", {"calibrator": "ts"}, "there is no calibrator at"),
        ("inference", {"calibrator": "lts"}, "there is no calibrator at"),
        ("inference", {"outputs": ["labels"]}, "did you mean label"),
        ("inference", {"outputs": "label"}, "must be a list"),
        ("inference", {"probs_dtype": "float16"}, "must be one of float32, uint16, uint8"),
    ],
)
def test_what_is_not_known_is_refused(config: str, options: dict[str, Any], said: str, tmp_path: Path) -> None:
    settings = prepare("hippocampus_ce", tmp_path)
    with refused(said):
        start("hippocampus_ce", config, tmp_path, **options, **settings)
