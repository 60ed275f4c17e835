"""Histograms of logits: what is counted, and where it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from calib_monai.handlers import EpochMean, LogitsSaver, MaxLogitHistogram, ReliabilityImage


def batch(seed: int) -> dict[str, torch.Tensor]:
    """What MONAI's evaluator holds after the network has run: logits, and labels as a map."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "pred": 30 * torch.randn(1, 3, 6, 5, 4, generator=generator),
        "label": torch.randint(3, (1, 1, 6, 5, 4), generator=generator).float(),
    }


@pytest.fixture
def engine() -> Engine:
    """An evaluator of two cases that fires what MONAI's does, then postprocesses."""

    def step(engine: Engine, seed: int) -> list[dict[str, Any]]:
        output = engine.state.output = batch(seed)
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)
        engine.state.batch = [{"case": f"case_{seed}"}]
        return [{"prob": output["pred"][0].softmax(dim=0), "label": output["label"][0]}]

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    return engine


def events(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"histograms": 0})
    accumulator.Reload()
    return accumulator


def test_the_logits_of_each_true_class_are_counted(engine: Engine, tmp_path: Path) -> None:
    LogitsSaver(str(tmp_path)).attach(engine)
    engine.run([1, 2])
    engine.run([1, 2])  # a second run begins anew
    content = json.loads((tmp_path / "logits.json").read_text())
    count, edges = torch.tensor(content["count"]), torch.tensor(content["edges"])
    cases = [batch(seed) for seed in (1, 2)]
    logits = torch.cat([case["pred"][0].flatten(1) for case in cases], dim=1)
    labels = torch.cat([case["label"].flatten() for case in cases])
    for truth in range(3):
        for k in range(3):
            values = logits[k, labels == truth].clamp(-60, 59.99)
            expected, _ = torch.histogram(values, edges)
            assert torch.equal(count[truth, k], expected.long())


def test_the_largest_logit_is_shown_after_each_validation(engine: Engine, tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path))
    MaxLogitHistogram(writer).attach(engine)
    for epoch in (1, 2):
        engine.state.max_epochs, engine.state.epoch = epoch, epoch - 1  # as MONAI's ValidationHandler does
        engine.run([1, 2], max_epochs=epoch)
    writer.close()
    shown = events(tmp_path).Histograms("val_max_logit")
    largest = torch.stack([batch(seed)["pred"].amax(dim=1) for seed in (1, 2)])
    assert [histogram.step for histogram in shown] == [1, 2]
    assert shown[1].histogram_value.num == largest.numel()
    assert shown[1].histogram_value.sum / largest.numel() == pytest.approx(
        largest.clamp(-60, 60).mean().item(), abs=0.2
    )


def test_the_reliability_diagram_is_shown_every_few_validations(engine: Engine, tmp_path: Path) -> None:
    writer = SummaryWriter(str(tmp_path))
    ReliabilityImage(writer, interval=2).attach(engine)
    for epoch in range(1, 6):
        engine.state.max_epochs, engine.state.epoch = epoch, epoch - 1
        engine.run([1, 2], max_epochs=epoch)
    writer.close()
    shown = events(tmp_path).Images("val_reliability")
    assert [image.step for image in shown] == [2, 4]
    assert shown[0].encoded_image_string.startswith(b"\x89PNG")


def test_the_loss_of_an_epoch_is_the_mean_of_its_iterations() -> None:
    engine = Engine(lambda _engine, loss: [{"loss": loss}])
    EpochMean("train_loss").attach(engine)
    engine.run([1.0, 2.0, 6.0])
    assert engine.state.metrics["train_loss"] == pytest.approx(3.0)
