"""Priors: counted neighbor by neighbor, the authors' numbers, the laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from calib_monai.priors import PRIORS, neighborhood_prior


def labels(*shape: int, num_classes: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randint(num_classes, (2, 1, *shape), generator=torch.Generator().manual_seed(seed))


def slow_mean_prior(target: np.ndarray, num_classes: int, kernel_size: int, border: str) -> np.ndarray:
    """Voxel by voxel, neighbor by neighbor, in float64."""
    radius, shape = kernel_size // 2, target.shape[2:]
    prior = np.zeros((target.shape[0], num_classes, *shape))
    for image, place in itertools.product(range(len(target)), np.ndindex(*shape)):
        for shift in itertools.product(range(-radius, radius + 1), repeat=len(shape)):
            there = np.add(place, shift)
            inside = np.clip(there, 0, np.array(shape) - 1)
            beyond = border == "background" and not np.array_equal(there, inside)
            label = 0 if beyond else target[(image, 0, *inside)]
            prior[(image, label, *place)] += 1 / kernel_size ** len(shape)
    return prior


@pytest.mark.parametrize("border", ["replicate", "background"])
@pytest.mark.parametrize(("shape", "kernel_size"), [((7, 6), 3), ((7, 6), 5), ((4, 5, 3), 3), ((20, 5), 17)])
def test_the_mean_prior_counts_the_neighbors(shape: tuple[int, ...], kernel_size: int, border: str) -> None:
    target = labels(*shape)
    prior = neighborhood_prior(target, 4, kernel_size=kernel_size, border=border)
    expected = slow_mean_prior(target.numpy(), 4, kernel_size, border)
    torch.testing.assert_close(prior.double(), torch.tensor(expected), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("kind", "border", "key"),
    [
        ("gaussian", "replicate", "prior__nacl_gaussian_s2.0_A"),
        *((kind, "background", f"prior__nacl_{kind}_A") for kind in ("mean", "max", "min", "mode")),
    ],
)
def test_the_prior_is_the_authors(arrays: dict[str, np.ndarray], kind: str, border: str, key: str) -> None:
    target = torch.tensor(arrays["labels_A"]).unsqueeze(1)
    torch.testing.assert_close(neighborhood_prior(target, 4, kind, border=border), torch.tensor(arrays[key]))


@pytest.mark.parametrize("kind", ["max", "min", "median", "mode"])
@pytest.mark.parametrize(("shape", "kernel_size"), [((7, 6), 3), ((7, 6), 5), ((4, 5, 3), 3), ((4, 5, 3), 7)])
def test_the_other_priors_are_order_statistics_of_the_window(
    kind: str, shape: tuple[int, ...], kernel_size: int
) -> None:
    target = labels(*shape)
    padded = np.pad(target.numpy()[:, 0], [(0, 0)] + [(kernel_size // 2,) * 2] * len(shape), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (kernel_size,) * len(shape), tuple(range(1, padded.ndim))
    )
    flat = windows.reshape(*target.shape[:1], *shape, -1)
    chosen = {
        "max": lambda window: window.max(),
        "min": lambda window: window.min(),
        "median": np.median,
        "mode": lambda window: np.bincount(window).argmax(),
    }[kind]
    expected = torch.tensor(np.apply_along_axis(chosen, -1, flat)).long()
    torch.testing.assert_close(neighborhood_prior(target, 4, kind, kernel_size).argmax(dim=1), expected)


@pytest.mark.parametrize("kind", PRIORS)
@pytest.mark.parametrize("shape", [(9, 8), (5, 6, 4)])
def test_a_prior_sums_to_one_everywhere(kind: str, shape: tuple[int, ...]) -> None:
    for border in ("replicate", "background"):
        total = neighborhood_prior(labels(*shape), 4, kind, kernel_size=5, border=border).sum(dim=1)
        torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize("kind", PRIORS)
def test_labels_above_a_byte_have_the_prior_of_small_ones(kind: str) -> None:
    target = labels(8, 7)
    shifted = neighborhood_prior(target + 296, 300, kind)
    torch.testing.assert_close(shifted[:, 296:], neighborhood_prior(target, 4, kind))
    assert not shifted[:, :296].any()


def test_permuting_the_classes_permutes_the_prior() -> None:
    target, order = labels(8, 8), torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(neighborhood_prior(order[target], 4)[:, order], neighborhood_prior(target, 4))


@pytest.mark.parametrize("kind", sorted(set(PRIORS) - {"gaussian"}))
def test_a_volume_constant_along_depth_has_the_prior_of_its_slice(kind: str) -> None:
    target = labels(8, 8)
    volume = target.unsqueeze(-1).expand(-1, -1, -1, -1, 5)
    torch.testing.assert_close(neighborhood_prior(volume, 4, kind)[..., 2], neighborhood_prior(target, 4, kind))


@pytest.mark.parametrize("kind", PRIORS)
def test_an_unknown_label_counts_in_no_window(kind: str) -> None:
    target = torch.full((1, 1, 5, 5), 255)
    target[0, 0, 2, 2:4] = torch.tensor([1, 3])
    prior = neighborhood_prior(target, 4, kind)[0]
    assert prior[:, 2, 1].tolist() == [0, 1, 0, 0]  # its window holds the 1 alone
    assert prior[:, 0, 0].tolist() == [0, 0, 0, 0]
    assert prior[:, 2, 2].sum().item() == pytest.approx(1)


def test_a_window_of_one_voxel_is_the_label_itself() -> None:
    target = labels(5, 5)
    one_hot = torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1).float()
    for kind in PRIORS:
        torch.testing.assert_close(neighborhood_prior(target, 4, kind, kernel_size=1), one_hot)


def svls_kernel(kernel_size: int, sigma: float, dims: int) -> torch.Tensor:
    """The kernel as SVLS describes it, in float64: a Gaussian, its center replaced by the sum of the others."""
    line = torch.exp(-((torch.arange(kernel_size, dtype=torch.float64) - kernel_size // 2) ** 2) / (2 * sigma**2))
    kernel = line
    for _ in range(dims - 1):
        kernel = kernel.unsqueeze(-1) * line
    center = (kernel_size // 2,) * dims
    kernel[center] = 0
    kernel[center] = kernel.sum()
    return kernel / kernel.sum()


@pytest.mark.parametrize(("shape", "kernel_size"), [((9, 8), 3), ((9, 8), 5), ((5, 6, 4), 3), ((5, 6, 4), 7)])
@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 2.0, 10.0])
def test_the_gaussian_prior_is_a_convolution_with_the_kernel(
    shape: tuple[int, ...], kernel_size: int, sigma: float
) -> None:
    target = labels(*shape)
    one_hot = torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1).double()
    edges = (kernel_size // 2,) * (2 * len(shape))
    convolve = {2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}[len(shape)]
    kernel = svls_kernel(kernel_size, sigma, len(shape)).expand(4, 1, *[-1] * len(shape))
    expected = convolve(torch.nn.functional.pad(one_hot, edges, mode="replicate"), kernel, groups=4)
    prior = neighborhood_prior(target, 4, "gaussian", kernel_size, sigma)
    torch.testing.assert_close(prior.double(), expected, atol=2e-6, rtol=0)


def test_a_label_that_is_no_whole_number_or_wraps_in_a_byte_counts_in_no_window() -> None:
    for value in (0.7, float("nan"), 256.0, 1e10):
        assert not neighborhood_prior(torch.full((1, 1, 4, 4), value), 4).any()
    byte = torch.full((1, 1, 4, 4), 100, dtype=torch.uint8)
    assert neighborhood_prior(byte, 300)[:, 100].min() == 1


def test_targets_of_another_shape_are_refused() -> None:
    for shape in ((2, 4, 4), (2, 3, 4, 4), (2, 1, 4)):
        with pytest.raises(ValueError, match=str(shape[1:])[1:-1]):
            neighborhood_prior(torch.zeros(shape, dtype=torch.int64), 3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"kind": "average"}, "'average'"),
        ({"border": "zero"}, "'zero'"),
        ({"kernel_size": 4}, "4"),
        ({"kernel_size": -1}, "-1"),
        ({"kernel_size": 3.0}, "3.0"),
        ({"sigma": 0.0}, "0.0"),
        ({"sigma": float("nan")}, "nan"),
        ({"num_classes": 0}, "0"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        neighborhood_prior(labels(4, 4), **{"num_classes": 4, **arguments})  # type: ignore[arg-type]
