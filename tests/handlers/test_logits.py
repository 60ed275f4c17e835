"""Histograms of logits: each voxel is counted by its class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from ignite.engine import Engine

from calib_monai.handlers import LogitsSaver
from calib_monai.handlers.logits import NUM_BINS, histograms


def test_the_logits_of_each_true_class_are_counted(
    engine: Engine, tmp_path: Path, batch_of: Callable[[int], dict[str, torch.Tensor]]
) -> None:
    LogitsSaver(str(tmp_path)).attach(engine)
    engine.run([1, 2])
    engine.run([1, 2])  # a second run begins anew
    content = json.loads((tmp_path / "logits.json").read_text())
    count, edges = torch.tensor(content["count"]), torch.tensor(content["edges"])
    cases = [batch_of(seed) for seed in (1, 2)]
    logits = torch.cat([case["pred"][0].flatten(1) for case in cases], dim=1)
    labels = torch.cat([case["label"].flatten() for case in cases])
    largest = torch.tensor(content["largest"])
    for truth in range(3):
        of_truth = logits[:, labels == truth].clamp(-60, 59.99)
        for k in range(3):
            expected, _ = torch.histogram(of_truth[k], edges)
            assert torch.equal(count[truth, k], expected.long())
        expected, _ = torch.histogram(of_truth.amax(dim=0), edges)
        assert torch.equal(largest[truth], expected.long())


def test_what_is_too_large_counts_at_the_end() -> None:
    values = torch.tensor([float("-inf"), -1e9, 0.0, 1e10, float("inf")]).view(1, 1, 5, 1)
    count = histograms(values, torch.zeros_like(values), num_classes=2)[:, 0]
    assert count[0, [0, NUM_BINS // 2, NUM_BINS - 1]].tolist() == [2, 1, 2]
    assert count.sum() == 5


def test_a_voxel_whose_label_is_ignored_is_not_counted() -> None:
    values, target = torch.zeros(1, 1, 2, 3), torch.tensor([[[[0, 1, 255], [-1, 1, 0]]]])
    assert histograms(values, target, 2).sum(dim=2).tolist() == [[2], [2]]
