"""The ignored label: one handler sets it, other handlers read it, and segmentations are marked with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ignite.engine import Engine
from monai.handlers import from_engine
from torch import Tensor

from calib_monai.metrics.class_indices import may_hold
from calib_monai.metrics.inputs import class_map, labels_and_ignored, plain


class IgnoredLabel:
    """Tells the other handlers of an evaluator which label is ignored; they leave out its voxels.

    Args:
        ignore_index: the label, or None.
    """

    def __init__(self, ignore_index: int | None = None) -> None:
        self.ignore_index = ignore_index

    def attach(self, engine: Engine) -> None:
        """Note it as `engine.state.ignore_index`."""
        state: Any = engine.state
        state.ignore_index = self.ignore_index


def segmentations_from_engine(ignore_index: int | None = None) -> Callable[[Any], Any]:
    """MONAI's `from_engine(["prob", "pred"])`, with `ignore_index` in ignored voxels of the segmentation.

    `LeaveOutd` has set these voxels to background in "pred"; a measure of probabilities would count them.

    Args:
        ignore_index: the ignored label in "target", (1, H, W[, D]), or None.
    """
    if ignore_index is None:
        return from_engine(["prob", "pred"])

    def taken(output: list[dict[str, Any]]) -> tuple[list[Tensor], list[Tensor]]:
        return [item["prob"] for item in output], [_marked(item, ignore_index) for item in output]

    return taken


def _marked(item: dict[str, Any], ignore_index: int) -> Tensor:
    """The segmentation of a case, (1, H, W[, D]), class indices, `ignore_index` where its label is."""
    classes = len(item["prob"])
    segmentation = class_map(plain(item["pred"])[None], classes)[0]
    _, ignored = labels_and_ignored(plain(item["target"])[None], classes, ignore_index)
    if ignored is None:
        return segmentation
    given = segmentation if may_hold(segmentation, ignore_index) else segmentation.int()
    return given.masked_fill(ignored[0], ignore_index)
