"""Inferers: the center is predicted as in training, and nothing is left out."""

from __future__ import annotations

import pytest
import torch
from monai.inferers import SliceInferer
from torch import Tensor, nn

from calib_monai.inferers import WholeSliceInferer


@pytest.mark.parametrize("shape", [(8, 8, 3), (5, 7, 3), (21, 8, 2), (30, 19, 1), (6, 25, 2)])
def test_each_voxel_of_a_scan_of_any_size_is_predicted(shape: tuple[int, ...]) -> None:
    image = torch.rand(1, 2, *shape, generator=torch.Generator().manual_seed(0))
    predicted = WholeSliceInferer((8, 8), 4)(image, lambda slices: 3 * slices[:, [1, 0]])
    torch.testing.assert_close(predicted, 3 * image[:, [1, 0]])


def test_the_center_is_predicted_as_if_there_were_nothing_around_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.InstanceNorm2d(4), nn.Conv2d(4, 3, 3, padding=1))
    image = torch.rand(1, 1, 23, 8, 4)
    seen = []

    def recorded(slices: Tensor) -> Tensor:
        seen.append(tuple(slices.shape[2:]))
        return network(slices)

    with torch.no_grad():
        predicted = WholeSliceInferer((8, 8), 4)(image, recorded)
        center = SliceInferer(roi_size=(8, 8), sw_batch_size=4, spatial_dim=2)(image[:, :, 7:15], network)
    assert torch.equal(predicted[:, :, 7:15], center)
    assert set(seen) == {(8, 8)}
    assert predicted.shape == (1, 3, 23, 8, 4)
