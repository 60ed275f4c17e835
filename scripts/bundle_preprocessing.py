"""The preprocessing of an inference: one flat list of transforms of the image, as other programs read it."""

from __future__ import annotations

import json
from typing import Any

from bundle_parts import Part

STEPS = ("loading", "reorientation", "preparation")  # keys of a training, in their order
OF_LABELS = (
    "calib_monai.loading.LoadCased",
    "calib_monai.pictures.LoadPicturesd",
    "calib_monai.inverses.SlabSpacingd",
    "calib_monai.presets.crop_to_foreground",
    "calib_monai.presets.resize",
)  # without keys they take a label, too; Reorientd passes over what is not loaded
COMPOSE = ("Compose", "monai.transforms.Compose")


def preprocessing_of(config: Part) -> Part:
    """The part of `inference.json` that replaces the steps of a training by one list for the image alone.

    Args:
        config: the configuration with the steps; its own "preprocessing" wins.
    """
    steps = [step for name in STEPS for step in _flat(config.get(name))]
    of_image = [step for step in steps if not (isinstance(step, dict) and step.get("keys") == "label")]
    transforms = json.loads(json.dumps([_with_keys(step) for step in of_image]).replace('"@keys"', '"image"'))
    flat = config.get("preprocessing") or {"_target_": "Compose", "transforms": transforms}
    return {
        **dict.fromkeys(STEPS),
        "preprocessing": flat,
        "made_for": {"axcodes": None, "ignore_index": None, "transforms": "@preprocessing"},
    }


def _with_keys(step: Any) -> Any:
    """A transform that says its keys, where by default it would load or resample a label, too, if there is one."""
    if not isinstance(step, dict) or "keys" in step or step.get("_target_") not in OF_LABELS:
        return step
    return {"_target_": step["_target_"], "keys": "@keys", **step}


def _flat(step: Any) -> list[Any]:
    """The transforms in a step, one by one."""
    if isinstance(step, dict) and step.get("_target_") in COMPOSE:
        return [inner for part in step.get("transforms", []) for inner in _flat(part)]
    return [] if step is None else [step]
