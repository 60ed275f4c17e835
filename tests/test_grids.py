"""Grids: affines that place no voxel are refused, and distances are those of the corners."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from calib_monai.grids import check_affine, distance_of_grids, half_a_voxel, is_sheared

TURNED = np.array([[0.8, -0.6, 0, 3], [0.6, 0.8, 0, 4], [0, 0, 3, 5], [0, 0, 0, 1.0]])


def changed(column: int, values: object) -> np.ndarray:
    affine = np.diag([1.0, 2, 3, 1])
    affine[:3, column] = values
    return affine


@pytest.mark.parametrize(
    ("affine", "said"),
    [
        (np.zeros((4, 4)), "voxels of 0 x 0 x 0 mm"),
        (changed(1, 0), "voxels of 1 x 0 x 3 mm"),
        (changed(2, [2, 0, 0]), "lie in one plane"),
        (changed(2, [1, 2, 1e-5]), "lie in one plane"),
        (changed(0, np.nan), "NaN or infinite"),
        (changed(3, np.inf), "NaN or infinite"),
        (1e-30 * np.eye(4), "each size must lie between 1e-06 and 10000"),
        (changed(0, [1e20, 0, 0]), "each size must lie between 1e-06 and 10000"),
        (changed(3, [0, -1e38, 0]), "places it 1e[+]38 mm away"),
    ],
)
def test_an_affine_that_places_no_voxel_is_refused(affine: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=f"scan.nii has an affine .*{said}"):
        check_affine("scan.nii", affine)


@pytest.mark.parametrize("affine", [np.eye(3), np.eye(4), TURNED, changed(2, [1, 0, 3]), changed(0, [1e-6, 0, 0])])
def test_others_pass(affine: np.ndarray) -> None:
    check_affine("scan.nii", torch.as_tensor(affine))


def test_axes_that_are_turned_are_not_sheared() -> None:
    assert not is_sheared(TURNED)
    assert is_sheared(changed(2, [0.1, 0, 3]))


def test_the_distance_is_that_of_the_corners_that_lie_farthest_apart() -> None:
    one = MetaTensor(torch.zeros(1, 3, 4, 11), affine=torch.diag(torch.tensor([1.0, 1, 3, 1])))
    other = MetaTensor(torch.zeros(1, 3, 4, 11), affine=torch.diag(torch.tensor([1.0, 1, 3.1, 1])))
    assert distance_of_grids(one, other) == pytest.approx(1.0)
    assert distance_of_grids(one, other.as_tensor()) == 0
    assert half_a_voxel(one) == 0.5
