"""Savers: the files of an evaluation say what the metrics measured."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
from committed import in_two_processes
from evaluated_cases import EMPTY, MISSED, NAMES, engine_of_cases, evaluate, item
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.handlers import from_engine

from calib_monai.bins import Bins
from calib_monai.handlers import BinsSaver, Dice, ExpectedDice, MetricCollectionHandler, ResultsSaver, SliceSaver
from calib_monai.measures import measure_of
from calib_monai.reports.doubts import expected_dice, mean_confidence
from calib_monai.reports.run_files import read_run
from calib_monai.risk_coverage import area_under_risk_coverage


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """The folder after an evaluation of two cases."""
    return evaluate(tmp_path, [1, 2])


def test_each_case_has_a_row_with_columns_that_say_what_they_hold(evaluated: Path) -> None:
    with (evaluated / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ["case_1", "case_2"]
    assert "hd95_mm_anterior" in rows[0]
    assert "cece_foreground_background" in rows[0]
    assert "ece_foreground" in rows[0]
    assert "hd95_mm_background" not in rows[0]


def test_the_summary_is_that_of_the_rows(evaluated: Path) -> None:
    summary = json.loads((evaluated / "summary.json").read_text())
    with (evaluated / "cases.csv").open() as file:
        errors = [float(row["ece_foreground"]) for row in csv.DictReader(file)]
    measured = summary["metrics"]["ece_foreground"]
    assert summary["num_cases"] == measured["num_cases"] == 2
    assert measured["value"] == pytest.approx(np.mean(errors))
    assert measured["sd"] == pytest.approx(np.std(errors))
    assert summary["metrics"]["missed_structures"]["value"] == 0


def test_the_area_under_risk_and_coverage_of_each_confidence_is_noted(tmp_path: Path) -> None:
    engine = engine_of_cases()
    Dice().attach(engine, "dice_foreground")
    ExpectedDice().attach(engine, "expected_dice")
    MetricCollectionHandler(["ece_plausible"], from_engine(["prob", "label"])).attach(engine, "calibration")
    (tmp_path / "model.pt").touch()
    for saver in (
        BinsSaver(str(tmp_path)),
        SliceSaver(str(tmp_path)),
        ResultsSaver(str(tmp_path), NAMES, "hippocampus", "nacl", str(tmp_path / "model.pt")),
    ):
        saver.attach(engine)
    engine.run([1, 2, 4])
    summary = json.loads((tmp_path / "summary.json").read_text())
    run = read_run(tmp_path)
    risk = [1 - run.dice(case) for case in run.cases]
    found = summary["aurc"]
    assert found["num_cases"] == 3
    for name, order in (("expected_dice", expected_dice(run)), ("mean_confidence", mean_confidence(run))):
        assert found[name] == pytest.approx(area_under_risk_coverage(list(order.values()), risk), abs=1e-6)
    assert found["best"] <= found["expected_dice"]
    assert run.aurc == found
    assert found["by_chance"] == pytest.approx(np.mean(risk))


def test_without_a_dice_there_is_no_area(evaluated: Path) -> None:
    assert json.loads((evaluated / "summary.json").read_text())["aurc"] is None


def test_what_is_pooled_has_no_cases_and_no_deviation(evaluated: Path) -> None:
    metrics = json.loads((evaluated / "summary.json").read_text())["metrics"]
    bins = json.loads((evaluated / "bins.json").read_text())["cases"].values()
    whole = reduce(add, (Bins.from_dict(case["classes"]) for case in bins)).expected_calibration_error().mean()
    assert metrics["cece_foreground_pooled"] == {
        "value": pytest.approx(whole.item()),
        "sd": None,
        "num_cases": 2,
        "columns": {},
        "settings": {"num_bins": 15, "region": "foreground", "pooled": True, "debiased": False},
        "measure": asdict(measure_of("cece_foreground_pooled")),
        "voxels": sum(case["classes"]["total"][0] for case in bins),
    }
    assert "pooled" not in (evaluated / "cases.csv").read_text()
    with (evaluated / "summary.csv").open() as file:
        [row] = [row for row in csv.DictReader(file) if row["measure"] == "cece_foreground_pooled"]
    assert row["sd"] == ""


def test_the_summary_counts_what_has_no_value_and_what_is_missed(tmp_path: Path) -> None:
    evaluate(tmp_path, [1, EMPTY, MISSED])
    with (tmp_path / "summary.csv").open() as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert rows["ece_foreground"]["num_cases"] == "2"  # without foreground there is nothing to measure
    assert float(rows["missed_structures"]["value"]) == 3
    assert float(rows["missed_structures"]["sd"]) == pytest.approx(np.std([0, 2, 1]))
    assert {name: float(rows[f"missed_structures_{name}"]["value"]) for name in NAMES[1:]} == {
        "anterior": 1,
        "posterior": 2,
    }
    assert rows["hd95_mm_anterior"]["num_cases"] == "3"


def test_the_log_names_each_structure_that_failed_and_its_cases(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate(tmp_path, [1, EMPTY, MISSED])
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        "anterior failed in 1 of 3 case(s): case_100 (Dice -)",
        "posterior failed in 2 of 3 case(s): case_100 (Dice -), case_101 (Dice -)",
    ]


def test_a_second_evaluation_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    evaluate(tmp_path, [1, 2])
    evaluate(tmp_path, [3])
    assert [path.name for path in (tmp_path / "slices").iterdir()] == ["case_3.npz"]
    assert set(json.loads((tmp_path / "bins.json").read_text())["cases"]) == {"case_3"}


def test_names_that_are_not_the_networks_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"class_names are \['a', 'b'\], and the network has 3 classes"):
        evaluate(tmp_path, [1], ["a", "b"])


def test_an_image_is_kept_as_its_own_slice(tmp_path: Path) -> None:
    batch, output = item(1)
    engine = Engine(lambda engine, _: setattr(engine.state, "batch", [batch]) or [flat])  # type: ignore[func-returns-value]
    flat = {name: values[..., 0] for name, values in output.items()}
    SliceSaver(str(tmp_path)).attach(engine)
    engine.run([1])
    with np.load(tmp_path / "slices" / "case_1.npz") as kept:
        assert kept["image"].shape == kept["label"].shape == (6, 5)
        assert kept["probs"].shape == (3, 6, 5)
        assert not kept["from_below"]
        assert "index" not in kept


@pytest.mark.parametrize(("second_axis", "from_below"), [(1.0, True), (-1.0, False)])
def test_a_slice_is_shown_with_the_front_of_the_patient_above(
    tmp_path: Path, second_axis: float, *, from_below: bool
) -> None:
    batch, output = item(1)
    output["image"] = MetaTensor(output["image"], affine=torch.diag(torch.tensor([1.0, second_axis, 1.0, 1.0])))
    engine = Engine(lambda _engine, _batch: [output])
    SliceSaver(str(tmp_path)).attach(engine)
    engine.run([[batch]])
    with np.load(tmp_path / "slices" / "case_1.npz") as kept:
        assert bool(kept["from_below"]) == from_below


def one_of_two(rank: int, folder: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    evaluate(Path(folder), [[1, 2], [3]][rank])
    torch.distributed.destroy_process_group()


def test_two_processes_write_what_one_does(tmp_path: Path) -> None:
    both, alone = tmp_path / "both", tmp_path / "alone"
    both.mkdir()
    alone.mkdir()
    in_two_processes(one_of_two, str(both))
    evaluate(alone, [1, 2, 3])
    for name in ("cases.csv", "summary.csv", "bins.json"):
        assert (both / name).read_text() == (alone / name).read_text()
    assert sorted(path.name for path in (both / "slices").iterdir()) == [f"case_{n}.npz" for n in (1, 2, 3)]


def test_the_slice_kept_is_the_one_with_most_foreground(evaluated: Path) -> None:
    _, output = item(1)
    with np.load(evaluated / "slices" / "case_1.npz") as kept:
        assert kept["index"] == 0
        assert np.array_equal(kept["label"], output["label"][0, ..., 0])
        assert np.array_equal(kept["probs"], output["prob"][..., 0])
        assert kept["image"].shape == (6, 5)


def test_the_summary_names_the_network_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    saver = ResultsSaver(str(tmp_path / "eval"), NAMES, "hippocampus", "nacl", str(tmp_path / "model.pt"))
    engine = Engine(lambda *_: None)
    for known in ({}, {"network": {"_target_": "Net", "channels": [4]}}):
        (tmp_path / "model.json").write_text(json.dumps(known))
        saver.start(engine)
        saver.cases = [("case_1", "")]
        engine.state.metrics, engine.state.metric_details = {}, {"ece_foreground": torch.tensor([[0.1]])}
        saver.write(engine)
        assert json.loads((tmp_path / "eval" / "summary.json").read_text())["network"] == known.get("network", {})


def test_what_is_no_number_is_left_out_of_the_summary(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    saver = ResultsSaver(str(tmp_path), NAMES, "hippocampus", "nacl", str(tmp_path / "model.pt"))
    engine = Engine(lambda *_: None)
    saver.start(engine)
    saver.cases = [("case_1", "")]
    engine.state.metrics = {"ece_foreground": 0.1, "confusion": [[3, 1], [0, 2]]}
    engine.state.metric_details = {"ece_foreground": torch.tensor([[0.1]])}
    saver.write(engine)
    assert list(json.loads((tmp_path / "summary.json").read_text())["metrics"]) == ["ece_foreground"]
