"""BWCR: the authors' numbers, the equation in float64, and what its views must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from calib_monai.boundaries import boundary_weight
from calib_monai.losses import BWCRLoss

GOLDEN = {
    "bwcr_loss_cr_l1.0": {"boundary_weighted": False},
    "bwcr_loss_cr_l0.1": {"boundary_weighted": False, "consistency_weight": 0.1},
    "bwcr_loss_bwcr": {},
}
Four = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def batch(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[Four, torch.Tensor]:
    """Views of three classes in blobs, and their target."""
    generator = torch.Generator().manual_seed(0)
    first, second = (4 * torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64) for _ in range(2))
    valid = torch.rand(2, 2, *shape, generator=generator) > 0.3
    target = torch.randint(3, (2, 1, *shape), generator=generator)
    weight = torch.rand(2, 1, *shape, generator=generator)
    return (first.to(dtype), second.to(dtype), valid, weight), target


def value_and_gradients(loss: BWCRLoss, views: Any, target: torch.Tensor) -> tuple[torch.Tensor, ...]:
    first, second = (logits.detach().clone().requires_grad_() for logits in views[:2])
    value = loss((first, second, *views[2:]), target)
    return value.detach(), *torch.autograd.grad(value, (first, second))


@pytest.mark.parametrize("name", GOLDEN)
def test_loss_and_gradients_are_the_authors(
    name: str, golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    entry = golden[name]
    first, second, mask, target = (torch.tensor(arrays[key]) for key in entry["inputs"].values())
    views = (first, second, mask.bool().expand(-1, 2, -1, -1), torch.tensor(arrays["bwcr_lambda_map"]))
    value, by_first, by_second = value_and_gradients(BWCRLoss(**GOLDEN[name]), views, target)
    expected = entry["expected"]
    assert value.item() == pytest.approx(expected["total"], rel=entry["rtol"], abs=entry["atol"])
    assert by_second.norm().item() == pytest.approx(expected["grad_view2_l2norm"], rel=1e-5)
    torch.testing.assert_close(by_first, torch.tensor(arrays[expected["grad_view1_npz_key"]]), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
@pytest.mark.parametrize("boundary_weighted", [False, True])
def test_the_loss_is_its_equation_in_float64(
    shape: tuple[int, ...],
    boundary_weighted: bool,  # noqa: FBT001 - a parameter
) -> None:
    (first, second, valid, weight), target = batch(*shape, dtype=torch.float64)
    supervised = consistency = 0.0
    for image, *where in np.ndindex(2, *shape):
        one, other = (logits[(image, slice(None), *where)].tolist() for logits in (first, second))
        in_first, in_second = valid[(image, slice(None), *where)].tolist()
        w = weight[(image, 0, *where)].item() if boundary_weighted else 1.0
        if in_first:
            label = int(target[(image, 0, *where)])
            supervised += math.log(sum(math.exp(score) for score in one)) - one[label]
        if in_first and in_second:
            consistency += w * sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    expected = (supervised + 0.3 * consistency) / (1.3 * 3 * target.numel())
    loss = BWCRLoss(boundary_weighted=boundary_weighted, consistency_weight=0.3)
    assert loss((first, second, valid, weight), target).item() == pytest.approx(expected, rel=1e-6)


def test_a_weight_that_is_not_given_is_computed_from_the_target() -> None:
    views, target = batch(20, 24)
    loss = BWCRLoss(weight_max=2.0, weight_min=0.5, width=3)
    given = loss((*views[:3], boundary_weight(target, 3, 2.0, 0.5)), target)
    assert torch.equal(loss((*views[:3], None), target), given)
    assert not torch.isclose(BWCRLoss()((*views[:3], None), target), given)


def test_the_gradient_is_that_of_the_value_in_both_views() -> None:
    (first, second, *others), target = batch(3, 4, dtype=torch.float64)
    logits = (first.requires_grad_(), second.requires_grad_())
    assert torch.autograd.gradcheck(lambda *both: BWCRLoss()((*both, *others), target), logits)


def test_gradients_scale_and_are_made_anew_for_each_pass_back() -> None:
    views, target = batch(6, 6)
    _, *expected = value_and_gradients(BWCRLoss(), views, target)
    first, second = (logits.clone().requires_grad_() for logits in views[:2])
    loss = BWCRLoss()((first, second, *views[2:]), target)
    for _ in range(2):
        (4 * loss).backward(retain_graph=True)
    torch.testing.assert_close([first.grad, second.grad], [8 * gradient for gradient in expected])


def test_a_batch_is_the_mean_of_its_images() -> None:
    views, target = batch(8, 8)
    alone = [BWCRLoss()(tuple(part[[i]] for part in views), target[[i]]) for i in range(2)]
    torch.testing.assert_close(BWCRLoss()(views, target), torch.stack(alone).mean())


def test_permuting_the_classes_or_the_images_changes_nothing() -> None:
    views, target = batch(8, 8)
    order = torch.tensor([2, 0, 1])
    permuted = [torch.empty_like(logits) for logits in views[:2]]
    for new, old in zip(permuted, views[:2], strict=True):
        new[:, order] = old
    torch.testing.assert_close(BWCRLoss()((*permuted, *views[2:]), order[target]), BWCRLoss()(views, target))


def test_without_consistency_it_is_the_cross_entropy_of_what_is_valid_in_the_first_view() -> None:
    views, target = batch(8, 8)
    value, _, by_second = value_and_gradients(BWCRLoss(consistency_weight=0.0), views, target)
    each = torch.nn.functional.cross_entropy(views[0], target.squeeze(1), reduction="none")
    torch.testing.assert_close(value, (each * views[2][:, 0]).mean() / 3)
    assert not by_second.any()


def test_equal_views_have_no_inconsistency_and_a_number_added_to_one_is_one() -> None:
    (first, _, valid, weight), target = batch(8, 8)
    loss = BWCRLoss(consistency_weight=3.0)
    equal = loss((first, first, valid, weight), target)
    torch.testing.assert_close(equal, BWCRLoss(consistency_weight=0.0)((first, first, valid, weight), target) / 4)
    apart = loss((first, first + 2, valid, weight), target) - equal
    torch.testing.assert_close(apart, 0.75 * 4 * (weight * valid.all(dim=1, keepdim=True)).mean())


def test_where_nothing_is_valid_the_loss_and_its_gradient_are_zero() -> None:
    views, target = batch(8, 8)
    for value in value_and_gradients(BWCRLoss(), (*views[:2], torch.zeros_like(views[2]), None), target):
        assert not value.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single_and_keeps_large_logits_finite(dtype: torch.dtype) -> None:
    views, target = batch(8, 8, dtype=dtype)
    value, *gradients = value_and_gradients(BWCRLoss(), views, target)
    single, *_ = value_and_gradients(BWCRLoss(), (views[0].float(), views[1].float(), *views[2:]), target)
    torch.testing.assert_close(value, single)
    assert [gradient.dtype for gradient in gradients] == [dtype, dtype]
    large = BWCRLoss()((1e3 * views[0], -1e3 * views[1], *views[2:]), target)
    assert torch.isfinite(large)
    halves = views[3].half()
    for other in (halves, halves.double()):
        value, *_ = value_and_gradients(BWCRLoss(), (*views[:3], other), target)
        assert torch.equal(value, BWCRLoss()((*views[:3], halves.float()), target))


def test_autocast_memory_layout_and_metadata_change_nothing() -> None:
    views, target = batch(8, 8)
    expected = value_and_gradients(BWCRLoss(), views, target)
    strided = [part.to(memory_format=torch.channels_last) for part in views]
    torch.testing.assert_close(value_and_gradients(BWCRLoss(), strided, target.float()), expected)
    carried = [MetaTensor(part) for part in views]
    assert type(BWCRLoss()(carried, MetaTensor(target))) is torch.Tensor
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(value_and_gradients(BWCRLoss(), views, target), expected)


def test_it_has_no_state_and_shows_its_settings() -> None:
    assert not BWCRLoss().state_dict()
    assert repr(BWCRLoss(width=5)) == (
        "BWCRLoss(weight_max=1.0, weight_min=0.01, width=5, boundary_weighted=True, consistency_weight=1.0, "
        "ignore_index=None)"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda first, *_: first, "views are Tensor"),
        (lambda *four: four[:3], "views are tuple"),
        (lambda first, second, valid, _: (first, second, valid.tolist(), None), "views are tuple"),
        (
            lambda first, second, *others: (first, second[:, :2], *others),
            r"second is \(2, 2, 8, 8\).*must be \(2, 3, 8, 8\)",
        ),
        (lambda first, second, valid, _: (first, second, valid[:, :1], None), r"valid is \(2, 1, 8, 8\)"),
        (lambda first, second, valid, _: (first, second, valid.float(), None), "valid is torch.float32"),
        (lambda first, second, valid, weight: (first, second, valid, weight[0]), r"weight is \(1, 8, 8\)"),
        (lambda first, second, *others: (first.long(), second.long(), *others), "int64"),
    ],
)
def test_views_that_do_not_fit_are_refused(change: Any, said: str) -> None:
    views, target = batch(8, 8)
    with pytest.raises(ValueError, match=said):
        BWCRLoss()(change(*views), target)


def test_a_label_that_is_no_class_is_refused() -> None:
    views, target = batch(8, 8)
    with pytest.raises(ValueError, match="the label 7"):
        BWCRLoss()(views, target + 7 * (target == 2) - 2 * (target == 2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": 0}, "width is 0"),
        ({"weight_max": -1}, "weight_max is -1"),
        ({"weight_min": math.inf}, "weight_min is inf"),
        ({"consistency_weight": -0.5}, r"consistency_weight is -0\.5"),
    ],
)
def test_arguments_without_meaning_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        BWCRLoss(**arguments)


def test_an_ignored_part_is_as_if_it_were_not_there() -> None:
    (first, second, valid, weight), target = batch(6, 8)
    target[..., 5:] = 255
    loss = BWCRLoss(ignore_index=255)
    value, by_first, by_second = value_and_gradients(loss, (first, second, valid, weight), target)
    part = tuple(each[..., :5] for each in (first, second, valid, weight))
    alone = value_and_gradients(loss, part, target[..., :5])
    torch.testing.assert_close((value, by_first[..., :5], by_second[..., :5]), alone)
    assert not by_first[..., 5:].any()
    assert not by_second[..., 5:].any()


@pytest.mark.parametrize("shape", [(12, 10), (6, 8, 5)])
def test_the_edge_of_what_is_ignored_is_no_boundary_for_a_weight_that_is_computed(shape: tuple[int, ...]) -> None:
    views, target = batch(*shape)
    target = torch.zeros_like(target)
    target[:, :, shape[0] // 2 :] = 1
    whole = boundary_weight(target, width=4)
    target[..., :3] = 255
    loss = BWCRLoss(width=4, ignore_index=255)
    assert torch.equal(loss((*views[:3], None), target), loss((*views[:3], whole), target))
    everything = torch.full_like(target, 255)
    assert loss((*views[:3], None), everything) == 0


def test_a_batch_of_ignored_voxels_has_no_loss_and_no_gradient() -> None:
    views, target = batch(6, 8)
    value, *gradients = value_and_gradients(BWCRLoss(ignore_index=255), views, torch.full_like(target, 255))
    assert value == 0
    assert not torch.stack(gradients).any()


def test_logits_that_do_not_count_need_not_be_finite() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 1, 3, 6, 6, generator=generator)
    target = torch.randint(3, (1, 1, 6, 6), generator=generator)
    target[..., 0, 0] = 255
    valid = torch.ones(1, 2, 6, 6, dtype=torch.bool)
    valid[:, 1, 5, 5] = False
    loss = BWCRLoss(ignore_index=255)
    usual = loss((first, second, valid, None), target)
    first[..., 0, 0], second[..., 5, 5] = torch.inf, torch.nan
    leaves = [view.clone().requires_grad_() for view in (first, second)]
    value = loss((*leaves, valid, None), target)
    value.backward()
    torch.testing.assert_close(value.detach(), usual)
    assert all(leaf.grad.isfinite().all() for leaf in leaves if leaf.grad is not None)
