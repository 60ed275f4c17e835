"""The preprocessing of an inference: one flat list of transforms of the image, as other programs read it."""

from __future__ import annotations

import json
from typing import Any

from bundle_parts import Part

STEPS = ("loading", "reorientation", "preparation")  # keys of a training, in their order
COMPOSE = ("Compose", "monai.transforms.Compose")


def preprocessing_of(config: Part) -> Part:
    """The part of `inference.json` that replaces the steps of a training by one list for the image alone.

    Args:
        config: the configuration with the steps; its own "preprocessing" wins.
    """
    steps = [step for name in STEPS for step in _flat(config.get(name))]
    of_image = [step for step in steps if not (isinstance(step, dict) and step.get("keys") == "label")]
    transforms = json.loads(json.dumps(of_image).replace('"@keys"', '"image"'))
    flat = config.get("preprocessing") or {"_target_": "Compose", "transforms": transforms}
    return {
        **dict.fromkeys(STEPS),
        "preprocessing": flat,
        "made_for": {"axcodes": None, "transforms": "@preprocessing"},
    }


def _flat(step: Any) -> list[Any]:
    """The transforms in a step, one by one."""
    if isinstance(step, dict) and step.get("_target_") in COMPOSE:
        return [inner for part in step.get("transforms", []) for inner in _flat(part)]
    return [] if step is None else [step]
