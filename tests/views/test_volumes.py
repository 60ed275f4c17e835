"""Views of volumes: a volume moves as its slices do, all of them alike, and comes back exactly."""

from __future__ import annotations

import torch

from calib_monai.views import RandomViews, TwoViewInferer, View
from calib_monai.views.affine import affine_matrices, recovered, warp


def test_a_volume_moves_as_each_of_its_slices() -> None:
    torch.manual_seed(0)
    volume = torch.rand(2, 3, 12, 10, 4)
    maps = affine_matrices(
        torch.tensor([20.0, -5.0]), torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([1.1, 0.9]), torch.zeros(2, 2)
    )
    moved, known = warp(volume, maps), recovered(volume, maps)
    for place in range(4):
        assert torch.equal(moved[..., place], warp(volume[..., place], maps))
        assert torch.equal(known[..., place], recovered(volume[..., place], maps))


def test_labels_and_logits_of_a_volume_follow_its_view() -> None:
    torch.manual_seed(0)
    view = RandomViews(probability=1.0, blur=1)(torch.rand(2, 1, 16, 16, 3))
    assert view.image.shape == (2, 1, 16, 16, 3)
    label = torch.randint(3, (2, 1, 16, 16, 3), dtype=torch.uint8)
    assert torch.equal(view.labels(label)[..., 1], View(view.image[..., 1], view.matrices).labels(label[..., 1]))
    logits = torch.rand(2, 4, 16, 16, 3)
    assert torch.equal(view.back(logits)[..., 2], View(view.image[..., 2], view.matrices).back(logits[..., 2]))


def test_intensities_change_by_the_range_of_the_volume() -> None:
    torch.manual_seed(0)
    noisy = RandomViews(
        probability=1.0, rotation=0, translation=0, scale=(1, 1), shear=0, blur=0, sharpen=(0, 0), noise=(0.1, 0.1)
    )(torch.rand(1, 1, 8, 8, 6))
    assert float(noisy.image.amin()) == 0
    assert float(noisy.image.amax()) == 1
    assert sum(float(part.amin()) == 0 for part in noisy.image[0, 0].unbind(-1)) == 1  # one slice has the lowest


def test_two_views_of_a_volume_give_logits_of_its_size() -> None:
    torch.manual_seed(0)
    views = TwoViewInferer(RandomViews(blur=1))(torch.rand(1, 1, 8, 8, 3), lambda image: torch.cat([image, image], 1))
    assert views.first.shape == views.second.shape == (1, 2, 8, 8, 3)
    assert views.valid.shape == (1, 2, 8, 8, 3)
