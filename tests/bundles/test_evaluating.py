"""Evaluations on images that are worse than those of the training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from committed import COLLECTION, FILES
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.utils import set_determinism


def preparing(noise_std: float) -> Any:
    """The preparation of an evaluated case, but for the reading of its files."""
    configs = COLLECTION / "hippocampus_nacl" / "configs"
    parser = ConfigParser(ConfigParser.load_config_files([str(configs / f"{name}.json") for name in FILES["evaluate"]]))
    parser["noise_std"] = noise_std
    parser["loading"] = {"_target_": "Compose", "transforms": []}
    return parser.get_parsed_content("validate#preprocessing")


def case() -> dict[str, MetaTensor]:
    """An image without structure, from 0 to 1, and its label."""
    image = torch.full((1, 40, 56, 30), 0.5)
    image[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    return {"image": MetaTensor(image), "label": MetaTensor(torch.zeros(1, 40, 56, 30))}


@pytest.mark.parametrize("noise_std", [0.0, 0.05])
def test_noise_of_the_given_deviation_is_added_after_the_preparation(noise_std: float) -> None:
    set_determinism(0)
    noise = preparing(noise_std)(case())["image"] - preparing(0)(case())["image"]
    set_determinism(None)
    assert noise.std().item() == pytest.approx(noise_std, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.001)


def test_what_is_shown_and_measured_has_no_noise() -> None:
    prepared = preparing(0.05)(case())
    torch.testing.assert_close(prepared["scan"].as_tensor(), case()["image"].as_tensor())
    torch.testing.assert_close(prepared["truth"].as_tensor(), case()["label"].as_tensor())
