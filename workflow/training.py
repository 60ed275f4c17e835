"""A training of a benchmark: what it trains, and the place of its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Options = dict[str, Any]

IN_3D = "_3d"  # after the name of a network for volumes, in folders and tables


@dataclass(frozen=True)
class Training:
    """One training: its place among the others, and the options of its bundle.

    Attributes:
        method: of the bundle.
        network: name of its factory in `calib_monai.networks`, with `IN_3D` behind it for a network of volumes.
        variant: what is other than in the bundle, "" for nothing.
        seed: of weights, order and augmentation.
        fold: of the split.
        options: that make the variant.
    """

    method: str
    network: str
    variant: str
    seed: int
    fold: int
    options: Options = field(default_factory=dict, compare=False)

    @property
    def folder(self) -> str:
        """The place of the training in the folder of its data set."""
        name = f"{self.method}-{self.variant}" if self.variant else self.method
        return f"{self.network}/{name}/seed{self.seed}_fold{self.fold}"
