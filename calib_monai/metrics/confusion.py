"""The confusion matrix of two label maps."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.metrics.inputs import PIECE


def confusion_matrix(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """The number of voxels of each labeled (row) and each predicted class (column), (C, C), int64, on their device.

    They are counted piece by piece: all at once they would take eight bytes a voxel.

    Args:
        labels: class indices below C, (N,).
        predicted: the same of the other map.
        classes: C.

    Examples:
        >>> import torch
        >>> confusion_matrix(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]), 2).tolist()
        [[1, 1], [0, 2]]
    """
    matrix = torch.zeros(classes**2, dtype=torch.int64, device=labels.device)
    for start in range(0, len(labels), PIECE):
        rows, columns = (of[start : start + PIECE].long() for of in (labels, predicted))
        matrix += torch.bincount(rows * classes + columns, minlength=classes**2)
    return matrix.view(classes, classes)


def dice_of(matrix: Tensor) -> Tensor:
    """The Dice of each class, (C,), float64; NaN where neither map has it.

    Args:
        matrix: from `confusion_matrix`, (C, C).
    """
    counts = matrix.double()
    return 2 * counts.diagonal() / (counts.sum(dim=0) + counts.sum(dim=1))
