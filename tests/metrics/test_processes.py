"""Metrics in several processes: the images of all are measured, each once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import torch.distributed
from committed import in_two_processes

from calib_monai.metrics import CECEMetric, ECEMetric, HD95Metric, MetricCollection, TACEMetric

IMAGES = ((0, 1, 2), (3,))  # of each process: not equally many


def cases() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    probs = (2 * torch.randn(4, 3, 8, 8, generator=generator)).softmax(dim=1)
    return probs, torch.randint(3, (4, 1, 8, 8), generator=generator)


def measured(images: tuple[int, ...]) -> list[float]:
    """What the metrics say of these images, and of those of the other processes."""
    probs, target = (part[list(images)] for part in cases())
    metrics = [
        ECEMetric(region="foreground"),
        ECEMetric(pooled=True, region="foreground"),
        CECEMetric(pooled=True, region="foreground"),
        TACEMetric(region="foreground"),
    ]
    for metric in metrics:
        metric(y_pred=probs, y=target)
    together = MetricCollection({"ece": ECEMetric(region="foreground"), "cece": CECEMetric(region="union")})
    together(y_pred=probs, y=target)
    one_hot = [torch.nn.functional.one_hot(labels, 3).movedim(-1, 1) for labels in (probs.argmax(dim=1), target[:, 0])]
    metrics.append(HD95Metric())
    metrics[-1](*one_hot)
    values = [metric.aggregate() for metric in metrics] + list(together.aggregate().values())
    return [value.item() for value in values]


def run(rank: int, folder: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    store = torch.distributed.FileStore(f"{folder}/store", 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    Path(folder, f"{rank}.txt").write_text(repr(measured(IMAGES[rank])))
    torch.distributed.destroy_process_group()


def test_two_processes_measure_what_one_does(tmp_path: Path) -> None:
    in_two_processes(run, str(tmp_path))
    alone = measured((0, 1, 2, 3))
    for rank in range(2):
        together = [float(value) for value in (tmp_path / f"{rank}.txt").read_text().strip("[]").split(",")]
        assert together == pytest.approx(alone, rel=1e-6)
