"""Far voxels: tells a training image whose voxels have another size than those of all others."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from calib_monai.orientation import Geometry, axcodes_of
from calib_monai.processes import is_first_process

FAR, FAR_EXTENT = 5.0, 2.0  # times as much, or as little, as in the middle of all images
FEWEST = 3  # images, of which two tell the size of the third
FEW = 0.05  # of the images, or one, that lack sizes where others have them

logger = logging.getLogger(__name__)


def tell_far_voxels(geometries: Mapping[str, Geometry], axcodes: str) -> None:
    """Warn, in one line, of images whose header may give the voxels a wrong size.

    Such a voxel is along an axis more than five times as large or small as in the middle of all images, and the image
    more than twice as long or short: thin slices of one scanner are also more. Or it is of exactly 1 x 1 x 1 mm, as
    where a header has lost the sizes, those of nearly all others are not, and the image is more than twice as long or
    short along an axis.

    Args:
        geometries: of the images of a training, by case.
        axcodes: axis codes to which these are reoriented, or "auto".
    """
    codes = axcodes_of(axcodes, geometries.values())
    along = {name: one.along(codes) for name, one in geometries.items() if one.codes}
    if len(along) < FEWEST or not is_first_process():
        return
    edges = np.array([one.spacing for one in along.values()])
    lengths = edges * [one.size for one in along.values()]
    middle = np.median(edges, axis=0)
    times, times_as_long = edges / middle, lengths / np.median(lengths, axis=0)
    large, small = (times > FAR) & (times_as_long > FAR_EXTENT), (times < 1 / FAR) & (times_as_long < 1 / FAR_EXTENT)
    unlikely = ((times_as_long > FAR_EXTENT) | (times_as_long < 1 / FAR_EXTENT)).any(axis=1)
    without_size = (edges == 1).all(axis=1) & unlikely
    if without_size.sum() > max(1, FEW * len(along)):
        without_size[:] = False
    far = [place for place, odd in enumerate((large | small).any(axis=1) | without_size) if odd]
    if far:
        logger.warning(
            "%d of %d case(s) have voxels of a size far from that of the others, first %s with %s mm, in the middle of "
            "all %s mm: is this the size of its voxels, or is its header wrong?",
            *(len(far), len(along), [*along][far[0]], _in_words(edges[far[0]]), _in_words(middle)),
        )


def _in_words(edges: np.ndarray) -> str:
    """The edges of a voxel in words."""
    return " x ".join(f"{edge:.4g}" for edge in edges)
