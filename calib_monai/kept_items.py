"""Kept items: volumes that are prepared once, and kept up to a limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monai.data import Dataset
from torch import Tensor

from calib_monai.composed import random_in
from calib_monai.memory import fits


class KeptDataset(Dataset):
    """MONAI's Dataset, which keeps its items after the first time, up to a limit, if no transform is random.

    MONAI's CacheDataset takes every `Compose` inside of another for random, and then keeps only paths.

    Args:
        data: the items, as paths.
        transform: makes of them what is kept.
    """

    def __init__(self, data: Sequence[Any], transform: Callable[..., Any]) -> None:
        super().__init__(data, transform)
        self.kept: dict[int, dict[Any, Any]] = {}
        self.size = 0
        self.is_random = bool(random_in(transform))

    def _transform(self, index: int) -> Any:
        """The prepared item."""
        if index in self.kept:
            return dict(self.kept[index])
        item = super()._transform(index)
        if self.is_random or not isinstance(item, dict):
            return item
        size = sum(value.nbytes for value in item.values() if isinstance(value, Tensor))
        if fits(size, self.size):
            self.kept[index] = item
            self.size += size
        return dict(item)
