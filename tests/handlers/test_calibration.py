"""The handler fits as the calibrator does by itself, to all that the run predicted, and leaves nothing else behind."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine

from calib_monai.handlers import CalibratorFit
from calib_monai.handlers.calibration import FitInputs
from calib_monai.posthoc import load_calibrator
from calib_monai.posthoc.errors import Errors
from calib_monai.posthoc.files import fitted_to, new_calibrator
from calib_monai.posthoc.report import FitReport
from calib_monai.regions import Plausible

OPTIONS = {"ts": {"region": "foreground"}, "lts": {"epochs": 2, "learning_rate": 0.01}}
INPUTS = FitInputs(["0", "1", "2"], in_channels=1)
SEEDS = [0, 1]


def item(seed: int, batch_of: Callable[[int], dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """What the evaluator holds: slices as large as LTS needs them, and an image."""
    generator = torch.Generator().manual_seed(seed)
    larger = {name: values.repeat_interleave(3, dim=2) for name, values in batch_of(seed).items()}
    batch = {name: values.repeat_interleave(3, dim=3) for name, values in larger.items()}
    return batch | {"image": torch.rand(batch["label"].shape, generator=generator)}


def engine_on_cpu() -> Any:
    """An engine that knows its device, as MONAI's do."""
    engine: Any = Engine(lambda _engine, _seed: None)
    engine.state.device = torch.device("cpu")
    return engine


@pytest.mark.parametrize("kind", ["ts", "lts"])
def test_it_is_the_fit_to_all_that_was_predicted(
    kind: str, tmp_path: Path, batch_of: Callable[[int], dict[str, torch.Tensor]]
) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    items = [item(seed, batch_of) for seed in SEEDS]
    handler = CalibratorFit(kind, INPUTS, str(tmp_path), str(tmp_path / "eval"), OPTIONS)
    engine = engine_on_cpu()
    handler.start(engine)
    for predicted in items:
        engine.state.output = predicted
        handler.update(engine)
    handler.fit(engine)
    alone = new_calibrator(kind, 3, 1)
    report = alone.fit([(part["pred"], part["label"], part["image"]) for part in items], **OPTIONS[kind])
    read = load_calibrator(kind, str(tmp_path), 3, 1).state_dict()
    assert all(torch.equal(read[name], weights) for name, weights in alone.state_dict().items())
    told = json.loads((tmp_path / "eval" / f"calibration_{kind}.json").read_text())
    assert told["nll_after"] == report.nll_after < told["nll_before"]
    assert [path.name for path in (tmp_path / "eval").iterdir()] == [f"calibration_{kind}.json"]


def test_fits_to_two_models_at_once_keep_apart(
    tmp_path: Path, batch_of: Callable[[int], dict[str, torch.Tensor]]
) -> None:
    """Into one folder of results, as two seeds of a bundle may have."""
    handlers, engines = [], []
    for seed in SEEDS[:2]:
        models = tmp_path / f"models{seed}"
        models.mkdir()
        (models / "model.pt").write_bytes(b"weights")
        handlers.append(CalibratorFit("ts", INPUTS, str(models), str(tmp_path / "eval"), OPTIONS))
        engines.append(engine_on_cpu())
        handlers[-1].start(engines[-1])
    for seed, handler, engine in zip(SEEDS[:2], handlers, engines, strict=True):
        engine.state.output = item(seed, batch_of)
        handler.update(engine)
    for seed, handler, engine in zip(SEEDS[:2], handlers, engines, strict=True):
        handler.fit(engine)
        part = item(seed, batch_of)
        alone = new_calibrator("ts", 3, 1)
        alone.fit([(part["pred"], part["label"], part["image"])], **OPTIONS["ts"])
        read = load_calibrator("ts", handler.ckpt_dir, 3, 1).state_dict()
        assert all(torch.equal(read[name], weights) for name, weights in alone.state_dict().items())


@pytest.mark.parametrize(
    ("region", "after", "told"),
    [
        ("all", 0.2, ""),
        ("all", 0.4, "to fit to plausible voxels instead, give --fitting#ts#region plausible"),
        ("band", 0.4, "the voxels fitted to (band) became more likely, but ECE of plausible voxels rose"),
        ("plausible", 0.4, "validation cases decides, 50 -> 70 per 1000: use --calibrator none"),
        ("foreground", 0.2, "the label chose (foreground), which costs elsewhere: NLL of all voxels 50 -> 70 per 1000"),
        (
            "union",
            0.4,
            "ECE of all voxels 0.0020 -> 0.0030, ECE of plausible voxels 0.300 -> 0.400, error of the expected",
        ),
    ],
)
def test_a_fit_that_others_pay_for_is_warned_of(
    region: str,
    after: float,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    errors = Errors(0.05, 0.002, 0.3, 0.1, (0.1, 0.2)), Errors(0.07, 0.003, after, 0.1, (0.2, math.nan))
    report = FitReport(region, 20, 9, 0.5, 0.4, *errors, 0.7, 0.7, kept=True)
    names = ["background", "liver", "spleen"]
    options = {"ts": {"region": region}}
    handler = CalibratorFit("ts", FitInputs(names, 1), str(tmp_path), str(tmp_path / "eval"), options)
    monkeypatch.setattr(handler.calibrator, "fit", lambda *_, **__: report)
    engine = engine_on_cpu()
    handler.start(engine)
    handler.fit(engine)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [told in line for line in warned][-1:] == ([True] if told else [])
    assert len(warned) == bool(told) + (region == "all" and bool(told))
    written = json.loads((tmp_path / "eval" / "calibration_ts.json").read_text())
    assert (written["nll_all_before"], written["ece_plausible_after"]) == (0.05, after)
    assert written["volume_errors_after"] == {"liver": 0.2, "spleen": None}


def test_what_cannot_be_fitted_to_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, batch_of: Callable[[int], dict[str, torch.Tensor]]
) -> None:
    handler = CalibratorFit("ts", INPUTS, str(tmp_path), str(tmp_path / "eval"))
    engine = engine_on_cpu()
    handler.start(engine)
    engine.state.output = item(0, batch_of)
    engine.state.output["pred"][0, 0, 0, 0, 0] = torch.nan
    handler.update(engine)
    with pytest.raises(ValueError, match="all must be finite"):
        handler.fit(engine)
    assert not list((tmp_path / "eval").iterdir())
    assert not list(tmp_path.glob("*.pt"))


def fitted_by(handler: CalibratorFit, monkeypatch: pytest.MonkeyPatch, before: Errors, after: Errors) -> None:
    """Let a handler write a fit with these errors before and after."""
    report = FitReport(handler.region.name, 20, 9, 0.5, 0.4, before, after, 0.7, 0.7, kept=True)
    monkeypatch.setattr(handler.calibrator, "fit", lambda *_, **__: report)
    engine = engine_on_cpu()
    handler.start(engine)
    handler.fit(engine)


def test_the_cost_of_a_fit_is_only_what_became_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    handler = CalibratorFit("ts", INPUTS, str(tmp_path), str(tmp_path / "eval"), {"ts": {"region": "foreground"}})
    before = Errors(0.05, 0.002, 0.3, 0.1, (0.1, 0.2))
    fitted_by(handler, monkeypatch, before, Errors(0.07, 0.00201, 0.2, 0.05, (0.1, 0.2)))
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "costs elsewhere: NLL of all voxels 50 -> 70 per 1000; --fitting#ts#region all" in warning
    caplog.clear()
    fitted_by(handler, monkeypatch, before, before)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_calibrator_says_what_it_was_fitted_to_and_what_it_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "model.pt").write_bytes(b"weights")
    errors = Errors(0.05, 0.002, 0.3, 0.1, (0.1, 0.2))
    regions = ({"region": "foreground"}, {"region": Plausible(at_least=0.05)}, {})
    for options, told, replaced in zip(
        regions,
        ("foreground", "plausible, at_least 0.05", "all"),
        ("", "foreground", "plausible, at_least 0.05"),
        strict=True,
    ):
        caplog.clear()
        handler = CalibratorFit("ts", INPUTS, str(tmp_path), str(tmp_path / "eval"), {"ts": options})
        fitted_by(handler, monkeypatch, errors, errors)
        assert fitted_to(tmp_path / "calibrator_ts.safetensors").region == told
        assert json.loads((tmp_path / "eval" / "calibration_ts.json").read_text())["region"] == told
        assert (f"replaced is one fitted to {replaced} voxels" in caplog.text) is bool(replaced)
    assert "grid" not in caplog.text  # there is one only


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("control", {"region": "plausible"}, "fitting#control: .*'region'"),
        ("ts", {"ignore_index": 255}, "fitting#ts: .*'ignore_index'"),
        ("lts", {"rate": 0.1}, "fitting#lts: .*'rate'"),
        ("lts", {"epochs": 0}, "^fitting#lts#epochs is 0"),
        ("lts", {"seed": 0.5}, r"^fitting#lts#seed is 0\.5"),
        ("ts", {"region": "forground"}, "^fitting#ts#region is 'forground'.*did you mean foreground"),
    ],
)
def test_an_option_that_the_fit_does_not_take_is_refused_before(
    kind: str, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        CalibratorFit(kind, INPUTS, str(tmp_path), str(tmp_path), {kind: options})
