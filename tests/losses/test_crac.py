"""CRaC: the authors' numbers and epochs, the equation by autograd in float64, the regions, the state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from calib_monai.lagrangian import PENALTIES
from calib_monai.losses import CRaCLoss, pieces
from calib_monai.losses.voxelwise import negative_log_likelihood
from calib_monai.priors import neighborhood_prior
from calib_monai.regions import mixed_neighborhood


class Penalty(CRaCLoss):
    """The penalty alone, with the authors' border and, where it is given, their map of the outer region."""

    def __init__(self, outer: np.ndarray | None = None, **arguments: Any) -> None:
        super().__init__(4, border="background", **arguments)
        self.outer = None if outer is None else torch.tensor(outer).float()

    def uniform(self, prior: torch.Tensor) -> torch.Tensor:
        return super().uniform(prior) if self.outer is None else 1 - self.outer

    def per_voxel(self, logits: torch.Tensor, padded: torch.Tensor) -> torch.Tensor:
        return super().per_voxel(logits, padded) - negative_log_likelihood(logits.log_softmax(dim=1), padded)


def authors_rows(vector: list[float] | np.ndarray) -> torch.Tensor:
    """Their vector, outer region first, as our rows, (2, C)."""
    return torch.tensor(np.asarray(vector)).view(2, -1).flip(0)


def authors_inputs(arrays: dict[str, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(arrays["logits_A"]), torch.tensor(arrays["labels_A"]).unsqueeze(1)


def with_authors_state(loss: CRaCLoss, entry: dict[str, Any]) -> CRaCLoss:
    loss.multipliers.multiplier.copy_(authors_rows(entry["args"]["lambda_vector"]))
    loss.multipliers.coefficient.copy_(authors_rows(entry["args"]["rho_vector"]))
    return loss


def batch(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels in blobs, so that both regions have voxels."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    coarse = torch.rand(2, 3, *(-(-side // 4) for side in shape), generator=generator)
    target = torch.nn.functional.interpolate(coarse, scale_factor=4).argmax(dim=1, keepdim=True)
    return logits.to(dtype), target[(..., *(slice(side) for side in shape))]


def crac(num_classes: int = 3, **arguments: Any) -> CRaCLoss:
    """A loss whose multipliers and coefficients all differ."""
    loss = CRaCLoss(num_classes, **arguments)
    values = torch.linspace(0.1, 0.9, 2 * num_classes)
    loss.multipliers.multiplier.copy_(values.view(2, -1))
    loss.multipliers.coefficient.copy_(values.flip(0).square().view(2, -1))
    return loss


def test_penalty_and_gradient_are_the_authors_in_their_region(
    golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    entry = golden["crac_get_margin1_A"]
    logits, target = authors_inputs(arrays)
    loss = with_authors_state(Penalty(arrays["crac_outer_reference_A"]), entry)
    value = loss(logits.requires_grad_(), target)
    value.backward()
    assert value.item() == pytest.approx(entry["expected"]["penalty"], rel=1e-5)
    torch.testing.assert_close(logits.grad, torch.tensor(arrays["grad__crac_m1_A"]), rtol=1e-5, atol=1e-8)


def test_penalty_and_region_are_what_the_authors_code_gives_with_the_right_region(
    golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    entry = golden["crac_get_margin1_A"]
    logits, target = authors_inputs(arrays)
    loss = with_authors_state(Penalty(), entry)
    assert loss(logits, target).item() == pytest.approx(entry["expected"]["penalty_with_correct_region"], rel=1e-5)
    prior = neighborhood_prior(target, 4, border="background")
    assert torch.equal(1 - loss.uniform(prior), torch.tensor(arrays["crac_outer_correct_A"]).float())
    sums = loss.violation_sums(logits, target)
    torch.testing.assert_close(sums.violation.sum(dim=0), torch.tensor(arrays["crac_h_m1_A"]).sum((0, 2, 3)).double())


def test_twenty_five_epochs_are_the_authors(arrays: dict[str, np.ndarray]) -> None:
    logits, target = authors_inputs(arrays)
    loss = Penalty(arrays["crac_outer_reference_A"], target_scale=5)
    for epoch, scale in enumerate(arrays["crac_dyn_scales"]):
        value = loss(logits * scale, target)
        assert value.item() == pytest.approx(arrays["crac_dyn_penalty"][epoch], rel=1e-5)
        loss.multipliers.update(loss.violation_sums(logits * scale, target))
        for name, key in (("multiplier", "lambda"), ("coefficient", "rho"), ("violation", "constraint")):
            expected = authors_rows(arrays[f"crac_dyn_{key}"][epoch])
            torch.testing.assert_close(loss.multipliers.get_buffer(name), expected, rtol=1e-5, atol=1e-6)


def oracle(loss: CRaCLoss, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss as its equation reads, by autograd, with all 2C channels written out."""
    prior = neighborhood_prior(target, 3, "mean", loss.kernel_size, border=loss.border).to(logits)
    channels = []
    outer = prior.amax(dim=1, keepdim=True) < 1
    for region, inside in enumerate((~outer, outer)):
        scale = loss.target_scale if region == 0 else 1.0
        violation = (scale * prior - logits).abs() * inside
        rows = (loss.multipliers.multiplier[region], loss.multipliers.coefficient[region])
        rows = tuple(row.to(logits).view(-1, *[1] * (logits.ndim - 2)) for row in rows)
        channels.append(PENALTIES[loss.penalty](violation, *rows))
    return torch.nn.functional.cross_entropy(logits, target.squeeze(1)) + torch.cat(channels, dim=1).mean()


@pytest.mark.parametrize("shape", [(9, 8), (8, 9, 5)])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("arguments", [{}, {"kernel_size": 5, "target_scale": 5, "border": "background"}])
def test_the_loss_and_its_gradient_are_the_equation_in_float64(
    shape: tuple[int, ...], penalty: str, arguments: dict[str, Any]
) -> None:
    logits, target = batch(*shape, dtype=torch.float64)
    loss = crac(penalty=penalty, **arguments)
    values = [function(logits.requires_grad_(), target) for function in (loss, lambda *pair: oracle(loss, *pair))]
    torch.testing.assert_close(*values, rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(value, logits)[0] for value in values]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(16, 15), (8, 9, 10)])
def test_the_outer_region_is_where_the_neighborhood_is_mixed(shape: tuple[int, ...]) -> None:
    _, target = batch(*shape)
    uniform = crac().uniform(neighborhood_prior(target, 3))
    assert torch.equal(1 - uniform, mixed_neighborhood(target).float())
    assert 0 < uniform.mean() < 1


def test_a_padded_border_makes_foreground_beside_it_outer() -> None:
    target = torch.ones(1, 1, 5, 5)
    counts = [
        CRaCLoss(2, border=border).violation_sums(torch.zeros(1, 2, 5, 5), target).count[:, 0].tolist()
        for border in ("replicate", "background")
    ]
    assert counts == [[25, 0], [9, 16]]


def test_permuting_classes_and_multipliers_changes_nothing() -> None:
    logits, target = batch(12, 12)
    order = torch.tensor([2, 0, 1])
    loss, other, permuted = crac(), crac(), torch.empty_like(logits)
    permuted[:, order] = logits
    other.multipliers.multiplier[:, order] = loss.multipliers.multiplier
    other.multipliers.coefficient[:, order] = loss.multipliers.coefficient
    torch.testing.assert_close(other(permuted, order[target]), loss(logits, target))


@pytest.mark.parametrize("elements", [1, 200, 10**6])
def test_the_sums_of_pieces_and_of_parts_are_those_of_the_whole(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, target = batch(9, 8, dtype=torch.float64)
    loss = crac(target_scale=2)
    monkeypatch.setattr(pieces, "PIECE_ELEMENTS", elements)
    parts = loss.violation_sums(logits[:1], target[:1]) + loss.violation_sums(logits[1:], target[1:])
    prior = neighborhood_prior(target, 3).double()
    outer = (prior.amax(dim=1, keepdim=True) < 1).double()
    for region, (inside, scale) in enumerate(((1 - outer, 2), (outer, 1))):
        violation = (logits - scale * prior).abs()
        rows = (loss.multipliers.multiplier[region], loss.multipliers.coefficient[region])
        slope = rows[0].view(-1, 1, 1) + rows[1].view(-1, 1, 1) * violation
        for name, values in (("count", torch.ones_like(violation)), ("violation", violation), ("slope", slope)):
            torch.testing.assert_close(
                getattr(parts, name)[region], (values * inside).sum((0, 2, 3)), rtol=1e-6, atol=0
            )


def test_what_is_ignored_is_in_no_sum() -> None:
    logits, target = batch(12, 12)
    loss = crac(ignore_index=255)
    target[..., 6:] = 255
    target[..., 5] = target[..., 4]  # a replicated border is not like ignored neighbors
    target[..., 4:6] = target[..., :1, 4:5]
    logits[..., 6:] = math.inf
    sums, alone = (loss.violation_sums(*pair) for pair in ((logits, target), (logits[..., :6], target[..., :6])))
    torch.testing.assert_close(sums.to_tensor(), alone.to_tensor(), rtol=1e-6, atol=0)


def test_the_sums_of_half_precision_and_odd_layouts_are_close_and_have_no_gradient() -> None:
    logits, target = batch(12, 12)
    loss = crac()
    expected = loss.violation_sums(logits, target).to_tensor()
    assert expected.dtype == torch.float64
    for other in (logits.bfloat16(), logits.half(), logits.to(memory_format=torch.channels_last)):
        sums = loss.violation_sums(other.requires_grad_(), target).to_tensor()
        assert not sums.requires_grad
        torch.testing.assert_close(sums, expected, rtol=1e-2, atol=0)


def test_without_multiplier_and_coefficient_it_is_cross_entropy() -> None:
    logits, target = batch(12, 12)
    expected = torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    for penalty in PENALTIES:
        loss = CRaCLoss(3, penalty=penalty, multiplier_init=0.0, coefficient_init=0.0)
        torch.testing.assert_close(loss(logits, target), expected)


def test_a_saved_loss_has_its_state() -> None:
    logits, target = batch(12, 12)
    loss, restored = crac(), CRaCLoss(3)
    loss.multipliers.update(loss.violation_sums(logits, target))
    assert list(loss.state_dict()) == [
        f"multipliers.{name}" for name in ("multiplier", "coefficient", "violation", "updates")
    ]
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored(logits, target), loss(logits, target))


def test_a_loss_shows_its_settings() -> None:
    shown = repr(CRaCLoss(3, target_scale=5, growth=1.5))
    assert "num_classes=3, kernel_size=3, border='replicate', penalty='phr', target_scale=5, ignore_index=None" in shown
    assert "growth=1.5" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"penalty": "relu"}, "penalty is 'relu'"),
        ({"kernel_size": 2}, "kernel_size is 2"),
        ({"border": "zeros"}, "border is 'zeros'"),
        ({"border": "background", "ignore_index": 0}, "ignore_index is 0"),
        ({"target_scale": 0}, "target_scale is 0"),
        ({"target_scale": math.nan}, "target_scale is nan"),
        ({"multiplier_init": -0.1}, "multiplier_init is -0.1"),
        ({"num_classes": 1}, "num_classes is 1"),
        ({"num_classes": "3"}, "num_classes is '3'"),
        ({"growth": 0.5}, "growth is 0.5"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CRaCLoss(**{"num_classes": 3} | arguments)


def test_logits_of_another_number_of_classes_are_refused() -> None:
    logits, target = batch(8, 8)
    for function in (CRaCLoss(4), CRaCLoss(4).violation_sums):
        with pytest.raises(ValueError, match="logits have 3 channels; num_classes is 4"):
            function(logits, target)
