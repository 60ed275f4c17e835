"""Penalties: the authors' numbers, their slopes by autograd, what an augmented Lagrangian asks of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from calib_monai.lagrangian import PENALTIES, slope


def grid() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Violations (V, 1, 1), multipliers (M, 1) and coefficients (R,), which broadcast."""
    violation = torch.linspace(-4, 4, 33, dtype=torch.float64).view(-1, 1, 1)
    multiplier = torch.tensor([1e-6, 0.3, 2.0], dtype=torch.float64).view(-1, 1)
    return violation, multiplier, torch.tensor([0.1, 1.3, 10.0], dtype=torch.float64)


@pytest.mark.parametrize("name", ["phr", "p2"])
def test_value_and_slope_are_the_authors(
    name: str, golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    entry = golden[f"penalty_{name}"]
    multiplier, coefficient = (torch.tensor(entry["args"][symbol]) for symbol in ("lambda", "rho"))
    arguments = torch.tensor(arrays["pen_h"]), multiplier, coefficient
    value, derivative = PENALTIES[name](*arguments), slope(PENALTIES[name], *arguments)
    for ours, key in ((value, "value_npz_key"), (derivative, "derivative_npz_key")):
        torch.testing.assert_close(ours, torch.tensor(arrays[entry["expected"][key]]), rtol=1e-5, atol=1e-6)


def as_printed(name: str, h: float, multiplier: float, coefficient: float) -> float:
    """A penalty as its equation reads."""
    if name == "phr":
        return (max(0.0, multiplier + coefficient * h) ** 2 - multiplier**2) / (2 * coefficient)
    if h < 0:
        return multiplier * h / (1 - coefficient * h)
    cubic = coefficient**2 * h**3 / 6 if name == "p2" else 0.0
    return multiplier * h + multiplier * coefficient * h**2 + cubic


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_its_equation(name: str) -> None:
    arguments = grid()
    values = PENALTIES[name](*arguments)
    expected = [as_printed(name, *(part.item() for part in place)) for place in _each(*arguments)]
    torch.testing.assert_close(values.flatten(), torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12)


def _each(*arguments: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    return list(zip(*(part.flatten() for part in torch.broadcast_tensors(*arguments)), strict=True))


@pytest.mark.parametrize("name", PENALTIES)
def test_the_slope_is_the_derivative_of_the_value(name: str) -> None:
    violation, multiplier, coefficient = (part.clone() for part in torch.broadcast_tensors(*grid()))
    step = 1e-6
    above, below = (PENALTIES[name](violation + s, multiplier, coefficient) for s in (step, -step))
    # Of a negative violation "p2" and "p3" have another formula, which meets the first with the same slope.
    derivative = slope(PENALTIES[name], violation, multiplier, coefficient)
    torch.testing.assert_close(derivative, (above - below) / (2 * step), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
def test_no_violation_costs_nothing_and_has_the_multiplier_as_slope(name: str) -> None:
    _, multiplier, coefficient = grid()
    none = torch.zeros(3, 3, dtype=torch.float64)
    assert torch.equal(PENALTIES[name](none, multiplier, coefficient), none)
    assert torch.equal(slope(PENALTIES[name], none, multiplier, coefficient), multiplier.expand(3, 3))


@pytest.mark.parametrize("name", PENALTIES)
def test_a_slope_is_never_negative_and_never_falls(name: str) -> None:
    derivative = slope(PENALTIES[name], *torch.broadcast_tensors(*grid()))
    assert (derivative >= 0).all()
    assert (derivative.diff(dim=0) >= 0).all()


@pytest.mark.parametrize("name", PENALTIES)
def test_without_negative_violations_half_of_the_work_gives_the_same(name: str) -> None:
    violation, *others = grid()
    for signed in (violation.clamp(min=0), violation.abs()):
        whole, half = (PENALTIES[name](signed, *others, signed=given) for given in (True, False))
        torch.testing.assert_close(half, whole, rtol=0, atol=0)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_coefficient_of_zero_leaves_the_line(name: str) -> None:
    violation, multiplier, coefficient = torch.broadcast_tensors(*grid())
    none = torch.zeros_like(coefficient)
    torch.testing.assert_close(PENALTIES[name](violation, multiplier, none), multiplier * violation)
    torch.testing.assert_close(slope(PENALTIES[name], violation, multiplier, none), multiplier.clone())


def test_a_large_multiplier_loses_no_digits() -> None:
    arguments = (torch.tensor(1e-3), torch.tensor(1e3), torch.tensor(0.1))
    assert PENALTIES["phr"](*arguments).item() == pytest.approx(1.00000005, rel=1e-7)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_slope_needs_no_autograd_outside(name: str) -> None:
    expected = slope(PENALTIES[name], *grid())
    with torch.inference_mode():
        assert torch.equal(slope(PENALTIES[name], *(part.clone() for part in grid())), expected)
