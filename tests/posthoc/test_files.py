"""Calibrators on disk: what is read is what was written, for the model that it was fitted to and for no other."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from calib_monai.posthoc import LocalTemperatureScaling, TemperatureScaling, load_calibrator, save_calibrator
from calib_monai.posthoc.files import fitted_to, new_calibrator
from calib_monai.whole_files import UNFINISHED


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with a model and its calibrators, whose weights are drawn at random."""
    (tmp_path / "model.pt").write_bytes(b"weights")
    torch.manual_seed(0)
    for kind in ("ts", "lts"):
        calibrator = new_calibrator(kind, num_classes=3, in_channels=2)
        for weights in calibrator.parameters():
            nn.init.normal_(weights)
        path = save_calibrator(calibrator, kind, str(tmp_path))
        assert path == tmp_path / f"calibrator_{kind}.safetensors"
    return tmp_path


@pytest.mark.parametrize("kind", ["ts", "lts"])
def test_a_calibrator_comes_back_as_it_was_written(models: Path, kind: str) -> None:
    written = load_file(models / f"calibrator_{kind}.safetensors")
    read = load_calibrator(kind, str(models), num_classes=3, in_channels=2).state_dict()
    assert read.keys() == written.keys()
    assert all(torch.equal(read[name], written[name]) for name in written)
    assert not list(models.glob(f"{UNFINISHED}*"))


def test_a_file_says_what_it_was_fitted_to(models: Path) -> None:
    assert fitted_to(models / "calibrator_ts.safetensors") == ("all", None)
    path = save_calibrator(TemperatureScaling(), "ts", str(models), "plausible", patients=7)
    assert fitted_to(path) == ("plausible", 7)
    assert fitted_to(models / "model.pt") == fitted_to(models / "none") == ("", None)


def test_none_changes_no_logit(tmp_path: Path) -> None:
    logits = torch.randn(2, 3, 8, 8)
    assert torch.equal(load_calibrator("none", str(tmp_path), 3, 1)(logits), logits)


def test_a_calibrator_of_another_model_is_refused(models: Path) -> None:
    torch.save({"weight": torch.ones(1)}, models / "model.pt")
    with pytest.raises(ValueError, match=r"calibrator_ts.safetensors was fitted to another model.pt"):
        load_calibrator("ts", str(models), 3, 2)


def test_a_model_that_is_not_there_or_cannot_be_read_is_told_before_its_calibrator(models: Path) -> None:
    (models / "model.pt").write_bytes(b"half of a mod")
    with pytest.raises(ValueError, match=r"^\S+model\.pt cannot be read: train again"):
        load_calibrator("ts", str(models), 3, 2)
    (models / "model.pt").unlink()
    with pytest.raises(ValueError, match=r"^there is no model at \S+model\.pt: train first"):
        load_calibrator("ts", str(models), 3, 2)


@pytest.mark.parametrize("content", [b"", b"no header", b"\xff" * 8, b"\x02" + b"\x00" * 7 + b"{}"])
def test_a_damaged_file_is_refused(models: Path, content: bytes) -> None:
    (models / "calibrator_lts.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"calibrator_lts.safetensors is damaged"):
        load_calibrator("lts", str(models), 3, 2)


@pytest.mark.parametrize(("num_classes", "in_channels"), [(4, 2), (3, 1)])
def test_a_calibrator_for_another_network_is_refused(models: Path, num_classes: int, in_channels: int) -> None:
    with pytest.raises(ValueError, match=f"not fitted for {num_classes} classes and {in_channels} channel"):
        load_calibrator("lts", str(models), num_classes, in_channels)


@pytest.mark.parametrize(("kind", "other"), [("ts", "lts"), ("lts", "ts")])
def test_a_calibrator_of_another_kind_is_refused_by_its_kind(models: Path, kind: str, other: str) -> None:
    (models / f"calibrator_{other}.safetensors").replace(models / f"calibrator_{kind}.safetensors")
    for arguments in ((), (3, 2)):
        with pytest.raises(ValueError, match=f"calibrator_{kind}.safetensors holds no calibrator {kind}: fit it with"):
            load_calibrator(kind, str(models), *arguments)


def test_a_calibrator_knows_its_classes_and_channels(models: Path) -> None:
    found = load_calibrator("lts", str(models))
    assert isinstance(found, LocalTemperatureScaling)
    assert (found.num_classes, found.in_channels) == (3, 2)


def test_a_missing_calibrator_is_refused_with_the_command_that_fits_it(models: Path) -> None:
    (models / "calibrator_lts.safetensors").unlink()
    with pytest.raises(ValueError, match=r"calibrate.json'\]\" --calibrator lts"):
        load_calibrator("lts", str(models), 3, 1)


@pytest.mark.parametrize(
    ("log_temperature", "told"),
    [
        (math.inf, "holds weights that are not finite"),
        (-math.inf, "holds weights that are not finite"),
        (math.nan, "holds weights that are not finite"),
        (10.0, r"holds the temperature 22026\.5; it must be 0\.01 to 100"),
        (-5.0, r"holds the temperature 0\.0067\d*; it must be 0\.01 to 100"),
    ],
)
def test_a_temperature_that_no_fit_gives_is_refused(log_temperature: float, told: str, models: Path) -> None:
    calibrator = new_calibrator("ts", 3, 2)
    nn.init.constant_(calibrator.log_temperature, log_temperature)  # type: ignore[arg-type] # it is a parameter
    save_calibrator(calibrator, "ts", str(models))
    with pytest.raises(ValueError, match=rf"calibrator_ts\.safetensors {told}: fit it with"):
        load_calibrator("ts", str(models), 3, 2)


@pytest.mark.parametrize("temperature", [0.01, 100.0])
def test_the_ends_of_the_range_are_temperatures(temperature: float, models: Path) -> None:
    calibrator = new_calibrator("ts", 3, 2)
    nn.init.constant_(calibrator.log_temperature, math.log(temperature))  # type: ignore[arg-type] # it is a parameter
    save_calibrator(calibrator, "ts", str(models))
    loaded = load_calibrator("ts", str(models), 3, 2)
    assert torch.equal(loaded.log_temperature, calibrator.log_temperature)  # type: ignore[arg-type] # parameters


def test_local_temperatures_of_weights_that_are_not_finite_are_refused(models: Path) -> None:
    calibrator = new_calibrator("lts", 3, 2)
    nn.init.constant_(next(calibrator.parameters()), math.nan)
    save_calibrator(calibrator, "lts", str(models))
    with pytest.raises(ValueError, match=r"calibrator_lts\.safetensors holds weights that are not finite"):
        load_calibrator("lts", str(models), 3, 2)
