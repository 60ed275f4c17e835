"""Cases with random probabilities, evaluated by savers and metrics, for the tests of savers."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, from_engine

from calib_monai.handlers import BinsSaver, MetricCollectionHandler, ResultsSaver, SliceSaver
from calib_monai.metrics import CECEMetric, ECEMetric, HD95Metric, MissedStructuresMetric

EMPTY, MISSED = 100, 101  # seeds of a case without foreground, and of one whose last class is not predicted


def item(seed: int) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Input and output of one case as MONAI's evaluator leaves them."""
    generator = torch.Generator().manual_seed(seed)
    probs = (3 * torch.randn(3, 6, 5, 4, generator=generator)).softmax(dim=0)
    label = torch.randint(3, (6, 5, 4), generator=generator)
    label[..., 1:] *= torch.rand(6, 5, 3, generator=generator) < 0.2
    if seed == EMPTY:
        label = torch.zeros_like(label)
    if seed == MISSED:
        probs = (probs * torch.tensor([1, 1, 1e-9]).view(3, 1, 1, 1)).log().softmax(dim=0)
    predicted = probs.argmax(dim=0, keepdim=True)
    output = {"image": torch.rand(1, 6, 5, 4), "prob": probs, "pred": predicted, "label": label.unsqueeze(0)}
    return {"case": f"case_{seed}"}, output


NAMES = ["background", "anterior", "posterior"]


def engine_of_cases() -> Engine:
    """An engine of the cases of these seeds."""

    def step(engine: Engine, seed: int) -> list[dict[str, torch.Tensor]]:
        batch, output = item(seed)
        engine.state.batch = [batch]
        return [output]

    return Engine(step)


def evaluate(folder: Path, seeds: list[int], names: list[str] = NAMES) -> Path:
    """The folder, after an evaluation of these cases was written to it."""
    engine = engine_of_cases()
    for name, metric in (
        ("hd95_mm", HD95Metric(num_classes=3)),
        ("missed_structures", MissedStructuresMetric(num_classes=3)),
    ):
        handler = IgniteMetricHandler(metric_fn=metric, output_transform=from_engine(["pred", "label"]))
        handler.attach(engine, name)
    metrics = {
        "ece_foreground": ECEMetric(region="foreground"),
        "cece_foreground": CECEMetric(region="foreground"),
        "cece_foreground_pooled": CECEMetric(pooled=True, region="foreground"),
    }
    MetricCollectionHandler(metrics, from_engine(["prob", "label"])).attach(engine, "calibration")
    model = folder / "model.pt"
    model.touch()
    results = ResultsSaver(str(folder), names, "hippocampus", "nacl", str(model))
    for saver in (results, BinsSaver(str(folder), "foreground"), SliceSaver(str(folder))):
        saver.attach(engine)
    engine.run(seeds)
    return folder
