"""An evaluation measures intervals of volumes, and an inference writes them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
import torch.distributed
from committed import in_two_processes
from ignite.engine import Engine
from monai.data import MetaTensor

from calib_monai.handlers import ConformalPromises, PredictionsSaver
from calib_monai.posthoc import ConformalFit, MarginFit, load_conformal, load_fitted, save_conformal

NAMES = ["background", "anterior", "posterior"]


def case_of(seed: int) -> dict[str, torch.Tensor]:
    """What an evaluator holds of a case; that of seed 99 has no foreground."""
    generator = torch.Generator().manual_seed(seed)
    probs = (2 * torch.randn(3, 6, 5, 4, generator=generator)).softmax(dim=0)
    label = torch.randint(3, (1, 6, 5, 4), generator=generator) * (seed != 99)
    return {"prob": probs, "pred": probs.argmax(dim=0, keepdim=True), "label": label}


def fitted(folder: Path, cases: int) -> Path:
    """A folder with a model and the scores of so many cases."""
    torch.save({"weight": torch.zeros(2)}, folder / "model.pt")
    fits = ConformalFit(), MarginFit()
    for seed in range(100, 100 + cases):
        one = case_of(seed)
        for fit in fits:
            fit.add(one["prob"][None], one["label"][None])
    save_conformal(*fits, "none", str(folder))
    return folder


def measured(
    folder: Path, seeds: list[int], coverage: float = 0.9, miss_rate: float = 0.05, ignored: int | None = None
) -> Any:
    """The state of an engine after these cases; of the one with the seed `ignored` all voxels are ignored."""

    def step(engine: Engine, seed: int) -> list[dict[str, torch.Tensor]]:
        engine.state.batch = [{"case": f"case_{seed}"}]
        one = case_of(seed)
        return [{**one, "target": torch.full_like(one["label"], 255) if seed == ignored else one["label"]}]

    engine: Any = Engine(step)
    engine.state.metric_details, engine.state.ignore_index = {}, None if ignored is None else 255
    levels = {"coverage": coverage, "miss_rate": miss_rate}
    ConformalPromises(load_fitted("none", str(folder), levels)).attach(engine, "conformal")
    engine.run(seeds)
    return engine.state


def test_a_case_of_ignored_voxels_alone_is_not_covered_and_not_missed(tmp_path: Path) -> None:
    folder = fitted(tmp_path, 30)
    with_it, without = measured(folder, [1, 2, 3], ignored=3), measured(folder, [1, 2])
    assert with_it.metrics == without.metrics
    assert all(values[2].isnan().all() for values in with_it.metric_details.values())


def test_a_case_is_covered_if_its_interval_holds_the_volume_of_the_label(tmp_path: Path) -> None:
    state = measured(fitted(tmp_path, 10), [1, 2, 99], 0.5)
    promises = load_conformal("none", str(tmp_path), {"coverage": 0.5})
    assert promises is not None
    assert promises.intervals is not None
    covered, widths = (state.metric_details[name] for name in ("covered_volumes", "interval_width"))
    for row, seed in enumerate([1, 2, 99]):
        one = case_of(seed)
        for k, interval in enumerate(promises.intervals.intervals(one["prob"])):
            assert interval is not None
            volume = int((one["label"] == k + 1).sum())
            assert covered[row, k] == (interval[0] <= volume <= interval[1])
            if volume:
                assert widths[row, k] == (interval[1] - interval[0]) / volume
    assert widths[2].isnan().all()
    assert covered[2].tolist() == [0, 0]
    assert state.metrics["covered_volumes"] == covered.mean().item()
    assert state.metrics["interval_width"] == widths[:2].mean().item()
    assert state.metric_settings["covered_volumes"] == {
        "coverage": 0.5,
        "validation_cases": 10,
        "validation_patients": 10,
    }
    assert "margin_size" not in state.metrics  # 10 cases promise no miss rate of 0.05


def test_a_margin_misses_what_lies_outside_of_it(tmp_path: Path) -> None:
    state = measured(fitted(tmp_path, 10), [1, 2, 99], miss_rate=0.3)
    promises = load_conformal("none", str(tmp_path), {"miss_rate": 0.3})
    assert promises is not None
    assert promises.margins is not None
    missed, sizes = (state.metric_details[name] for name in ("miss_rate_margin", "margin_size"))
    for row, seed in enumerate([1, 2]):
        one = case_of(seed)
        for k, mask in enumerate(promises.margins.masks(one["prob"])):
            inside = one["label"][0] == k + 1
            assert missed[row, k] == (~mask)[inside].double().mean()
            assert sizes[row, k] == mask.sum() / inside.sum().double()
    assert missed[2].isnan().all()
    assert sizes[2].isnan().all()
    assert state.metric_settings["margin_size"] == {"miss_rate": 0.3, "validation_patients": [10, 10]}


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (8, "needs 9 validation patients, and the fit had 8, which allow --conformal#coverage 0.88"),
        (0, "has not run for this"),
    ],
)
def test_too_few_cases_or_none_are_told_and_measure_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, cases: int, said: str
) -> None:
    caplog.set_level(logging.INFO)
    folder = fitted(tmp_path, cases) if cases else tmp_path
    state = measured(folder, [1])
    assert state.metrics == state.metric_details == {}
    assert said in caplog.text
    assert "interval" not in predicted(folder)["structures"]["anterior"]


def predicted(folder: Path, outputs: Sequence[str] = ("label",), **conformal: float) -> dict[str, Any]:
    """What an inference writes of case 1."""
    engine: Any = Engine(lambda _engine, _batch: None)
    one = case_of(1)
    engine.state.batch, engine.state.output = [{"case": "one"}], [one | {"pred": MetaTensor(one["pred"])}]
    PredictionsSaver(str(folder), NAMES, outputs, ckpt_dir=str(folder), conformal=conformal)(engine)
    told: dict[str, Any] = json.loads((folder / "predictions" / "one" / "one_structures.json").read_text())
    return told


def test_an_inference_writes_the_intervals_that_an_evaluation_measures(tmp_path: Path) -> None:
    told = predicted(fitted(tmp_path, 19), coverage=0.95)
    promises = load_conformal("none", str(tmp_path), {"coverage": 0.95})
    assert promises is not None
    assert promises.intervals is not None
    expected = promises.intervals.intervals(case_of(1)["prob"])
    found = [numbers["volume_ml_interval"] for numbers in told["structures"].values()]
    assert found == [pytest.approx([end / 1000 for end in interval or ()], abs=1e-4) for interval in expected]
    assert told["interval"] | {"about": ""} == {"coverage": 0.95, "validation_patients": 19, "about": ""}


def test_an_inference_writes_margins_and_their_sizes(tmp_path: Path) -> None:
    told = predicted(fitted(tmp_path, 10), ["margin"], miss_rate=0.2)
    promises = load_conformal("none", str(tmp_path), {"miss_rate": 0.2})
    assert promises is not None
    assert promises.margins is not None
    expected = promises.margins.masks(case_of(1)["prob"])
    written = nibabel.load(tmp_path / "predictions" / "one" / "one_margin.nii.gz")
    assert written.get_data_dtype() == "uint8"
    assert np.array_equal(np.moveaxis(np.asarray(written.dataobj), -1, 0), expected.numpy())
    sizes = [numbers["volume_ml_margin"] for numbers in told["structures"].values()]
    assert sizes == [pytest.approx(int(mask.sum()) / 1000) for mask in expected]
    assert told["margin"]["thresholds"] == dict(zip(NAMES[1:], promises.margins.thresholds, strict=True))


def test_a_margin_of_a_structure_that_few_cases_show_holds_every_voxel(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    fits = ConformalFit(), MarginFit()
    for seed in range(9):
        one = case_of(seed)
        label = one["label"].masked_fill(one["label"] == 2, 0) if seed else one["label"]
        for fit in fits:
            fit.add(one["prob"][None], label[None])
    save_conformal(*fits, "none", str(tmp_path))
    told = predicted(tmp_path, ["margin"], miss_rate=0.3)
    assert "the margin of posterior holds every voxel: a miss_rate of 0.3 needs 3 validation patients" in caplog.text
    written = np.asarray(nibabel.load(tmp_path / "predictions" / "one" / "one_margin.nii.gz").dataobj)
    assert written[..., 1].all()
    assert not written[..., 0].all()
    assert ["volume_ml_margin" in numbers for numbers in told["structures"].values()] == [True, False]


@pytest.mark.parametrize(
    ("cases", "why"),
    [
        (0, r"calibrate.json, which writes .*conformal_none\.safetensors, has not run for this model and calibrator;"),
        (
            10,
            r"a miss_rate of 0\.05 needs 19 .* the fit had 10 at most, which allow --conformal#miss_rate 0\.1;",
        ),
    ],
)
def test_a_margin_that_nothing_promises_is_refused_with_the_reason(tmp_path: Path, cases: int, why: str) -> None:
    folder = fitted(tmp_path, cases) if cases else tmp_path
    with pytest.raises(ValueError, match=f"outputs name margin, and {why}"):
        predicted(folder, ["margin"])
    assert "volume_ml_margin" not in predicted(folder)["structures"]["anterior"]


def one_of_two(rank: int, folder: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    state = measured(Path(folder), [[1, 2], [3]][rank])
    torch.save([state.metrics, state.metric_details], f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    in_two_processes(one_of_two, str(fitted(tmp_path, 10)))
    alone = measured(tmp_path, [1, 2, 3])
    for rank in (0, 1):
        metrics, details = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert metrics == alone.metrics
        assert all(details[name].equal(values) for name, values in alone.metric_details.items())
