"""LTS: the authors' numbers, its tree written out in float64, the laws, the refusals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from calib_monai.posthoc import LocalTemperatureScaling, TemperatureScaling

Item = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Predictions = Callable[..., list[Item]]
CONVOLUTIONS = ["conv1", "conv2", "conv3", "conv4", "param1", "param2", "param3", "param_img"]  # in the order of ours


def drawn(num_classes: int = 3, in_channels: int = 1, spatial_dims: int = 2) -> LocalTemperatureScaling:
    """One whose weights are all drawn at random."""
    calibrator = LocalTemperatureScaling(num_classes, in_channels, spatial_dims)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in calibrator.parameters():
            weights.uniform_(-0.1, 0.1, generator=generator)
    return calibrator


def batch(*shape: int, num_classes: int = 3, in_channels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, num_classes, *shape, generator=generator)
    return logits, torch.randn(2, in_channels, *shape, generator=generator)


@pytest.fixture
def authors(arrays: dict[str, np.ndarray]) -> LocalTemperatureScaling:
    """One with the authors' weights."""

    def weights(kind: str, names: list[str]) -> torch.Tensor:
        return torch.tensor(np.concatenate([arrays[f"lts_w__temperature_level_2_{name}.{kind}"] for name in names]))

    calibrator = LocalTemperatureScaling(num_classes=4, in_channels=1)
    calibrator.load_state_dict(
        {
            f"{module}.{kind}": weights(kind, names)
            for module, names in (("of_logits", CONVOLUTIONS), ("of_image", ["conv_img"]))
            for kind in ("weight", "bias")
        }
    )
    return calibrator


def test_logits_likelihood_and_gradient_are_the_authors(
    authors: LocalTemperatureScaling, golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    expected = golden["lts_forward"]["expected"]
    logits, labels = torch.tensor(arrays["logits_A"], requires_grad=True), torch.tensor(arrays["labels_A"])
    temperature = (authors.log_temperature(logits, torch.tensor(arrays["lts_image"])) + 2).relu() + 1e-8
    calibrated = logits / temperature
    torch.testing.assert_close(calibrated, torch.tensor(arrays["lts_out"]), rtol=1e-4, atol=1e-5)
    nll = torch.nn.functional.cross_entropy(calibrated, labels)
    nll.backward()
    assert nll.item() == pytest.approx(expected["nll"], rel=1e-5)
    assert logits.grad.norm().item() == pytest.approx(expected["grad_logits_l2norm"], rel=1e-5)


def convolved(values: NDArray[np.float64], weight: NDArray[np.float64], bias: float) -> NDArray[np.float64]:
    """The convolution as its definition reads: 5 taps an axis, 2 voxels apart, the border reflected."""
    size = values.shape[1:]
    padded = np.pad(values, [(0, 0), *[(4, 4)] * len(size)], mode="reflect")
    total = np.full(size, bias)
    for tap in itertools.product(range(5), repeat=len(size)):
        window = tuple(slice(2 * step, 2 * step + side) for step, side in zip(tap, size, strict=True))
        total += np.einsum("c...,c->...", padded[(slice(None), *window)], weight[(slice(None), *tap)])
    return total


@pytest.mark.parametrize("shape", [(7, 9), (5, 8, 6)])
def test_the_temperature_is_the_tree_in_float64(shape: tuple[int, ...]) -> None:
    calibrator = drawn(3, 2, len(shape))
    logits, image = batch(*shape, in_channels=2)
    weights = {name: values.detach().double().numpy() for name, values in calibrator.named_parameters()}
    for b in range(2):
        leaf_1, leaf_2, leaf_3, leaf_4, *gates = (
            convolved(logits[b].double().numpy(), weights["of_logits.weight"][k], weights["of_logits.bias"][k])
            for k in range(8)
        )
        g_1, g_2, g_3, g_4 = (1 / (1 + np.exp(-gate)) for gate in gates)
        of_image = convolved(image[b].double().numpy(), weights["of_image.weight"][0], weights["of_image.bias"][0])
        tree = g_3 * (g_1 * leaf_1 + (1 - g_1) * leaf_2) + (1 - g_3) * (g_2 * leaf_3 + (1 - g_2) * leaf_4)
        expected = np.exp(np.clip(g_4 * tree + (1 - g_4) * of_image, -math.log(100), math.log(100)))
        assert expected.max() / expected.min() > 2
        measured = calibrator.temperature(logits, image)[b, 0].detach().double()
        torch.testing.assert_close(measured, torch.tensor(expected), rtol=1e-4, atol=0)


@pytest.mark.parametrize("shape", [(16, 5), (6, 7, 5)])
def test_at_first_the_temperature_is_exactly_one(shape: tuple[int, ...]) -> None:
    logits, image = batch(*shape)
    calibrator = LocalTemperatureScaling(3, 1, len(shape))
    assert torch.equal(calibrator(logits, image), logits)


def test_a_volume_is_its_slices_where_convolutions_are_of_images() -> None:
    calibrator = drawn()
    logits, image = batch(8, 9, 3)
    slices = [calibrator(logits[..., k], image[..., k]) for k in range(3)]
    torch.testing.assert_close(calibrator(logits, image), torch.stack(slices, dim=-1))


@pytest.mark.parametrize("shape", [(8, 9), (6, 7, 5)])
def test_a_batch_is_its_images_one_by_one(shape: tuple[int, ...]) -> None:
    calibrator = drawn(spatial_dims=len(shape))
    pairs = zip(*(part.split(1) for part in batch(*shape)), strict=True)
    torch.testing.assert_close(calibrator(*batch(*shape)), torch.cat([calibrator(*pair) for pair in pairs]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_no_voxel_changes_its_class(dtype: torch.dtype) -> None:
    logits, image = (part.to(dtype) for part in batch(150, 150))
    logits[:, 2, :50] = logits[:, 1, :50]  # a tie
    logits[:, 0, 50:100] = torch.nextafter(logits[:, 2, 50:100], torch.tensor(-math.inf, dtype=dtype))  # nearly one
    calibrated = drawn()(logits, image)
    top = logits.argmax(dim=1, keepdim=True)
    assert torch.equal(calibrated.gather(1, top), calibrated.amax(dim=1, keepdim=True))
    assert torch.equal(calibrated[:, 2, :50], calibrated[:, 1, :50])
    if dtype in (torch.float16, torch.bfloat16):  # what differs in these still differs in float32
        assert torch.equal(calibrated.argmax(dim=1, keepdim=True), top)


@pytest.mark.parametrize("weight", [-1e3, 1e3])
def test_no_temperature_is_out_of_bounds(weight: float) -> None:
    calibrator = LocalTemperatureScaling(3, 1)
    torch.nn.init.constant_(calibrator.of_image.bias, weight)
    logits, image = batch(8, 8)
    limit = 100.0 if weight > 0 else 0.01
    torch.testing.assert_close(calibrator.temperature(logits, image), torch.full((2, 1, 8, 8), limit))


@pytest.mark.parametrize("shape", [(64, 64), (16, 16, 15)])
def test_temperatures_that_differ_from_place_to_place_are_found(
    shape: tuple[int, ...], predictions: Predictions
) -> None:
    """The image says where the logits are three times too large."""
    place = torch.ones(1, 1, *shape)
    place[:, :, : shape[0] // 2] = 3
    places = place.expand(2, -1, *shape)
    data = [(logits, target, places - 2) for logits, target, _ in predictions(*shape, temperature=place)]
    local = LocalTemperatureScaling(3, 1, len(shape))
    report, of_single = local.fit(data, learning_rate=1e-2), TemperatureScaling().fit(data)
    perfect = TemperatureScaling().fit([(logits / place, target) for logits, target, _ in data])
    assert report.kept
    assert report.nll_after < of_single.nll_after - 0.8 * (of_single.nll_after - perfect.nll_before)
    temperature = local.temperature(data[0][0], data[0][2]).detach()
    cool, warm = (temperature[places == value] for value in (1, 3))
    assert cool.median().item() == pytest.approx(1, abs=0.3)
    assert warm.median().item() == pytest.approx(3, abs=0.7)
    assert report.temperature_min <= cool.min()
    assert report.temperature_max >= warm.max()


def test_a_fit_that_comes_to_nothing_leaves_the_temperature_at_one(predictions: Predictions) -> None:
    data = predictions(8, 8, temperature=1.0)
    calibrator = drawn()
    report = calibrator.fit(data, epochs=1, learning_rate=100.0)
    assert not report.kept
    assert report.nll_after == report.nll_before
    assert torch.equal(calibrator(*data[0][::2]), data[0][0])


def test_the_best_epoch_is_kept(predictions: Predictions) -> None:
    data = predictions(8, 8)
    calibrator = LocalTemperatureScaling(3, 1)
    reports = [calibrator.fit(data, epochs=epochs, learning_rate=0.3) for epochs in (1, 2, 3, 4, 8)]
    likelihoods = [report.nll_after for report in reports]
    assert likelihoods == sorted(likelihoods, reverse=True)
    nll = [torch.nn.functional.cross_entropy(calibrator(*item[::2]), item[1].squeeze(1)).item() for item in data]
    assert np.mean(nll) == pytest.approx(likelihoods[-1], rel=1e-5)


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before(predictions: Predictions) -> None:
    data = predictions(8, 8)
    weights = []
    for seed, other in ((3, 10), (3, 11), (4, 10)):
        torch.manual_seed(other)
        calibrator = LocalTemperatureScaling(3, 1)
        state = torch.get_rng_state()
        calibrator.fit(data, epochs=2, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        weights.append(calibrator.of_logits.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_fitting_needs_no_gradient_mode_of_the_caller(predictions: Predictions) -> None:
    with torch.no_grad():
        assert LocalTemperatureScaling(3, 1).fit(predictions(8, 8), epochs=1).kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_classes": 1}, "num_classes is 1; it must be a whole number, at least 2"),
        ({"num_classes": 2.0}, r"num_classes is 2\.0"),
        ({"in_channels": 0}, "in_channels is 0"),
        ({"spatial_dims": 1}, "spatial_dims is 1; it must be 2 or 3"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LocalTemperatureScaling(**{"num_classes": 3, "in_channels": 1} | arguments)


@pytest.mark.parametrize(
    ("spatial_dims", "logits", "image", "said"),
    [
        (2, (2, 4, 8, 8), (2, 1, 8, 8), r"logits are \(2, 4, 8, 8\); they must be \(B, 3, H, W\[, D\]\)"),
        (3, (2, 3, 8, 8), (2, 1, 8, 8), r"logits are \(2, 3, 8, 8\); they must be \(B, 3, H, W, D\)"),
        (2, (2, 3, 8), (2, 1, 8), r"logits are \(2, 3, 8\)"),
        (2, (2, 3, 8, 8), (2, 2, 8, 8), r"image is \(2, 2, 8, 8\) with .* there must be 1"),
        (2, (2, 3, 8, 8), (1, 1, 8, 8), r"image is \(1, 1, 8, 8\)"),
        (2, (2, 3, 8, 8), (2, 1, 8, 9), r"image is \(2, 1, 8, 9\)"),
        (2, (2, 3, 8, 4), (2, 1, 8, 4), r"\(2, 3, 8, 4\); each of the first 2 axes of space must have at least 5"),
        (3, (2, 3, 8, 8, 4), (2, 1, 8, 8, 4), r"\(2, 3, 8, 8, 4\); each of the first 3 axes"),
    ],
)
def test_logits_and_images_that_do_not_fit_are_refused(
    spatial_dims: int, logits: tuple[int, ...], image: tuple[int, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        LocalTemperatureScaling(3, 1, spatial_dims)(torch.zeros(logits), torch.zeros(image))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": 1.5}, r"epochs is 1\.5"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
    ],
)
def test_a_fit_that_cannot_be_is_refused_by_value(
    arguments: dict[str, Any], said: str, predictions: Predictions
) -> None:
    with pytest.raises(ValueError, match=said):
        LocalTemperatureScaling(3, 1).fit(predictions(8, 8), **arguments)


def test_fitting_without_images_is_refused(predictions: Predictions) -> None:
    with pytest.raises(ValueError, match=r"data gives \(logits, target\)"):
        LocalTemperatureScaling(3, 1).fit([item[:2] for item in predictions(8, 8)])


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 5)])
def test_the_gradient_is_that_of_finite_differences(shape: tuple[int, ...]) -> None:
    calibrator = drawn(2, 1, len(shape)).double()
    logits, image = (part[:1].double().requires_grad_() for part in batch(*shape, num_classes=2))
    assert torch.autograd.gradcheck(calibrator, (logits, image), fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_any_float_type_and_layout_are_scaled(dtype: torch.dtype) -> None:
    logits, image = batch(12, 12)
    calibrator = drawn()
    expected = calibrator(logits, image)
    calibrated = calibrator(logits.to(dtype).to(memory_format=torch.channels_last), image.to(dtype))
    assert calibrated.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(calibrated.float(), expected, rtol=3e-2, atol=3e-2)
    strided = calibrator(*(part.transpose(2, 3).contiguous().transpose(2, 3) for part in (logits, image)))
    torch.testing.assert_close(strided, expected)


def test_autocast_changes_neither_a_temperature_nor_a_fit(predictions: Predictions) -> None:
    logits, image = batch(12, 12)
    calibrator, data = drawn(), predictions(12, 12)
    plain, report = calibrator(logits, image), LocalTemperatureScaling(3, 1).fit(data, epochs=5, learning_rate=0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(calibrator(logits, image), plain)
        assert LocalTemperatureScaling(3, 1).fit(data, epochs=5, learning_rate=0.01) == report
    assert report.kept


def test_a_saved_calibrator_has_its_weights() -> None:
    calibrator, restored = drawn(), LocalTemperatureScaling(3, 1)
    assert list(calibrator.state_dict()) == ["of_logits.weight", "of_logits.bias", "of_image.weight", "of_image.bias"]
    restored.load_state_dict(calibrator.state_dict())
    assert torch.equal(restored(*batch(8, 8)), calibrator(*batch(8, 8)))


@pytest.mark.parametrize(("spatial_dims", "shape"), [(2, (8, 9)), (2, (8, 9, 3)), (3, (8, 9, 6))])
def test_it_scripts_to_torchscript(spatial_dims: int, shape: tuple[int, ...]) -> None:
    calibrator = drawn(spatial_dims=spatial_dims)
    torch.testing.assert_close(torch.jit.script(calibrator)(*batch(*shape)), calibrator(*batch(*shape)))
