"""A bundle as another program finds it: in a folder, with weights, and with cases listed elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

KINDS = ("hippocampus_nacl", "busi_nacl", "brats_nacl")  # volumes, pictures, several files a case
QUICK = {"slice_size": [48, 64], "batch_size": 8}  # the size of the phantoms


class Driven(NamedTuple):
    """A bundle in a folder of its own, and phantoms for it.

    Attributes:
        root: folder of the bundle, with untrained weights in `models/model.pt`.
        data: folder of the phantoms, in the layout of the data set.
        cases: "training", "validation" and "test" cases, each with "image" and "label" alone, as other programs list
            them.
    """

    root: Path
    data: Path
    cases: dict[str, list[dict[str, Any]]]

    @property
    def train(self) -> str:
        """The file of the training."""
        return str(self.root / "configs" / "train.json")

    @property
    def inference(self) -> str:
        """The file of the inference."""
        return str(self.root / "configs" / "inference.json")
