"""Ways to use a model on what it was not made for, and to ask for an orientation that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from spoiled import model
from wrong_inputs import Wrong

from calib_monai.posthoc import TemperatureScaling, save_calibrator

SOFTMAX = {"network_def": "$torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.Softmax(1))", "overwrite": True}
OTHER_SIZE = {"slice_size": [64, 64]}


def without(folder: Path) -> None:
    """Remove what says what the model was made for."""
    (folder / "models" / "model.json").unlink()


def damaged(folder: Path) -> None:
    """Cut that short."""
    (folder / "models" / "model.json").write_text('{"axcodes": "R')


def too_hot(folder: Path) -> None:
    """Put a calibrator of a temperature beside the model that is far above all that are fitted."""
    calibrator = TemperatureScaling()
    torch.nn.init.constant_(calibrator.log_temperature, 10.0)
    save_calibrator(calibrator, "ts", str(folder / "models"))


def no_numbers(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights with one NaN."""
    next(iter(weights.values())).view(-1)[0] = torch.nan
    return weights


def huge(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Finite weights of which no finite logits come."""
    return {name: torch.full_like(value, 3e38) for name, value in weights.items()}


def moved_case(folder: Path) -> None:
    """Make a training case a validation case."""
    path = folder / "models" / "split.json"
    split = json.loads(path.read_text())
    split["validation"].append(split["training"].pop())
    path.write_text(json.dumps(split))


def pointwise(folder: Path) -> None:
    """Put weights there of the network of `SOFTMAX`, of an earlier version's training."""
    without(folder)
    torch.save(torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1)).state_dict(), folder / "models" / "model.pt")


def used(name: str, said: str, options: dict[str, Any], config: str = "evaluate", **given: Any) -> Wrong:
    """A way to be wrong with a trained model."""
    return Wrong(name, said, config=config, options=options, after_training=True, **given)


WRONG_MODELS = [
    *(
        used(f"another slice size to {config}", r"slice_size is \[64, 64\], .* \[48, 64\]", OTHER_SIZE, config)
        for config in ("evaluate", "calibrate", "inference")
    ),
    used("another slice size than the bundle's", r"slice_size is .*train.json says", OTHER_SIZE, change=without),
    used("classes of other names", "class_names is .*, and .*models/model.json", {"class_names": ["a", "b", "c"]}),
    used("another orientation", 'axcodes is "ASR", and .* "RAS"', {"axcodes": "ASR"}, "inference"),
    *(
        used(f"softmax in a network to {config}", "network_def gives probabilities", SOFTMAX, config, change=pointwise)
        for config in ("evaluate", "calibrate", "inference")
    ),
    *(
        used(f"cases moved in split.json to {config}", "is not the one of this training", {}, config, change=moved_case)
        for config in ("evaluate", "calibrate", "inference")
    ),
    used("a damaged model.json", "model.json is damaged", {}, change=damaged),
    used(
        "resumed with another slice size",
        r"made_for#slice_size \[48, 64\], here it is \[64, 64\]; resume",
        {"resume": True, "epochs": 2, **OTHER_SIZE},
        "train",
    ),
    used(
        "codes that are none, where nothing says what the model was made for",
        "axcodes is 'RAR'; it must be three letters",
        {"axcodes": "RAR"},
        "inference",
        change=without,
    ),
    *(
        Wrong(
            f"--ignore_index {value} to {config}",
            f"ignore_index is '?{value}'?; with 3 classes it must be a whole number from 3 to 255, or none",
            config=config,
            options={"ignore_index": value},
            after_training=config != "train",
        )
        for value, config in (
            (1, "train"),
            (-1, "train"),
            (2.5, "train"),
            ("many", "train"),
            (300, "train"),
            (0, "evaluate"),
            (2, "calibrate"),
        )
    ),
    used(
        "a class that the measures of probabilities alone ignore",
        "calibration: ignore_index is 1; with 3 classes it must be a whole number from 3 to 255, or none",
        {"validate#additional_metrics#calibration#ignore_index": 1},
    ),
    used(
        "a calibrator of a temperature that no fit gives",
        r"calibrator_ts.safetensors holds the temperature 22026.5; it must be 0.01 to 100",
        {"calibrator": "ts"},
        change=too_hot,
    ),
    used("weights that are NaN", "model.pt is damaged: .* NaN", {}, "inference", change=model(no_numbers)),
    used(
        "weights whose probabilities are NaN",
        r"a probability that is no number \(NaN\) for phantom_00\d: train again",
        {},
        "inference",
        change=model(huge),
    ),
    used("a share in percent", r"conformal#coverage is 90; it must be a number above 0", {"conformal#coverage": 90}),
    used(
        "a margin that nothing promises",
        "outputs name margin, and calibrate.json, which writes .* has not run",
        {"outputs": ["margin"]},
        "inference",
    ),
    Wrong("a label to ignore that is in no file", None, options={"ignore_index": 3}),
    Wrong(
        "another split in place of that of the model",
        None,
        options={"fold": 1, "overwrite": True},
        after_training=True,
    ),
    Wrong("codes that are none", "axcodes is 'RAR'; it must be three letters", options={"axcodes": "RAR"}),
]
