"""Draw the measures of a network whose foreground logits are shifted by a constant.

    python scripts/draw_shifted.py BUNDLE --dataset_dir DATA --ckpt_dir MODELS --out FOLDER

The network predicts the test cases once. Then each constant is added to the logits of the foreground classes, and the
result is measured as in an evaluation of the bundle. FOLDER gets `shifted.json` and `shifted.svg`. It prints
the table in docs/measures.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import torch
from ignite.handlers import Checkpoint
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monai.bundle import ConfigParser
from monai.metrics import DiceMetric
from torch import Tensor

from calib_monai.command_lines import Parser
from calib_monai.measures import Measure, measure_of
from calib_monai.metrics import CECEMetric, ECEMetric, MetricCollection, NLLMetric, VolumeErrorMetric
from calib_monai.posthoc.control import shifted_foreground
from calib_monai.refusals import tell_in_one_line

CONSTANTS = [step / 4 for step in range(-4, 9)]
CONSTANTS_SHOWN = (-1, 0, 1, 2)  # in the table
VOLUME_ERROR = "volume_error"
MEASURES = {name: measure_of(name) for name in ("dice_foreground", "nll_all")}
MEASURES[VOLUME_ERROR] = Measure("volume error (%)", 1, factor=100)
MEASURES |= {
    f"{kind}_{region}": measure_of(f"{kind}_{region}")
    for region in ("plausible", "foreground")
    for kind in ("ece", "cece")
}
PANELS = {
    "ECE": ("ece_plausible", "ece_foreground"),
    "CECE": ("cece_plausible", "cece_foreground"),
    "NLL (per 1000 voxels)": ("nll_all",),
    "volume error (%)": (VOLUME_ERROR,),
    "Dice": ("dice_foreground",),
}
PROPER, PAPERS = {"color": "#0072B2"}, {"color": "#D55E00", "linestyle": "--"}

Prediction = tuple[dict[str, Any], Tensor]
Row = dict[str, float]


def predictions(
    bundle: Path, dataset_dir: str, ckpt_dir: Path
) -> tuple[list[Prediction], Callable[..., Any], ConfigParser]:
    """The test cases of a bundle with their logits (C, H, W[, D]), its postprocessing, and its config."""
    files = [str(bundle / "configs" / f"{name}.json") for name in ("train", "evaluate")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    with TemporaryDirectory() as folder:
        given = {"bundle_root": bundle, "dataset_dir": dataset_dir, "ckpt_dir": ckpt_dir, "output_dir": folder}
        parser.update({key: str(value) for key, value in given.items()})
        network, device = parser.get_parsed_content("network"), parser.get_parsed_content("device")
        weights = torch.load(ckpt_dir / "model.pt", map_location=device, weights_only=True)
        Checkpoint.load_objects(to_load={"network": network}, checkpoint=weights)
        inferer, found = parser.get_parsed_content("validate#inferer"), []
        network.eval()
        with torch.no_grad():
            for case in parser.get_parsed_content("validate#dataset"):
                logits = inferer(case["image"][None].to(device), network)[0]
                found.append((case, logits.cpu()))
    return found, parser.get_parsed_content("validate#postprocessing"), parser


def shifted(cases: Sequence[Prediction], constants: Sequence[float], postprocessing: Callable[..., Any]) -> list[Row]:
    """For each constant, the measures of these cases after it was added to the logits of the foreground.

    The volume error of a structure is |sum of its probabilities - true volume| / true volume; its mean is taken over
    the structures that the label has, and over cases.

    Args:
        cases: at least one, each with its logits, (C, H, W[, D]), the background first.
        constants: what is added.
        postprocessing: makes of a case with "pred", logits, one with "prob", and "pred" and "label" as indices.
    """
    metrics = [_metrics() for _ in constants]
    num_classes = len(cases[0][1])
    dice = [DiceMetric(include_background=False, num_classes=num_classes) for _ in constants]
    for case, logits in cases:
        for place, constant in enumerate(constants):
            told = postprocessing({**case, "pred": shifted_foreground(logits[None], constant)[0]})
            prob, pred, label = (
                torch.as_tensor(told[key]).as_subclass(Tensor)[None] for key in ("prob", "pred", "label")
            )
            metrics[place](y_pred=prob, y=label)
            dice[place](y_pred=pred, y=label)
    return [
        {
            "constant": constant,
            "dice_foreground": torch.as_tensor(dice[place].aggregate()).item(),
            **{name: value.item() for name, value in metrics[place].aggregate().items()},
        }
        for place, constant in enumerate(constants)
    ]


def _metrics() -> MetricCollection:
    """The measures of probabilities."""
    kinds = {"ece": ECEMetric, "cece": CECEMetric}
    on_regions = {
        f"{kind}_{region}": made(region=region)
        for kind, made in kinds.items()
        for region in ("plausible", "foreground")
    }
    return MetricCollection({"nll_all": NLLMetric(), VOLUME_ERROR: VolumeErrorMetric(at_least=0), **on_regions})


def table(rows: Sequence[Mapping[str, float]]) -> str:
    """The rows of the constants `CONSTANTS_SHOWN` in Markdown, the papers' columns last."""
    titles = ["added", *(measure.title for measure in MEASURES.values())]
    lines = [
        [f"{row['constant']:g}", *(measure.shown(row[name]) for name, measure in MEASURES.items())]
        for row in rows
        if row["constant"] in CONSTANTS_SHOWN
    ]
    lines = [titles, ["---"] * len(titles), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def figure_of(rows: Sequence[Mapping[str, float]]) -> Figure:
    """A panel for each measure over the constant; a dot marks the best value."""
    figure = Figure(figsize=(9.6, 5.8), layout="constrained")
    *panels, key = figure.subplots(2, 3).flat
    for axes, (title, names) in zip(panels, PANELS.items(), strict=True):
        for name in names:
            _curve(axes, rows, name, PAPERS if MEASURES[name].proper is False else PROPER)
        axes.axvline(0, color="#999999", linewidth=1)
        axes.set(title=title, xlabel="added to the foreground's logits", ylim=(None if title == "Dice" else 0, None))
    key.set_axis_off()
    key.plot([], [], **PAPERS, label="on label foreground, as the papers")
    key.plot([], [], **PROPER, label="on plausible voxels;\nNLL, volume and Dice on all")
    key.plot([], [], "o", color="#444444", label="the best constant by this measure")
    key.plot([], [], color="#999999", label="the network as it was trained")
    key.legend(loc="center", frameon=False)
    return figure


def _curve(axes: Axes, rows: Sequence[Mapping[str, float]], name: str, style: Mapping[str, Any]) -> None:
    """Draw a measure over the constants, with its best constant marked."""
    measure = MEASURES[name]
    at, values = [row["constant"] for row in rows], [row[name] * measure.factor for row in rows]
    best = (max if measure.more_is_better else min)(range(len(rows)), key=values.__getitem__)
    axes.plot(at, values, **style)
    axes.plot(at[best], values[best], "o", color=style["color"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Predict, measure, draw, write, print."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--dataset_dir", required=True)
    parser.add_argument("--ckpt_dir", type=Path, help="folder of model.pt and split.json, BUNDLE/models by default")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    given = parser.parse_args(arguments)
    cases, postprocessing, config = predictions(
        given.bundle, given.dataset_dir, given.ckpt_dir or given.bundle / "models"
    )
    if config.get_parsed_content("ignore_index") is not None:
        raise ValueError(f"{given.bundle} ignores a label; the volume of what is ignored is not known")
    rows = shifted(cases, CONSTANTS, postprocessing)
    content = {"dataset": config["dataset"], "method": config["method"], "num_cases": len(cases), "rows": rows}
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "shifted.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    with mpl.rc_context({"svg.hashsalt": "shifted"}):
        figure_of(rows).savefig(given.out / "shifted.svg", metadata={"Date": None})
    sys.stdout.write(table(rows))


if __name__ == "__main__":
    tell_in_one_line()
    main()
