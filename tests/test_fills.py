"""Fills: an ignored voxel gets a label that is nearest to it."""

from __future__ import annotations

import pytest
import torch

from calib_monai.fills import filled


@pytest.mark.parametrize("shape", [(7, 6), (5, 4, 6)])
def test_each_image_is_filled_with_its_own_nearest_labels(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (4, 1, *shape), generator=generator, dtype=torch.uint8)
    ignored = torch.rand(labels.shape, generator=generator) < 0.6
    ignored[1], ignored[2] = False, True
    labels[ignored] = 255
    found = filled(labels, ignored)
    assert found.dtype == labels.dtype
    assert torch.equal(found[~ignored], labels[~ignored])
    assert (found[2] == 255).all()  # there is no label to take
    for image in (0, 3):
        known = (~ignored[image, 0]).nonzero()
        of_known = labels[image, 0][~ignored[image, 0]]
        for place in ignored[image, 0].nonzero():
            distances = (known - place).square().sum(dim=1)
            assert found[(image, 0, *place)] in of_known[distances == distances.min()]
