"""Items on disk, for what passes through them several times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import torch
from torch import Tensor

from calib_monai.whole_files import named_file


class StoredItems:
    """Items on disk, which can be iterated any number of times, one at a time in memory.

    Args:
        folder: in which they are stored; what is there is removed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir(parents=True)
        self.count = 0

    def add(self, *item: Tensor) -> None:
        """Keep an item."""
        with named_file(self._path(self.count)) as file:
            torch.save([part.cpu() for part in item], file)
        self.count += 1

    def __iter__(self) -> Iterator[list[Tensor]]:
        """The items in their order."""
        for index in range(self.count):
            yield torch.load(self._path(index), weights_only=True)

    def remove(self) -> None:
        """Forget them."""
        rmtree(self.folder, ignore_errors=True)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index}.pt"
