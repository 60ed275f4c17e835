"""Multipliers: the authors' epochs, a problem with a known solution, sums that add, refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from calib_monai.lagrangian import PENALTIES, SHARES, Multipliers, ViolationSums, slope


def voxels(seed: int, count: int = 50) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Violations (count, 3, 1) of some voxels, and the regions they are in."""
    generator = torch.Generator().manual_seed(seed)
    outer = (torch.rand(count, 1, 1, generator=generator) < 0.3).float()
    return torch.rand(count, 3, 1, generator=generator), (1 - outer, outer)


def sums(multipliers: Multipliers, seed: int, scale: float = 1.0) -> ViolationSums:
    """What the voxels of a seed add up to with the multipliers of now."""
    violation, regions = voxels(seed)
    rows = (multipliers.multiplier, multipliers.coefficient)
    of_voxels = (sum(region * row[:, None] for region, row in zip(regions, part, strict=True)) for part in rows)
    violation = scale * violation
    return ViolationSums.of(violation, slope(PENALTIES["phr"], violation, *of_voxels), regions)


def mean_slope(of: str, average: str, r: int, k: int) -> float:
    """Equation 8 for class k in region r after the voxels of seed 0, as a loop in float64."""
    violation, regions = voxels(seed=0)
    classes = [0, 1, 2] if of == "region" else [k]
    slopes = []
    for i in range(len(violation)):
        inside = of == "class" or bool(regions[r][i])
        if inside or average == "all":
            slopes += [0.2 + 0.5 * violation[i, one].item() * inside for one in classes]
    return sum(slopes) / len(slopes)


@pytest.mark.parametrize("average", ["all", "region"])
@pytest.mark.parametrize("of", SHARES)
def test_an_update_is_its_equation_in_float64(of: str, average: str) -> None:
    multipliers = Multipliers(3, multiplier_init=0.2, coefficient_init=0.5, of=of)
    multipliers.update(sums(multipliers, seed=0), average)
    for r in range(2):
        for k in range(3):
            assert multipliers.multiplier[r, k].item() == pytest.approx(mean_slope(of, average, r, k), rel=1e-6)


@pytest.mark.parametrize("average", ["all", "region"])
@pytest.mark.parametrize("of", ["class", "region"])
def test_shared_multipliers_stay_shared(of: str, average: str) -> None:
    multipliers = Multipliers(3, multiplier_init=0.2, coefficient_init=0.5, of=of)
    multipliers.update(sums(multipliers, seed=0), average)
    multipliers.update(sums(multipliers, seed=1, scale=2.0), average)
    for quantity in ("multiplier", "coefficient", "violation"):
        values = multipliers.get_buffer(quantity)
        assert torch.equal(values, (values[:1] if of == "class" else values[:, :1]).expand_as(values))


def test_the_multiplier_of_a_problem_with_a_known_solution_is_found() -> None:
    # The nearest x to `wanted` with x <= bound: x = min(wanted, bound), multiplier max(0, wanted - bound).
    wanted = torch.tensor([[3.0, 1.5, -1.0], [0.2, 7.0, 2.0]], dtype=torch.float64)
    bound = torch.tensor([[1.0, 1.0, 1.0], [0.2, 2.0, 3.0]], dtype=torch.float64)
    multipliers = Multipliers(3, coefficient_init=1.0, multiplier_min=0.0).double()
    x, of_regions = torch.zeros_like(wanted), tuple(torch.eye(2, dtype=torch.float64).view(2, 2, 1, 1))
    for _ in range(40):
        state = (multipliers.multiplier, multipliers.coefficient)
        for _ in range(100):  # gradient steps on |x - wanted|^2 / 2 + P(x - bound)
            x = x - (x - wanted + slope(PENALTIES["phr"], x - bound, *state)) / (1 + multipliers.coefficient)
        violation = x - bound
        slopes = slope(PENALTIES["phr"], violation, *state)
        multipliers.update(ViolationSums.of(violation.unsqueeze(-1), slopes.unsqueeze(-1), of_regions), "region")
    torch.testing.assert_close(x, torch.minimum(wanted, bound), rtol=0, atol=1e-9)
    torch.testing.assert_close(multipliers.multiplier, (wanted - bound).clamp(min=0), rtol=0, atol=1e-9)


def test_the_sums_of_two_parts_are_those_of_both() -> None:
    (first, of_first), (second, of_second) = voxels(seed=0), voxels(seed=1, count=70)
    both = torch.cat([first, second])
    regions = tuple(torch.cat(pair) for pair in zip(of_first, of_second, strict=True))
    together = ViolationSums.of(both, 2 * both, regions)
    added = ViolationSums.of(first, 2 * first, of_first) + ViolationSums.of(second, 2 * second, of_second)
    torch.testing.assert_close(added.to_tensor(), together.to_tensor(), rtol=1e-12, atol=0)
    assert together.slope.dtype == torch.float64
    assert together.count.sum(dim=0).tolist() == [120, 120, 120]
    restored = ViolationSums.from_tensor(together.to_tensor())
    assert torch.equal(restored.count, together.count)
    assert torch.equal(restored.violation, together.violation)


def test_a_coefficient_grows_every_few_updates_where_the_violation_stays() -> None:
    multipliers = Multipliers(3, growth_interval=3, growth=2.0, coefficient_max=0.3)
    seen = []
    for scale in (1.0, 1.0, 0.95, 0.5, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01):
        multipliers.update(sums(multipliers, seed=0, scale=scale))
        seen.append(multipliers.coefficient.amax().item())
    assert seen == pytest.approx(2 * [0.1] + 6 * [0.2] + 4 * [0.3])


def test_the_first_update_has_nothing_to_compare_with() -> None:
    multipliers = Multipliers(3, growth_interval=1)
    multipliers.update(sums(multipliers, seed=0))
    assert torch.equal(multipliers.coefficient, torch.full((2, 3), 0.1))


@pytest.mark.parametrize("average", ["all", "region"])
def test_a_region_without_a_voxel_keeps_its_multiplier(average: str) -> None:
    multipliers = Multipliers(3, multiplier_init=0.2)
    violation, _ = voxels(seed=0)
    everywhere, nowhere = torch.ones(50, 1, 1), torch.zeros(50, 1, 1)
    multipliers.update(ViolationSums.of(violation, 0.2 + violation, (everywhere, nowhere)), average)
    torch.testing.assert_close(multipliers.multiplier[1], torch.full((3,), 0.2))
    assert (multipliers.multiplier[0] > 0.6).all()
    assert multipliers.violation[1].isinf().all() == (average == "region")


def test_multipliers_stay_within_their_bounds() -> None:
    multipliers = Multipliers(3, multiplier_init=2.0, multiplier_min=0.5, multiplier_max=3.0)
    count = torch.ones(2, 3, dtype=torch.float64)
    slopes = torch.tensor([[0.0, 1.0, 9.0], [0.6, 3.0, 0.1]], dtype=torch.float64)
    multipliers.update(ViolationSums(count, count, slopes), "region")
    assert multipliers.multiplier.flatten().tolist() == pytest.approx([0.5, 1.0, 3.0, 0.6, 3.0, 0.5])


def test_a_state_that_was_saved_goes_on_as_if_it_had_not_stopped() -> None:
    whole, before, after = (Multipliers(3, growth_interval=4) for _ in range(3))
    for epoch in range(10):
        whole.update(sums(whole, seed=epoch))
    for epoch in range(7):
        before.update(sums(before, seed=epoch))
    after.load_state_dict(before.state_dict())
    for epoch in range(7, 10):
        after.update(sums(after, seed=epoch))
    for name, value in whole.state_dict().items():
        assert torch.equal(after.state_dict()[name], value), name
    assert whole.coefficient.amax() > 0.14  # it grew twice, once before the stop and once after


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_classes": 1}, "num_classes is 1; it must be a whole number, at least 2"),
        ({"num_classes": 2.0}, "num_classes is 2.0"),
        ({"multiplier_init": -1.0}, "multiplier_init is -1.0"),
        ({"coefficient_init": math.nan}, "coefficient_init is nan"),
        ({"coefficient_init": 11.0}, "coefficient_max is 10.0.*at least 11.0"),
        ({"multiplier_min": 1.0, "multiplier_max": 0.5}, "multiplier_max is 0.5.*at least 1.0"),
        ({"multiplier_init": 2.0, "multiplier_max": 1.5}, "multiplier_init is 2.0.*at most 1.5"),
        ({"growth": 0.9}, "growth is 0.9"),
        ({"growth_interval": 0}, "growth_interval is 0"),
        ({"sufficient_decrease": "0.9"}, "sufficient_decrease is '0.9'"),
        ({"coefficient_max": math.inf}, "coefficient_max is inf"),
        ({"of": "classes"}, "of is 'classes'"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Multipliers(**{"num_classes": 3} | arguments)


def test_an_update_of_what_does_not_fit_is_refused_and_changes_nothing() -> None:
    multipliers = Multipliers(3)
    good, ones = sums(multipliers, seed=0), torch.ones(2, 2, dtype=torch.float64)
    infinite = ViolationSums(good.count, good.violation, good.slope * math.inf)
    for wrong, average, said in (
        (good, "voxels", "average is 'voxels'"),
        (ViolationSums(ones, ones, ones), "all", r"\(2, 2\); they must be \(2, 3\)"),
        (infinite, "all", "must be finite"),
    ):
        with pytest.raises(ValueError, match=said):
            multipliers.update(wrong, average)
    assert multipliers.updates == 0
    assert torch.equal(multipliers.multiplier, Multipliers(3).multiplier)
