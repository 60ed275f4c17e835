"""The bins of an evaluation: those of the metrics, measured once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from evaluated_cases import EMPTY, MISSED, engine_of_cases, evaluate, item
from ignite.engine import Engine
from monai.handlers import from_engine

from calib_monai.bins import Bins
from calib_monai.handlers import BinsSaver, MetricCollectionHandler
from calib_monai.metrics import CECEMetric, ECEMetric


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """The folder after an evaluation of two cases."""
    return evaluate(tmp_path, [1, 2])


def test_the_bins_give_the_metric_back(evaluated: Path) -> None:
    cases = json.loads((evaluated / "bins.json").read_text())["cases"]
    errors = [Bins.from_dict(case["top_label"]).expected_calibration_error().item() for case in cases.values()]
    by_class = [Bins.from_dict(case["classes"]).expected_calibration_error().mean().item() for case in cases.values()]
    metrics = json.loads((evaluated / "summary.json").read_text())["metrics"]
    assert all(case["num_voxels"] >= sum(case["top_label"]["count"]) > 0 for case in cases.values())
    assert len({case["label"] for case in cases.values()}) == 2
    assert {len(case["label"]) for case in cases.values()} == {32}
    assert np.mean(errors) == pytest.approx(metrics["ece_foreground"]["value"])
    assert np.mean(by_class) == pytest.approx(metrics["cece_foreground"]["value"])


def test_what_the_metrics_refuse_is_not_binned(tmp_path: Path) -> None:
    engine = Engine(lambda *_: None)
    batch, output = item(1)
    engine.state.batch, engine.state.output = [batch], [output | {"prob": output["prob"].log()}]
    with pytest.raises(ValueError, match="apply softmax"):
        BinsSaver(str(tmp_path)).update(engine)


@pytest.mark.parametrize("region", ["plausible", "all"])
def test_bins_that_the_run_measures_are_those_that_a_saver_alone_would_compute(region: str, tmp_path: Path) -> None:
    written = []
    for shared in (False, True):
        engine, folder = engine_of_cases(), tmp_path / str(shared)
        folder.mkdir()
        if shared:
            metrics = {f"{kind.__name__[:-6].lower()}_plausible": kind() for kind in (ECEMetric, CECEMetric)}
            MetricCollectionHandler(metrics, from_engine(["prob", "label"])).attach(engine, "calibration")
        saver = BinsSaver(str(folder), region)
        saver.attach(engine)
        engine.run([1, EMPTY, MISSED])
        assert bool(saver.measured) is (shared and region == "plausible")
        written.append(json.loads((folder / "bins.json").read_text()))
    first, second = (content.pop("cases") for content in written)
    assert written[0] == written[1]
    assert list(first) == list(second) == ["case_1", "case_100", "case_101"]
    for name, bins in first.items():
        assert bins["num_voxels"] == second[name]["num_voxels"] == 120
        for kind in ("top_label", "classes"):
            for sums in ("count", "confidence", "correctness", "total"):
                np.testing.assert_allclose(bins[kind][sums], second[name][kind][sums], rtol=1e-9, atol=1e-12)
