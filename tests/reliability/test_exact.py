"""Exact probabilities on a coarse grid are means of the label's voxels there, whatever its storage order."""

from __future__ import annotations

import numpy as np
import torch
from exact import exact_probabilities
from monai.data import MetaTensor
from monai.transforms import Orientation
from torch.nn.functional import avg_pool3d


def test_a_voxel_of_twice_the_size_has_the_mean_of_eight() -> None:
    label = torch.randint(3, (1, 8, 6, 10), generator=torch.Generator().manual_seed(0)).float()
    fine = MetaTensor(label, affine=torch.eye(4, dtype=torch.float64))
    turned = Orientation("PLS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(fine)
    coarse = torch.tensor(np.diag([2.0, 2, 2, 1]))
    coarse[:3, 3] = 0.5
    grid = MetaTensor(torch.zeros(1, 4, 3, 5), affine=coarse)
    expected = torch.cat([avg_pool3d((label == value).float(), 2) for value in range(3)])
    for stored in (fine, turned):
        torch.testing.assert_close(exact_probabilities(stored, grid, [1, 2]), expected)
