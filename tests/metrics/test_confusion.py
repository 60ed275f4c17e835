"""The confusion matrix of two label maps."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch

from calib_monai.metrics.confusion import confusion_matrix


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64, torch.float32])
def test_each_voxel_counts_in_the_row_of_its_label_and_the_column_of_its_prediction(kind: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    labels, predicted = (torch.randint(3, (100,), generator=generator).to(kind) for _ in range(2))
    found = confusion_matrix(labels, predicted, 4)
    expected = [[int(((labels == row) & (predicted == column)).sum()) for column in range(4)] for row in range(4)]
    assert found.tolist() == expected
    with patch("calib_monai.metrics.confusion.PIECE", 7):
        assert confusion_matrix(labels, predicted, 4).equal(found)


def test_more_classes_than_the_square_root_of_256_fit_into_bytes() -> None:
    labels, predicted = torch.full((5,), 250, dtype=torch.uint8), torch.full((5,), 200, dtype=torch.uint8)
    found = confusion_matrix(labels, predicted, 251)
    assert found[250, 200] == found.sum() == 5


def test_without_voxels_it_is_zero() -> None:
    assert confusion_matrix(torch.zeros(0), torch.zeros(0), 2).tolist() == [[0, 0], [0, 0]]
