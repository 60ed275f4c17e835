"""Conformal scores on disk belong to one model and one calibrator."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from calib_monai.posthoc import (
    TemperatureScaling,
    conformal_path,
    load_conformal,
    save_calibrator,
    save_conformal,
)

SCORES = torch.arange(20, dtype=torch.float64).view(2, 10)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model and its calibrator, with scores for it and for none."""
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    save_calibrator(TemperatureScaling(), "ts", str(tmp_path))
    for kind in ("none", "ts"):
        assert save_conformal(SCORES, kind, str(tmp_path)) == tmp_path / f"conformal_{kind}.safetensors"
    return tmp_path


@pytest.mark.parametrize("kind", ["none", "ts"])
def test_scores_come_back_as_they_were_written(models: Path, kind: str) -> None:
    conformal = load_conformal(kind, str(models), {"coverage": 0.9})
    assert conformal is not None
    assert (conformal.factors, conformal.cases, conformal.coverage) == ([9, 19], 10, 0.9)


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
    with pytest.raises(
        ValueError, match=r"conformal_none.safetensors was fitted to another model.pt: .*--calibrator ts"
    ):
        load_conformal("none", str(models))


def test_scores_of_an_ensemble_lie_beside_its_first_member(models: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    torch.save({"weight": torch.ones(2)}, other / "model.pt")
    path = save_conformal(SCORES, "none", [str(models), str(other)])
    assert path == conformal_path("none", [str(models), str(other)]) == models / "conformal_none_ensemble.safetensors"
    assert load_conformal("none", [str(models), str(other)]) is not None
    save_calibrator(TemperatureScaling(), "ts", [str(models), str(other)])
    save_conformal(SCORES, "ts", [str(models), str(other)])
    torch.save({"weight": torch.ones(3)}, other / "model.pt")
    assert load_conformal("none", [str(models), str(other)]) is None  # another ensemble may have this first member, too
    with pytest.raises(ValueError, match="was fitted to other members than those of ckpt_dirs"):
        load_conformal("ts", [str(models), str(other)])


def test_a_damaged_file_is_refused(models: Path) -> None:
    (models / "conformal_none.safetensors").write_bytes(b"scores")
    with pytest.raises(ValueError, match=r"conformal_none.safetensors is damaged: fit it with"):
        load_conformal("none", str(models))
    for wrong in (-SCORES, SCORES / 0, SCORES[0], SCORES[:, :0]):
        save_conformal(wrong, "none", str(models))
        with pytest.raises(ValueError, match=r"conformal_none.safetensors holds scores that no fit gives"):
            load_conformal("none", str(models))
    (models / "calibrator_ts.safetensors").unlink()
    with pytest.raises(ValueError, match=r"there is no .*calibrator_ts.safetensors, which .*conformal_ts"):
        load_conformal("ts", str(models))


def test_the_file_holds_nothing_but_scores(models: Path) -> None:
    written = safetensors.torch.load_file(models / "conformal_ts.safetensors")
    assert list(written) == ["scores"]
    assert torch.equal(written["scores"], SCORES)
