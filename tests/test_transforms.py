"""Transforms: classes unite, boundaries weigh, a bias field goes, files bear their case."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.boundaries import boundary_weight
from calib_monai.transforms import (
    BoundaryWeightd,
    Confidenced,
    CorrectBiasd,
    Entropyd,
    LeaveOutd,
    MostProbabled,
)


def test_each_slice_of_a_volume_has_the_weight_of_its_own_boundaries() -> None:
    label = torch.zeros(1, 12, 9, 3)
    label[:, 2:5, 3:6, 0] = 1
    label[:, 6:11, 1:4, 1] = 2
    data = BoundaryWeightd(width=4, weight_min=0.5)({"label": MetaTensor(label), "image": label})
    assert list(data) == ["label", "image", "weight"]
    assert data["weight"].shape == label.shape
    for depth in range(3):
        alone = boundary_weight(label[None, ..., depth], width=4, weight_min=0.5)[0]
        assert torch.equal(data["weight"][..., depth], alone)
        named = BoundaryWeightd("label", "near", 4, 1.0, 0.5)({"label": label[..., depth]})
        assert torch.equal(named["near"], alone)
    assert (data["weight"][..., 2] == 0.5).all()


def test_the_edge_of_what_is_ignored_is_no_boundary() -> None:
    label = torch.zeros(1, 30, 6, 2)
    label[:, 20:] = 1
    ignored = label.clone()
    ignored[:, :9], ignored[:, 25:28] = 255, 255
    weigh = BoundaryWeightd(width=5, ignore_index=255)
    assert torch.equal(weigh({"label": ignored})["weight"], BoundaryWeightd(width=5)({"label": label})["weight"])
    everything = weigh({"label": torch.full_like(label, 255)})["weight"]
    assert torch.allclose(everything, torch.tensor(0.01))


def test_a_width_without_meaning_is_refused_before_the_data_come() -> None:
    with pytest.raises(ValueError, match="width is -1"):
        BoundaryWeightd(width=-1)


def test_the_label_is_the_first_of_the_most_probable_classes() -> None:
    probs = torch.rand(4, 9, 8, 5, generator=torch.Generator().manual_seed(0)).mul(6).round().div(6)  # many are equal
    given = {"pred": MetaTensor(probs, affine=2 * torch.eye(4)), "other": probs}
    told = MostProbabled("pred")(given)
    assert torch.equal(told["pred"].as_tensor(), probs.argmax(dim=0, keepdim=True).to(torch.uint8))
    torch.testing.assert_close(told["pred"].affine, given["pred"].affine)
    assert given["pred"] is not told["pred"]
    assert torch.equal(given["pred"].as_tensor(), told["other"])


def test_what_is_ignored_is_background_for_measures_of_shapes() -> None:
    predicted = MetaTensor(torch.tensor([[[1, 1, 0]]], dtype=torch.uint8))
    data = {"pred": predicted, "prob": torch.rand(2, 1, 3), "label": MetaTensor(torch.tensor([[[1.0, 255.0, 0.0]]]))}
    left = LeaveOutd(ignore_index=255)(data)
    assert left["pred"].tolist() == [[[1, 0, 0]]]
    assert left["label"].tolist() == [[[1, 0, 0]]]
    assert isinstance(left["label"], MetaTensor)
    assert left["target"].tolist() == [[[1, 255, 0]]]
    assert left["prob"] is data["prob"]
    assert predicted.tolist() == [[[1, 1, 0]]]
    as_it_was = LeaveOutd()(data)
    assert as_it_was["pred"] is predicted
    assert as_it_was["target"] is as_it_was["label"] is data["label"]


@pytest.mark.parametrize("scale", [1.0, 1e-4])  # most values of the second are below 0.01
def test_a_bias_field_is_removed_whatever_the_unit_of_the_image(scale: float) -> None:
    x = torch.linspace(-1, 1, 64).view(1, -1, 1, 1).expand(1, 64, 64, 8)
    inside = (x**2 + x.transpose(1, 2) ** 2) < 0.8
    image = scale * torch.where(inside, 100.0, 5.0) * torch.exp(0.5 * x)
    corrected = CorrectBiasd("image", shrink=4)({"image": MetaTensor(image)})["image"]
    spread = [values.std() / values.mean() for values in (image[inside], corrected.as_tensor()[inside])]
    assert spread[0] > 0.2
    assert spread[1] < 0.2 * spread[0]


def test_each_channel_has_a_bias_field_of_its_own() -> None:
    x = torch.linspace(-1, 1, 64).view(1, -1, 1, 1).expand(1, 64, 64, 8)
    inside = (x**2 + x.transpose(1, 2) ** 2) < 0.8
    flat = torch.where(inside, 100.0, 5.0)
    both, *alone = [
        CorrectBiasd("image", shrink=4)({"image": MetaTensor(image)})["image"].as_tensor()
        for image in (torch.cat([flat * torch.exp(0.5 * x), flat]), flat * torch.exp(0.5 * x), flat)
    ]
    torch.testing.assert_close(both, torch.cat(alone))


def test_the_confidence_is_the_probability_of_the_label() -> None:
    probs = torch.tensor([[0.2, 0.6], [0.5, 0.3], [0.3, 0.1]]).view(3, 2, 1)
    label = torch.tensor([[2.0], [0.0]])[None]
    told = Confidenced()({"prob": probs, "pred": label})
    assert told["prob"] is probs
    assert told["confidence"].shape == label.shape
    assert told["confidence"].flatten().tolist() == pytest.approx([0.3, 0.6])


def test_the_entropy_is_a_share_of_the_largest() -> None:
    probs = torch.tensor([[1.0, 0.25, 0.5], [0.0, 0.25, 0.5], [0.0, 0.25, 0.0], [0.0, 0.25, 0.0]])
    assert Entropyd()({"prob": probs})["entropy"].flatten().tolist() == pytest.approx([0, 1, 0.5])
