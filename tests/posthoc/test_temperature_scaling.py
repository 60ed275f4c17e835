"""TS: the authors' numbers, SciPy's optimum and a fine grid, the laws, the refusals."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from calib_monai.posthoc import TemperatureScaling
from calib_monai.regions import REGIONS, region_of

Item = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Predictions = Callable[..., list[Item]]


def scaler(temperature: float) -> TemperatureScaling:
    """One that is fitted already."""
    calibrator = TemperatureScaling()
    with torch.no_grad():
        calibrator.log_temperature.fill_(math.log(temperature))
    return calibrator


def fitted(data: list[Any], **arguments: Any) -> float:
    calibrator = TemperatureScaling()
    calibrator.fit(data, **arguments)
    return calibrator.temperature.item()


def slow_nll(data: list[Item], temperature: float, region: str = "all") -> float:
    """Mean of -log p_y over the voxels of the region, all of them at once, in float64."""
    parts = []
    for logits, target, _ in data:
        log_probs = log_softmax(logits.double().numpy() / temperature, axis=1)
        inside = region_of(region).mask(target, logits.softmax(dim=1)).numpy()
        parts.append(-np.take_along_axis(log_probs, target.numpy(), axis=1)[inside])
    return float(np.concatenate(parts).mean())


def test_scaled_logits_are_the_authors(golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]) -> None:
    entry = golden["ts_forward"]
    calibrated = scaler(entry["args"]["T"])(torch.tensor(arrays["logits_A"]))
    torch.testing.assert_close(calibrated, torch.tensor(arrays["ts_out"]), rtol=1e-5, atol=1e-6)


def test_the_temperature_is_the_one_that_the_authors_grid_finds(
    golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    data = [
        (3 * torch.tensor(arrays[f"vol_logits_{name}"]), torch.tensor(arrays[f"vol_labels_{name}"]).unsqueeze(1))
        for name in ("V1", "V2")
    ]
    assert fitted(data) == pytest.approx(golden["ts_grid"]["expected"]["T_best_NLL"], abs=0.05)  # half its step


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("shape", [(12, 13), (6, 7, 5)])
def test_the_temperature_is_scipys_in_float64(shape: tuple[int, ...], region: str, predictions: Predictions) -> None:
    data = predictions(*shape)
    optimum = minimize_scalar(
        lambda inverse: slow_nll(data, 1 / inverse, region), bounds=(0.05, 5), options={"xatol": 1e-9}
    )
    calibrator = TemperatureScaling()
    report = calibrator.fit(data, region=region)
    assert calibrator.temperature.item() == pytest.approx(1 / optimum.x, rel=1e-4)
    assert report.nll_after == pytest.approx(optimum.fun, rel=1e-6)
    assert report.nll_before == pytest.approx(slow_nll(data, 1, region), rel=1e-6)


@pytest.mark.parametrize("true_temperature", [0.3, 0.9, 1.5, 8.0])
def test_no_temperature_of_a_fine_grid_is_better(true_temperature: float, predictions: Predictions) -> None:
    data = predictions(20, 20, temperature=true_temperature)
    best = slow_nll(data, fitted(data))
    grid = np.geomspace(true_temperature / 2, true_temperature * 2, 401)
    assert best <= min(slow_nll(data, temperature) for temperature in grid) + 1e-9


def test_the_temperature_that_made_the_labels_is_found(predictions: Predictions) -> None:
    assert fitted(predictions(100, 100, temperature=2.5)) == pytest.approx(2.5, rel=0.02)


def test_logits_times_three_have_three_times_the_temperature(predictions: Predictions) -> None:
    data = predictions(16, 16, temperature=1.5)
    thrice = [(3 * logits, target) for logits, target, _ in data]
    assert fitted(thrice) == pytest.approx(3 * fitted(data), rel=1e-4)


def test_the_order_of_voxels_items_and_classes_changes_nothing(predictions: Predictions) -> None:
    data = predictions(8, 9)
    expected = fitted(data)
    one_by_one = [(logits[i : i + 1], target[i : i + 1]) for logits, target, _ in reversed(data) for i in range(2)]
    order = torch.tensor([2, 0, 1])
    permuted = [(logits[:, order], order.argsort()[target]) for logits, target, _ in data]
    turned = [(logits.transpose(2, 3), target.transpose(2, 3)) for logits, target, _ in data]
    for other in (one_by_one, permuted, turned):
        assert fitted(other) == pytest.approx(expected, rel=1e-5)


def test_pieces_of_an_item_change_nothing(predictions: Predictions, monkeypatch: pytest.MonkeyPatch) -> None:
    data = predictions(8, 9)
    expected = TemperatureScaling().fit(data)
    for module in ("report", "validation_set"):
        monkeypatch.setattr(f"calib_monai.posthoc.{module}.PIECE", 7)
    turned = [(logits.transpose(2, 3), target.transpose(2, 3)) for logits, target, _ in data]
    found = TemperatureScaling().fit(turned)
    for one, other in ((found, expected), (found.before, expected.before), (found.after, expected.after)):
        numbers = [{k: v for k, v in vars(report).items() if isinstance(v, float)} for report in (one, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-5)


def test_what_is_ignored_is_as_if_it_were_cut_off() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(1, 3, 20, 30, generator=generator)
    target = torch.randint(3, (1, 1, 20, 30), generator=generator)
    cut = TemperatureScaling().fit([(logits[..., :9], target[..., :9])])
    target[..., 9:] = 255
    assert TemperatureScaling().fit([(logits, target)], ignore_index=255) == cut
    with pytest.raises(ValueError, match="0 voxels of the region 'all'"):
        TemperatureScaling().fit([(logits, torch.full_like(target, 255))], ignore_index=255)


@pytest.mark.parametrize("temperature", [0.01, 0.7, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_no_voxel_changes_its_class(temperature: float, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (8 * torch.randn(1, 4, 200, 200, generator=generator)).to(dtype)
    logits[0, 2, :50] = logits[0, 1, :50]  # a tie
    logits[0, 0, 50:100] = torch.nextafter(logits[0, 3, 50:100], torch.tensor(-math.inf, dtype=dtype))  # nearly one
    calibrated = scaler(temperature)(logits)
    top = logits.argmax(dim=1, keepdim=True)
    assert torch.equal(calibrated.gather(1, top), calibrated.amax(dim=1, keepdim=True))
    assert torch.equal(calibrated[0, 2, :50], calibrated[0, 1, :50])
    if dtype in (torch.float16, torch.bfloat16):  # what differs in these still differs in float32
        assert torch.equal(calibrated.argmax(dim=1, keepdim=True), top)


def test_calibrated_probabilities_stay_as_they_are() -> None:
    """Three of four are right where 75 % are said."""
    logits = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 1)
    target = torch.tensor([0, 0, 0, 1]).view(1, 1, 4, 1)
    calibrator = TemperatureScaling()
    report = calibrator.fit([(logits, target)])
    assert not report.kept
    assert calibrator.temperature.item() == 1
    assert report.temperature_max == 1
    assert report.nll_after == report.nll_before


@pytest.mark.parametrize(("right", "limit"), [(True, 0.01), (False, 100)])
def test_a_network_that_is_always_right_or_wrong_has_a_finite_temperature(limit: float, *, right: bool) -> None:
    logits = torch.tensor([0.1, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    target = torch.full((1, 1, 4, 4), 0 if right else 1)
    assert fitted([(logits, target)]) == pytest.approx(limit, rel=1e-3)


def test_a_fit_that_comes_to_nothing_takes_a_temperature_back(predictions: Predictions) -> None:
    calibrator = scaler(3.0)
    logits, target, _ = predictions(4, 4, items=1)[0]
    report = calibrator.fit([(torch.zeros_like(logits), target)])
    assert not report.kept
    assert calibrator.temperature.item() == 1


def test_items_are_not_kept(predictions: Predictions) -> None:
    class Stream:
        """Items that exist only while someone holds them."""

        def __init__(self) -> None:
            self.passes, self.most = 0, 0

        def __iter__(self) -> Iterator[Item]:
            self.passes += 1
            alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
            for seed in range(6):
                item = predictions(4, 4, items=1, seed=seed)[0]
                alive.add(item[0])
                self.most = max(self.most, len(alive))
                yield item

    stream = Stream()
    TemperatureScaling().fit(stream)
    assert stream.most <= 2  # the one before is let go once the next one is there
    assert stream.passes <= 10


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_any_float_type_and_layout_are_fitted_and_scaled(
    dtype: torch.dtype, predictions: Predictions
) -> None:
    data = predictions(12, 12)
    expected = fitted(data)
    others = [
        (logits.to(dtype).to(memory_format=torch.channels_last), MetaTensor(target.float()))
        for logits, target, _ in data
    ]
    assert fitted(others) == pytest.approx(expected, rel=1e-2)
    calibrated = scaler(2.0)(others[0][0])
    assert calibrated.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(calibrated, (others[0][0].double() / 2).to(calibrated.dtype))


def test_under_autocast_logits_are_scaled_in_float32() -> None:
    logits = torch.randn(1, 3, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        calibrated = scaler(1.7)(logits.bfloat16())
    torch.testing.assert_close(calibrated, logits.bfloat16().float() / 1.7)


def test_the_gradient_is_that_of_finite_differences() -> None:
    calibrator = scaler(1.7).double()
    logits = torch.randn(1, 3, 2, 2, 2, dtype=torch.float64, requires_grad=True)

    def calibrated(logits: torch.Tensor, log_temperature: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(calibrator, {"log_temperature": log_temperature}, (logits,))

    assert torch.autograd.gradcheck(calibrated, (logits, calibrator.log_temperature))


def test_a_saved_calibrator_has_its_temperature(predictions: Predictions) -> None:
    data = predictions(8, 8)
    calibrator, restored = TemperatureScaling(), TemperatureScaling()
    calibrator.fit(data)
    assert list(calibrator.state_dict()) == ["log_temperature"]
    restored.load_state_dict(calibrator.state_dict())
    assert torch.equal(restored(data[0][0]), calibrator(data[0][0]))


@pytest.mark.parametrize("shape", [(1, 3, 5, 6), (1, 3, 5, 6, 4)])
def test_it_scripts_to_torchscript(shape: tuple[int, ...]) -> None:
    calibrator, logits = scaler(1.7), torch.randn(shape)
    assert torch.equal(torch.jit.script(calibrator)(logits), calibrator(logits))


@pytest.mark.parametrize(("scale", "warned"), [(1.0, False), (1e4, True), (1e-4, True)])
def test_a_temperature_at_an_end_of_its_range_is_warned_of(
    scale: float,
    warned: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 3, 12, 10, generator=generator)
    target = (2 * logits + torch.randn(1, 3, 12, 10, generator=generator)).argmax(dim=1, keepdim=True)
    TemperatureScaling().fit([(scale * logits, target)])
    assert ("an end of its range (0.01 to 100)" in caplog.text) == warned
