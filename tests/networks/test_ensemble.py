"""Ensembles of networks: the mean of their probabilities, one network after the other."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch import Tensor, nn

from calib_monai.networks import Ensemble, EnsembleNetwork, folders_of, members_of


@pytest.mark.parametrize("convolution", [nn.Conv2d, nn.Conv3d])
def test_its_probabilities_are_the_mean_of_those_of_its_members(convolution: type[nn.Module]) -> None:
    members = [convolution(2, 3, 1) for _ in range(3)]
    size = (8,) * (2 if convolution is nn.Conv2d else 3)
    image = 30 * torch.randn(2, 2, *size)
    mean = torch.stack([member(image).softmax(dim=1) for member in members]).mean(dim=0)
    ensemble = EnsembleNetwork(members, ["a", "b", "c"])
    torch.testing.assert_close(ensemble(image).softmax(dim=1), mean)
    assert ensemble(image.half().float()).dtype == torch.float32


def test_a_probability_too_small_for_float_stays_finite() -> None:
    class Sure(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.cat([image, image - 500], dim=1)

    assert EnsembleNetwork([Sure(), Sure()], ["a", "b"])(torch.zeros(1, 1, 2, 2))[0, 1].unique().tolist() == [-500]


def test_the_maps_of_an_earlier_member_are_gone_when_the_next_but_one_computes() -> None:
    alive: list[weakref.ref[Tensor]] = []

    class Watched(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            assert sum(one() is not None for one in alive) == 0
            logits = image.repeat(1, 3, 1, 1)
            alive.append(weakref.ref(logits))
            return logits

    with torch.no_grad():
        EnsembleNetwork([Watched() for _ in range(4)], list("abcd"))(torch.rand(1, 1, 4, 4))
    assert len(alive) == 4


def test_folders_make_an_ensemble_of_copies_and_none_leave_the_network_alone() -> None:
    network = nn.Conv2d(1, 2, 1)
    assert Ensemble().of(network) is network
    assert members_of(network, "here") == [(network, "here")]
    assert (Ensemble().suffix, folders_of(network)) == ("", [])
    ensemble = Ensemble(["a", "b"]).of(network)
    assert Ensemble(["a", "b"]).suffix == "_ensemble"
    assert folders_of(ensemble) == ["a", "b"]
    (one, first), (other, second) = members_of(ensemble, "here")
    assert (first, second) == ("a", "b")
    assert one is not other
    assert one.weight is not network.weight
    with pytest.raises(ValueError, match="an ensemble has no members"):
        EnsembleNetwork([], [])(torch.zeros(1))
