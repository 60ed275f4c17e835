"""Zones of the prostate: labels in which two classes look swapped are told by the shapes of the two."""

from __future__ import annotations

import logging

import numpy as np
from scipy.ndimage import find_objects
from torch import Tensor

from calib_monai.processes import gathered, is_first_process

# Medians over the 30 labels of the Medical Segmentation Decathlon's prostate that have both classes: the central gland
# is compact and fills .78 of its bounding box in a slice; the peripheral zone lies around it and fills .19 to .55.
BETWEEN = 0.6

logger = logging.getLogger(__name__)


class ZoneShapes:
    """Warns where labels show the peripheral zone compact and the central gland curved around it.

    Args:
        crescent: class of the zone that lies around the other, the peripheral zone.
        compact: class of the other, the central gland.
    """

    def __init__(self, crescent: int, compact: int) -> None:
        self.crescent = crescent
        self.compact = compact
        self.swapped: list[str] = []
        self.count = 0

    def look(self, name: str, label: Tensor) -> None:
        """Look at one label.

        Args:
            name: of its file.
            label: (1, H, W, D), class indices, slices along the last axis.
        """
        fills = [fill_of_box(label, index) for index in (self.crescent, self.compact)]
        self.count += 1
        curved, filled = fills[0] < BETWEEN, fills[1] > BETWEEN
        if (fills[0] > BETWEEN and not filled) or (fills[1] < BETWEEN and not curved):
            self.swapped.append(name)

    def warn(self) -> None:
        """Log how many labels look swapped, in the first process, of all."""
        parts = gathered((self.count, self.swapped))
        swapped = sorted(name for _, names in parts for name in names)
        if swapped and is_first_process():
            logger.warning(
                "%d of %d labels, first %s, look as if peripheral zone (class %d) and central gland (class %d) were "
                "swapped: the first is compact in its slices, or the second curved",
                *(len(swapped), sum(count for count, _ in parts), swapped[0], self.crescent, self.compact),
            )


def fill_of_box(label: Tensor, index: int) -> float:
    """The median over slices of how much of its bounding box a class fills; NaN where it is in none.

    Args:
        label: (1, H, W, D), class indices, slices along the last axis.
        index: of the class.
    """
    planes = np.moveaxis(np.asarray(label)[0] == index, -1, 0)
    fills = [plane[box].mean() for plane in planes for box in find_objects(plane.astype(np.uint8))]
    return float(np.median(fills)) if fills else float("nan")
