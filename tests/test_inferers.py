"""Inferers: the center is predicted as in training, and nothing is left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from monai.inferers import SimpleInferer, SliceInferer, SlidingWindowInferer
from torch import Tensor, nn

from calib_monai.inferers import MembersInferer, WholeSliceInferer, check_windows
from calib_monai.networks import EnsembleNetwork


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


def test_an_ensemble_gives_the_mean_of_what_its_members_predict_alone_where_windows_overlap() -> None:
    torch.manual_seed(0)
    members = [nn.Conv3d(1, 3, 3, padding=1) for _ in range(3)]
    inferer = SlidingWindowInferer((8, 8, 8), 2, overlap=0.5, mode="gaussian")
    image = 10 * torch.rand(1, 1, 14, 12, 9)
    together = MembersInferer(inferer)
    with torch.no_grad():
        logits = together(image, EnsembleNetwork(members, ["a", "b", "c"]))
        alone = torch.stack([inferer(image, member) for member in members], dim=1)
    torch.testing.assert_close(logits.softmax(dim=1), alone.softmax(dim=2).mean(dim=1))
    assert together.labels is not None
    assert torch.equal(together.labels, alone.argmax(dim=2).byte())
    with torch.no_grad():
        in_windows = inferer(image, EnsembleNetwork(members, ["a", "b", "c"]))
    assert not torch.allclose(in_windows.softmax(dim=1), alone.softmax(dim=2).mean(dim=1), atol=1e-3)


def test_a_member_that_gives_probabilities_is_refused() -> None:
    members = [nn.Conv3d(1, 3, 1), nn.Sequential(nn.Conv3d(1, 3, 1), nn.Softmax(1))]
    with pytest.raises(ValueError, match=r"^network_def gives probabilities"):
        MembersInferer(SimpleInferer())(torch.rand(1, 1, 4, 4, 4), EnsembleNetwork(members, ["a", "b"]))


def test_a_single_network_is_handed_on() -> None:
    inferer = MembersInferer(SimpleInferer())
    image = torch.rand(1, 1, 4, 4, 4)
    assert inferer(image, nn.Identity()) is image
    assert inferer.labels is None


@pytest.mark.parametrize(
    ("inferer", "slice_size"),
    [
        (WholeSliceInferer([8, 8], 4), [8, 8]),
        (MembersInferer(SlidingWindowInferer((8, 8, 4), 2)), (8, 8, 4)),
        (SlidingWindowInferer(8, 2), [8, 8]),
        (SimpleInferer(), [8, 8]),
        (None, [8, 8]),
    ],
)
def test_windows_as_in_training_are_taken(inferer: object, slice_size: Sequence[int]) -> None:
    check_windows(inferer, slice_size)


@pytest.mark.parametrize(
    ("inferer", "told"),
    [
        (WholeSliceInferer([4, 8], 4), r"\[4, 8\]"),
        (MembersInferer(SlidingWindowInferer((8, 8, 4), 2)), r"\[8, 8, 4\]"),
        (SlidingWindowInferer(16, 2), r"\[16\]"),
        (SlidingWindowInferer((8, -1), 2), r"\[8, -1\]"),
    ],
)
def test_windows_of_another_size_than_in_training_are_refused(inferer: object, told: str) -> None:
    with pytest.raises(ValueError, match=rf"inferer#roi_size is {told}, and the network is made for \[8, 8\]"):
        check_windows(inferer, [8, 8])
