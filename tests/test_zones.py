"""Zones: labels in which the central gland is curved and the peripheral zone compact look swapped."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from calib_monai.zones import ZoneShapes, fill_of_box

ROWS, COLUMNS = np.mgrid[-20:20, -20:20]
GLAND = ROWS**2 + COLUMNS**2 < 100
ZONE = (ROWS**2 + COLUMNS**2 < 225) & ~GLAND & (ROWS > -6)


def label(zone: int, gland: int) -> torch.Tensor:
    """A prostate of three slices, (1, H, W, 3)."""
    return torch.tensor(np.stack([zone * ZONE + gland * GLAND] * 3, axis=-1)[None])


def test_a_disk_fills_more_of_its_box_than_the_crescent_around_it() -> None:
    assert fill_of_box(label(1, 2), 2) == pytest.approx(np.pi / 4, abs=0.07)
    assert fill_of_box(label(1, 2), 1) < 0.6
    assert np.isnan(fill_of_box(label(1, 2), 3))


@pytest.mark.parametrize(
    ("labels", "swapped"),
    [((1, 2), False), ((2, 1), True), ((0, 1), True), ((2, 0), True), ((1, 0), False), ((0, 2), False)],
)
def test_labels_that_look_swapped_are_told(
    labels: tuple[int, int], *, swapped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shapes = ZoneShapes(1, 2)
    shapes.look("good.nrrd", label(1, 2))
    shapes.look("other.nrrd", label(*labels))
    with caplog.at_level(logging.WARNING):
        shapes.warn()
    assert any("1 of 2 labels, first other.nrrd, look as if" in line for line in caplog.messages) == swapped
