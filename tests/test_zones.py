"""Zones: labels in which the central gland is curved and the peripheral zone compact look swapped."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from calib_monai.volumes import Rules, read_pair
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


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_zones_are_looked_at_across_the_thickest_axis_wherever_it_is(axis: int) -> None:
    prostate = label(1, 2)[0].movedim(-1, axis)[None]
    affine = torch.diag(
        torch.tensor([3.6 if place == axis else 0.6 for place in range(3)] + [1.0], dtype=torch.float64)
    )
    loaded = {key: MetaTensor(times * prostate, affine=affine) for key, times in (("image", 10.0), ("label", 1.0))}
    rules = Rules(3, in_channels=1, spatial_dims=3, largest=None, axcodes="LPS", empty_labels=False, same_grid=True)
    shapes = ZoneShapes(2, 1)
    read_pair({"image": __file__, "label": __file__}, lambda _: loaded, rules, shapes.look)
    assert (shapes.count, shapes.swapped) == (1, [__file__])
    seen: list[tuple[int, ...]] = []
    read_pair({"image": __file__, "label": __file__}, lambda _: loaded, rules, lambda _, one: seen.append(one.shape))
    assert seen == [(1, 40, 40, 3)]
