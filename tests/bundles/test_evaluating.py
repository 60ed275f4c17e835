"""Evaluations on images that are worse than those of the training."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import COLLECTION, FILES, REPOSITORY, config_of, metrics_of
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.utils import set_determinism
from pages import jsons_of

from calib_monai.handlers.settings import settings_of_metrics, steps_of
from calib_monai.measures import PROMISED, measure_of
from calib_monai.regions import REGIONS


def evaluation(*laid_over: Path) -> ConfigParser:
    """The configuration of an evaluation."""
    configs = COLLECTION / "hippocampus_nacl" / "configs"
    files = [*(configs / f"{name}.json" for name in FILES["evaluate"]), *laid_over]
    return ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))


def preparing(shift: str) -> Any:
    """The preparation of an evaluated case, but for the reading of its files."""
    parser = evaluation()
    parser["shift"] = shift
    parser["loading"] = {"_target_": "Compose", "transforms": []}
    return parser.get_parsed_content("validate#dataset#transform")


def case() -> dict[str, MetaTensor]:
    """An image without structure, from 0 to 1, and its label."""
    image = torch.full((1, 40, 56, 30), 0.5)
    image[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    return {"image": MetaTensor(image), "label": MetaTensor(torch.zeros(1, 40, 56, 30))}


def test_noise_of_the_given_deviation_is_added_after_the_preparation() -> None:
    set_determinism(0)
    noise = preparing("noise_0.05")(case())["image"] - preparing("none")(case())["image"]
    set_determinism(None)
    assert noise.std().item() == pytest.approx(0.05, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.001)


def test_what_is_shown_and_measured_has_no_noise() -> None:
    prepared = preparing("noise_0.05")(case())
    torch.testing.assert_close(prepared["scan"].as_tensor(), case()["image"].as_tensor())
    torch.testing.assert_close(prepared["truth"].as_tensor(), case()["label"].as_tensor())


def test_the_measures_that_the_docs_add_are_measured_by_their_names(tmp_path: Path) -> None:
    added = jsons_of(REPOSITORY / "docs" / "evaluate.md")["more.json"]
    page = (REPOSITORY / "docs" / "measures.md").read_text(encoding="utf-8")
    (tmp_path / "more.json").write_text(added)
    parser = evaluation(tmp_path / "more.json")
    metrics = parser.get_parsed_content("validate#additional_metrics#calibration").collection.metrics
    [names] = json.loads(added).values()
    assert list(metrics)[-len(names) :] == list(names)
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    assert metrics_of(config_of("hippocampus_nacl", "evaluate")["+validate"]) <= told
    without_best = {"expected_dice", "pairwise_dice", "volume_difference", *PROMISED}
    compared = told - REGIONS.keys() - without_best
    assert all(measure_of(name).more_is_better is not None for name in compared)


def test_the_sensitivity_that_the_docs_add_is_that_of_class_indices(tmp_path: Path) -> None:
    added = jsons_of(REPOSITORY / "docs" / "evaluate.md")["sensitivity.json"]
    (tmp_path / "more.json").write_text(added)
    engine = Engine(lambda _engine, item: [item])
    evaluation(tmp_path / "more.json").get_parsed_content("validate#additional_metrics#sensitivity").attach(
        engine, "it"
    )
    label = torch.tensor([0, 1, 1, 2]).view(1, 2, 2)
    pred = torch.tensor([0, 1, 0, 2]).view(1, 2, 2)
    engine.run([{"pred": pred, "label": label}])
    assert engine.state.metrics["it"] == pytest.approx(2 / 3)  # MONAI takes the voxels of all structures together


def test_results_note_the_settings_of_their_metrics_and_what_made_their_images_worse(tmp_path: Path) -> None:
    laid_over = {
        "shift": "noise_0.05",
        "+validate#key_metric#dice_foreground": {"include_background": True},
        "+validate#additional_metrics#hd95_mm": {"spacing": [0.1, 0.1, 0.1]},
    }
    (tmp_path / "more.json").write_text(json.dumps(laid_over))
    parser = evaluation(tmp_path / "more.json")
    [saver] = [one for one in parser["validate#handlers"] if one["_target_"].endswith("ResultsSaver")]
    made = settings_of_metrics(parser.get_parsed_content(key[1:]) for key in saver["metrics"])
    assert made["dice_foreground"]["include_background"] is True
    assert made["hd95_mm"]["spacing"] == [0.1, 0.1, 0.1]
    assert made["missed_structures"]["dice_below"] == 0.1
    [noise] = steps_of(parser.get_parsed_content(saver["disturbance"][1:]))
    assert {"kind": "noise", "strength": 0.05}.items() <= noise.items()
