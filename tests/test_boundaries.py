"""Boundaries: the weight of each voxel follows from its distance to the nearest boundary."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from calib_monai.boundaries import boundary_weight

TARGET = torch.tensor([[[[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]]])


def blobs(*shape: int, num_classes: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, num_classes, *(size // 5 for size in shape), generator=generator)
    return torch.nn.functional.interpolate(coarse, size=shape).argmax(dim=1, keepdim=True)


def slow_weight(labels: np.ndarray, width: int, weight_max: float = 1.0, weight_min: float = 0.01) -> np.ndarray:
    """The weight of one image from a distance transform of each class and of its complement, in float64."""
    weight = np.full(labels.shape, weight_min)
    for label in set(labels.ravel()) - {0}:
        inside = labels == label
        if inside.all():
            continue
        signed = np.floor(distance_transform_edt(inside) - distance_transform_edt(~inside))
        signed[signed > 0] -= 1
        ramp = weight_max * np.maximum(width - np.abs(signed), 0) / width + weight_min
        weight = np.maximum(weight, ramp)
    return weight


def test_the_weight_is_the_authors_but_for_the_structure_that_theirs_leaves_out(
    golden: dict[str, dict[str, object]], arrays: dict[str, np.ndarray]
) -> None:
    assert golden["bwcr_lambda_map"]["args"]["R"] == 10  # type: ignore[index]
    labels, expected = (torch.tensor(arrays[f"bwcr_{name}"]) for name in ("labels", "lambda_map"))
    weight = boundary_weight(labels)
    thin = torch.tensor(distance_transform_edt(arrays["bwcr_labels"] != 3, sampling=[1e3, 1, 1, 1])) < 10
    thin[0] = False  # there class 3 is thicker than 2 pixels
    torch.testing.assert_close(weight[~thin], expected[~thin], rtol=0, atol=1e-6)
    assert (weight[thin] >= expected[thin] - 1e-6).all()
    assert weight[1][labels[1] == 3].min().item() == pytest.approx(1.01)


@pytest.mark.parametrize(
    ("shape", "width"), [((40, 30), 10), ((40, 30), 3), ((40, 30), 12), ((40, 30), 25), ((7, 300), 10)]
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_the_weight_is_that_of_distance_transforms(shape: tuple[int, ...], width: int, dtype: torch.dtype) -> None:
    target = blobs(*shape)
    target[1] = 0
    target[1, 0, 3, 1:20] = 1  # one pixel thick
    target[1, 0, 4, 4] = 2
    expected = np.stack([slow_weight(image.numpy(), width) for image in target[:, 0]])[:, None]
    np.testing.assert_allclose(boundary_weight(target.to(dtype), width).numpy(), expected, rtol=0, atol=1e-6)


def test_the_weight_of_a_volume_counts_distances_along_its_depth() -> None:
    target = blobs(15, 10, 20)
    expected = np.stack([slow_weight(image.numpy(), 4) for image in target[:, 0]])[:, None]
    np.testing.assert_allclose(boundary_weight(target, 4).numpy(), expected, rtol=0, atol=1e-6)


def test_permuting_the_foreground_classes_or_turning_the_image_changes_no_weight() -> None:
    target = blobs(40, 30)
    weight = boundary_weight(target)
    assert torch.equal(boundary_weight(torch.tensor([0, 3, 1, 2])[target]), weight)
    assert torch.equal(boundary_weight(target.transpose(2, 3)), weight.transpose(2, 3))
    assert torch.equal(boundary_weight(target[1:]), weight[1:])
    assert torch.equal(boundary_weight(200 * target), weight)
    assert torch.equal(boundary_weight(torch.tensor([0, 1, 2, -1])[target]), weight)


@pytest.mark.parametrize("label", [0, 1])
def test_without_a_boundary_the_weight_is_the_least(label: int) -> None:
    weight = boundary_weight(torch.full((1, 1, 30, 30), label), weight_max=2.0, weight_min=0.25)
    assert (weight == 0.25).all()


def test_an_image_of_one_pixel_has_a_weight() -> None:
    assert boundary_weight(torch.ones(1, 1, 1, 1)).item() == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 0}, "width is 0"),
        ({"width": 128}, "width is 128"),
        ({"width": 2.5}, r"width is 2\.5"),
        ({"weight_max": -1.0}, r"weight_max is -1\.0"),
        ({"weight_min": float("nan")}, "weight_min is nan"),
    ],
)
def test_a_weight_that_means_nothing_is_refused(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        boundary_weight(TARGET, **arguments)  # type: ignore[arg-type]


def test_a_target_of_another_shape_has_no_weight() -> None:
    with pytest.raises(ValueError, match=r"target is \(1, 3, 4\)"):
        boundary_weight(TARGET[0])
