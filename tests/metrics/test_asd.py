"""ASD: MedPy's numbers in both forms, units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from calib_monai.metrics import ASDMetric, HD95Metric


def one_hot(labels: np.ndarray) -> torch.Tensor:
    """(D, H, W) of four classes as (1, 4, H, W, D)."""
    return torch.nn.functional.one_hot(torch.tensor(labels).permute(1, 2, 0), 4).movedim(-1, 0).unsqueeze(0)


def test_both_forms_are_medpys(golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]) -> None:
    predicted, labels = one_hot(arrays["vol_pred_V5"]), one_hot(arrays["vol_labels_V1"])
    expected = golden["shape_V5_shifted"]["expected"]
    for symmetric, key in ((False, "asd_per_class"), (True, "assd_per_class")):
        values = ASDMetric(symmetric=symmetric, include_background=True)(y_pred=predicted, y=labels)
        assert values[0].tolist() == pytest.approx(expected[key], rel=1e-6)


def test_the_authors_asd_of_a_network_is_reproduced(
    golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    predicted = one_hot(arrays["vol_logits_V2"].argmax(axis=1))
    values = ASDMetric()(y_pred=predicted, y=one_hot(arrays["vol_labels_V2"]))
    assert values[0].tolist() == pytest.approx(golden["asd_V2"]["expected"]["asd_per_foreground_class"], rel=1e-5)


def test_distances_are_in_mm(arrays: dict[str, np.ndarray]) -> None:
    pair = {"y_pred": one_hot(arrays["vol_pred_V5"]), "y": one_hot(arrays["vol_labels_V1"])}
    for metric in (ASDMetric, HD95Metric):
        in_voxels, in_mm = metric()(**pair), metric(spacing=(2, 2, 2))(**pair)
        torch.testing.assert_close(in_mm, 2 * in_voxels)
        torch.testing.assert_close(metric()(**pair), in_voxels)
