"""A metric that a user adds to an evaluation is in its results, report and experiment, as the user describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import COLLECTION, FILES, config_of, trimmed, write_dataset
from monai.bundle import ConfigParser, run
from monai.metrics import CumulativeIterationMetric

from calib_monai.bins import Bins
from calib_monai.experiments.__main__ import main
from calib_monai.metrics import ECEMetric
from calib_monai.phantoms import make_phantoms
from calib_monai.reports.report import write_report
from calib_monai.reports.run_files import read_run

ONE_HOT = {"_target_": "calib_monai.handlers.one_hot_from_engine", "num_classes": "@num_classes"}


class MCEMetric(ECEMetric):
    """Largest distance of accuracy from confidence: what `calibration` takes."""

    def measured(self, rows: torch.Tensor) -> torch.Tensor:
        """The largest of the bins' distances."""
        bins = Bins.from_tensor(rows)
        return (bins.mean_confidence() - bins.accuracy()).abs().nan_to_num().amax(dim=-1)


class OverlapMetric(CumulativeIterationMetric):
    """One number a case without an axis of classes, as MONAI lets a metric keep it."""

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:  # type: ignore[override]
        assert y is not None
        return (y_pred * y)[:, 1:].flatten(1).sum(dim=1)

    def aggregate(self) -> torch.Tensor:
        """The mean over cases."""
        buffer = self.get_buffer()
        assert isinstance(buffer, torch.Tensor)
        return buffer.mean()


def handler(metric: dict[str, Any]) -> dict[str, Any]:
    """An entry of `additional_metrics`, as MONAI's bundles write it, but that the metric is given one-hot."""
    return {"_target_": "IgniteMetricHandler", "metric_fn": metric, "output_transform": ONE_HOT}


OWN = {
    "+validate#additional_metrics": {
        "overlap": handler({"_target_": "test_own_metrics.OverlapMetric"}),
        "sensitivity": handler({"_target_": "ConfusionMatrixMetric", "metric_name": "sensitivity"}),
        "of_each": handler({"_target_": "DiceMetric", "include_background": True, "reduction": "none"}),
    },
    "+validate#additional_metrics#calibration#metrics": {
        "mce_plausible": {"_target_": "test_own_metrics.MCEMetric"},
    },
}
MEASURES = {
    "overlap": {"title": "Overlap (voxels)", "decimals": 1, "more_is_better": True},
    "mce_plausible": {"title": "Largest error"},
}

RECORD = {
    "options": {"--seed": "0"},
    "seconds": 1.0,
    "started": "2026-11-23T05:45:32+00:00",
    "commit": "abc",
    "versions": {},
    "hardware": {"device": "processor"},
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Evaluations of two networks that have learned nothing."""
    folder = tmp_path_factory.mktemp("own")
    write_dataset("hippocampus", folder / "data", trimmed(make_phantoms(6, seed=5), 15, 19))
    (folder / "own.json").write_text(json.dumps(OWN))
    bundle = COLLECTION / "hippocampus_ce"
    files = [*(str(bundle / "configs" / f"{name}.json") for name in FILES["evaluate"]), str(folder / "own.json")]
    parser = ConfigParser(config_of(bundle, "train"))
    parser["dataset_dir"] = str(folder / "data")
    split = {name: [case["case"] for case in cases] for name, cases in parser.get_parsed_content("datalist")().items()}
    found = []
    for seed, method in enumerate(("one", "other")):
        trial = folder / "unet" / method / "seed0_fold0"
        (trial / "models").mkdir(parents=True)
        (trial / "models" / "split.json").write_text(json.dumps(split))
        (trial / "models" / "model.json").write_text("{}")
        torch.manual_seed(seed)
        torch.save(parser.get_parsed_content("network_def").state_dict(), trial / "models" / "model.pt")
        run(
            config_file=files,
            bundle_root=str(bundle),
            dataset_dir=str(folder / "data"),
            ckpt_dir=str(trial / "models"),
            output_dir=str(trial / "eval"),
            method=method,
            measures=MEASURES,
            figures=False,
            slice_size=[48, 64],
        )
        for path in (trial / "train.json", trial / "eval" / "evaluate.json"):  # as the workflow leaves them
            path.write_text(json.dumps(RECORD))
        found.append(trial / "eval")
    return found


def test_it_is_in_the_results_with_its_title_and_direction(evaluated: list[Path]) -> None:
    found = read_run(evaluated[0])
    shown = {name: (found.measure(name).title, found.measure(name).more_is_better) for name in found.metrics}
    assert shown["overlap"] == ("Overlap (voxels)", True)
    assert shown["mce_plausible"] == ("Largest error", False)
    assert shown["sensitivity"] == ("sensitivity", None)
    assert found.measure("overlap").decimals == 1
    assert {"overlap", "mce_plausible"} <= set(next(iter(found.cases.values())))


@pytest.mark.usefixtures("undrawn")
def test_it_is_in_the_report_and_in_the_tables_of_an_experiment(evaluated: list[Path], tmp_path: Path) -> None:
    write_report([read_run(folder) for folder in evaluated], tmp_path / "report")
    main([*map(str, evaluated), "--out", str(tmp_path / "experiment")])
    page = (tmp_path / "report" / "report.html").read_text()
    pages = [page, *((tmp_path / "experiment" / name).read_text() for name in ("report.html", "results.tex"))]
    for text in pages:
        for title in ("Overlap (voxels)", "Largest error", "sensitivity"):
            assert title in text
    ranked = json.loads((tmp_path / "experiment" / "results.json").read_text())
    assert ranked["measures"]["overlap"]["title"] == "Overlap (voxels)"
