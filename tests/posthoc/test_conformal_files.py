"""Conformal scores on disk belong to one model and one calibrator."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import safetensors.torch
import torch

from calib_monai.conformal import LEVELS
from calib_monai.posthoc import (
    Conformal,
    ConformalFit,
    MarginFit,
    Margins,
    TemperatureScaling,
    load_conformal,
    load_fitted,
    save_calibrator,
    save_conformal,
)
from calib_monai.posthoc.conformal_files import conformal_path
from calib_monai.posthoc.margins import THRESHOLDS

PROBS = torch.rand(10, 3, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
LABELS = torch.randint(3, (10, 1, 4, 4), generator=torch.Generator().manual_seed(0))
FITS = ConformalFit(), MarginFit()
for fit in FITS:
    fit.add(PROBS, LABELS)


def made(scores: torch.Tensor | None = None, missed: torch.Tensor | None = None) -> tuple[ConformalFit, MarginFit]:
    """Fits that hold these values."""
    intervals, margins = ConformalFit(), MarginFit()
    intervals.rows = list(FITS[0].scores().T if scores is None else scores)
    total, one_each = FITS[1].missed() if missed is None else missed, torch.ones(2, dtype=torch.long)
    margins.of_patients = {number: (total / len(PROBS), one_each) for number in range(len(PROBS))}
    return intervals, margins


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model and its calibrator, with scores for it and for none."""
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    save_calibrator(TemperatureScaling(), "ts", str(tmp_path))
    for kind in ("none", "ts"):
        assert save_conformal(*FITS, kind, str(tmp_path)) == tmp_path / f"conformal_{kind}.safetensors"
    return tmp_path


@pytest.mark.parametrize("kind", ["none", "ts"])
def test_scores_come_back_as_they_were_written(models: Path, kind: str) -> None:
    promises = load_conformal(kind, str(models), {"coverage": 0.8, "miss_rate": 0.1})
    assert promises is not None
    assert promises.intervals is not None
    assert promises.margins is not None
    expected = Conformal(FITS[0].scores(), FITS[0].patients(), 0.8)
    assert promises.intervals.intervals(PROBS[0]) == expected.intervals(PROBS[0])
    assert promises.margins.thresholds == Margins(FITS[1].missed(), FITS[1].counts(), 0.1).thresholds
    *nothing, why, why_no_margins = load_conformal(kind, str(models), {"coverage": 0.95, "miss_rate": 0.05})
    assert nothing == [None, None]
    assert (
        why
        == "a coverage of 0.95 needs 19 validation patients, and the fit had 10, which allow --conformal#coverage 0.9"
    )
    assert why_no_margins.startswith(
        "a miss_rate of 0.05 needs 19 validation patients with a structure, and the fit had"
    )


def test_without_scores_there_are_no_intervals(models: Path) -> None:
    assert load_conformal("lts", str(models)) is None
    with pytest.raises(ValueError, match="calibrator is tls; it must be none, ts or lts; did you mean ts"):
        load_conformal("tls", str(models))


def test_scores_of_another_model_or_calibrator_are_refused(models: Path) -> None:
    save_calibrator(TemperatureScaling(), "ts", str(models), region="foreground")
    with pytest.raises(ValueError, match=r"conformal_ts.safetensors was fitted to another calibrator_ts.safetensors"):
        load_conformal("ts", str(models))
    assert load_conformal("none", str(models)) is not None
    torch.save({"weight": torch.ones(2)}, models / "model.pt")
    with pytest.raises(ValueError, match=r"conformal_ts.safetensors was fitted to another model.pt: .*--calibrator ts"):
        load_conformal("ts", str(models))


def test_scores_with_a_calibrator_promise_nothing_without_it(models: Path) -> None:
    conformal_path("ts", str(models)).replace(conformal_path("none", str(models)))
    with pytest.raises(ValueError, match=r"conformal_none.safetensors was fitted to a calibrator: remove it, or"):
        load_conformal("none", str(models), {"coverage": 0.8})
    assert load_conformal("none", str(models)) is None


def test_scores_of_other_weights_stop_only_who_asks_for_a_promise(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save({"weight": torch.ones(2)}, models / "model.pt")
    with caplog.at_level(logging.INFO):
        assert load_fitted("none", str(models), dict(LEVELS)).promises[:2] == (None, None)
    [said] = caplog.messages
    assert said == (
        f"volumes have no intervals: calibrate.json, which writes {models}/conformal_none.safetensors, has not run for "
        "this model and calibrator"
    )
    stale = r"conformal_none.safetensors was fitted to another model.pt: .*--calibrator ts"
    with pytest.raises(ValueError, match=stale):
        load_conformal("none", str(models), {"coverage": 0.8})
    with pytest.raises(ValueError, match=stale):
        load_conformal("none", str(models), needed=True)


def test_scores_of_an_ensemble_lie_beside_its_first_member(models: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    torch.save({"weight": torch.ones(2)}, other / "model.pt")
    path = save_conformal(*FITS, "none", [str(models), str(other)])
    assert path == conformal_path("none", [str(models), str(other)]) == models / "conformal_none_ensemble.safetensors"
    assert load_conformal("none", [str(models), str(other)]) is not None
    save_calibrator(TemperatureScaling(), "ts", [str(models), str(other)])
    save_conformal(*FITS, "ts", [str(models), str(other)])
    torch.save({"weight": torch.ones(3)}, other / "model.pt")
    assert load_conformal("none", [str(models), str(other)]) is None  # another ensemble may have this first member, too
    with pytest.raises(ValueError, match="was fitted to other members than those of ckpt_dirs"):
        load_conformal("ts", [str(models), str(other)])


def test_a_damaged_file_is_refused(models: Path) -> None:
    (models / "conformal_none.safetensors").write_bytes(b"scores")
    with pytest.raises(ValueError, match=r"conformal_none.safetensors is damaged: remove it, or fit it with"):
        load_conformal("none", str(models))
    scores, missed = FITS[0].scores().T, FITS[1].missed()
    for wrong in (
        made(-scores - 1),
        made(scores / 0),
        made(scores[:, :1]),
        made(missed=-missed),
        made(missed=missed + 1),
    ):
        save_conformal(*wrong, "none", str(models))
        with pytest.raises(ValueError, match=r"conformal_none.safetensors holds values that no fit gives"):
            load_conformal("none", str(models))
    save_conformal(*FITS, "ts", str(models))
    path = models / "conformal_ts.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(path), path)  # without saying what it was made with
    with pytest.raises(ValueError, match=r"conformal_ts.safetensors was fitted to another model"):
        load_conformal("ts", str(models))
    (models / "calibrator_ts.safetensors").unlink()
    with pytest.raises(ValueError, match=r"there is no .*calibrator_ts.safetensors, which .*conformal_ts"):
        load_conformal("ts", str(models))


def test_the_file_holds_a_score_of_each_case_and_sums_over_cases(models: Path) -> None:
    written = safetensors.torch.load_file(models / "conformal_ts.safetensors")
    shapes = {name: tuple(values.shape) for name, values in written.items()}
    assert shapes == {"scores": (2, 10), "missed": (2, len(THRESHOLDS)), "patients": (10,), "counts": (2,)}


def test_any_fit_is_read_again(models: Path) -> None:
    """The shares of a saturated network are equal at many thresholds, and no sum of them may fall."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        probs = (12 * torch.randn(50, 2, 4, 4, generator=generator)).softmax(dim=1)
        fits = ConformalFit(), MarginFit()
        for fit in fits:
            fit.add(probs, torch.randint(2, (50, 1, 4, 4), generator=generator), patients=[n // 3 for n in range(50)])
        save_conformal(*fits, "none", str(models))
        assert load_conformal("none", str(models)) is not None


def test_a_file_of_an_earlier_version_has_a_patient_for_each_case(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = models / "conformal_none.safetensors"
    with safetensors.safe_open(path, framework="pt") as file:
        made_with = file.metadata()
    written = safetensors.torch.load_file(path)
    former = {"scores": written["scores"], "missed": written["missed"], "cases": written["counts"]}
    levels = {"coverage": 0.8, "miss_rate": 0.1}
    before = load_conformal("none", str(models), levels)
    safetensors.torch.save_file(former, path, made_with)
    assert not caplog.records
    after = load_conformal("none", str(models), levels)
    assert "conformal_none.safetensors is of an earlier version, which counted each case as a patient" in caplog.text
    assert before is not None
    assert after is not None
    assert before.intervals is not None
    assert after.intervals is not None
    assert after.intervals.factors == before.intervals.factors
    assert after.margins is not None
    assert before.margins is not None
    assert after.margins.thresholds == before.margins.thresholds
