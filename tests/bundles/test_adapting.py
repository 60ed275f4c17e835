"""Methods that change as they train: CRaC's multipliers, the moving average of BWCR, random views for any method."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import REPOSITORY, SMALL_NETWORK, config_of, refused, same_bits, start, trimmed, write_dataset
from monai.bundle import ConfigParser

from calib_monai.phantoms import make_phantoms


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hippocampus phantoms of six slices."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(6, seed=5), 14, 20))
    return folder


def trained(method: str, data: Path, out: Path, epochs: int, **options: Any) -> dict[str, Any]:
    """The checkpoint of the last epoch of a training."""
    options = SMALL_NETWORK | {"batch_size": 8, "ckpt_dir": str(out)} | options
    start("hippocampus_" + method, "train", data, out, epochs=epochs, **options)
    checkpoint: dict[str, Any] = torch.load(out / f"checkpoint_epoch={epochs}.pt", weights_only=True)
    return checkpoint


@pytest.mark.parametrize(
    ("method", "options"),
    [("crac", {"loss#growth_interval": 2, "augment": True}), ("bwcr", {"lr_scheduler#total_iters": 3})],
)
def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(
    method: str, options: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    whole = trained(method, data, tmp_path / "whole", 3, **options)
    stopped = trained(method, data, tmp_path / "stopped", 2, **options)
    resumed = trained(method, data, tmp_path / "stopped", 3, resume=True, **options)
    assert not same_bits(stopped["model"], whole["model"])
    for name in {"model", "loss", "ema"} & whole.keys():
        assert same_bits(resumed[name], whole[name]), name
    for name in ("trainer", "data", "lr_scheduler", "validation", "history"):
        assert resumed[name] == whole[name], name


def test_a_training_goes_on_with_its_views_batch_size_and_key_metric_alone(data: Path, tmp_path: Path) -> None:
    trained("nacl", data, tmp_path, 1, augment=True)
    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"random_views#probability": 0.0}, "random_views#probability 0.5, here it is 0.0"),
        ({"batch_size": 7}, "batch_size 8, here it is 7"),
        (
            {"validate#key_metric": {"val_other": {"_target_": "calib_monai.handlers.Dice"}}},
            "key_metric val_dice_foreground, here it is val_other",
        ),
    )
    for changed, said in changes:
        with refused(f"does not fit: it is of a training with {said}; resume with the options"):
            trained("nacl", data, tmp_path, 2, **{"augment": True, "resume": True, **changed})


def test_the_seed_decides_everything_that_is_random(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)  # what was drawn before the run changes nothing
    one = trained("bwcr", data, tmp_path / "one", 1, seed=3)
    torch.manual_seed(2)
    same, other = (trained("bwcr", data, tmp_path / str(seed), 1, seed=seed) for seed in (3, 4))
    for name in ("model", "optimizer", "ema", "history"):
        assert same_bits(one[name], same[name]), name
    for name in ("model", "history"):
        assert not same_bits(one[name], other[name]), name


def test_multipliers_of_crac_grow_with_each_validation_and_are_in_the_history(data: Path, tmp_path: Path) -> None:
    first, third = (trained("crac", data, tmp_path / str(epochs), epochs)["loss"] for epochs in (1, 3))
    assert (first["multipliers.multiplier"] > 1e-6).all()
    assert (third["multipliers.multiplier"] > first["multipliers.multiplier"]).all()
    assert third["multipliers.updates"] == 3
    with (tmp_path / "3" / "history.csv").open(newline="") as file:
        told = [float(row["crac/multiplier/inner/background"]) for row in csv.DictReader(file)]
    assert told == sorted(told)
    assert told[-1] == third["multipliers.multiplier"][0, 0]


def test_the_curves_of_the_multipliers_are_drawn(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, program = tmp_path / "curves.png", str(REPOSITORY / "scripts" / "draw_multipliers.py")
    monkeypatch.setattr(sys, "argv", [program, str(tmp_path), "--out", str(picture)])
    (tmp_path / "history.csv").write_text("epoch,learning_rate\n1,0.001\n")
    with pytest.raises(ValueError, match="has no multipliers"):
        runpy.run_path(program, run_name="__main__")
    (tmp_path / "history.csv").unlink()
    trained("crac", data, tmp_path, 2)
    runpy.run_path(program, run_name="__main__")
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("method", ["consistency", "bwcr"])
def test_the_moving_average_is_what_is_validated_and_kept(method: str, data: Path, tmp_path: Path) -> None:
    checkpoint = trained(method, data, tmp_path, 1)
    model = torch.load(tmp_path / "model.pt", weights_only=True)
    assert same_bits(model, checkpoint["ema"])
    assert not same_bits(model, checkpoint["model"])
    evaluate = config_of(f"hippocampus_{method}", "evaluate")
    assert evaluate["+validate"]["network"] == "@network"
    assert "augment" not in config_of(f"hippocampus_{method}", "train")  # it has views of its own


def test_views_are_switched_on_for_any_method(data: Path, tmp_path: Path) -> None:
    plain, viewed, again = (
        trained("nacl", data, tmp_path / name, 1, augment=augment)["model"]
        for name, augment in (("plain", False), ("viewed", True), ("again", True))
    )
    assert not same_bits(plain, viewed)
    assert same_bits(viewed, again)


@pytest.mark.parametrize("method", ["consistency", "bwcr"])
def test_the_learning_rate_falls_as_the_authors_does(method: str, golden: dict[str, dict[str, Any]]) -> None:
    entry, config = golden["bwcr_lr"], config_of(f"hippocampus_{method}", "train")
    steps, wanted = entry["args"]["max_iterations"], entry["inputs"]["iterations"]
    chosen = {key: config[key] for key in ("learning_rate", "device", "optimizer", "lr_scheduler")}
    parser = ConfigParser(chosen | {"epochs": steps, "network": torch.nn.Linear(1, 1)})
    schedule = parser.get_parsed_content("lr_scheduler")
    parser.get_parsed_content("optimizer").step()
    found = {}
    for step in range(steps):
        if step in wanted:
            found[step] = schedule.get_last_lr()[0]
        schedule.step()
    expected = dict(zip(wanted, entry["expected"]["lr"], strict=True))
    assert found == pytest.approx(expected, rel=1e-5)
