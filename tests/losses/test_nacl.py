from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses import NACLLoss as MonaiNACLLoss

from calib_monai.losses import NACLLoss
from calib_monai.priors import neighborhood_prior

GOLDEN = {
    "ce_A": {"penalty_weight": 0.0},
    "nacl_mean_l1_A": {},
    "nacl_mean_l2_A": {"penalty": "quadratic"},
    "nacl_mean_l1_softmax_A": {"on": "probs"},
    "nacl_mean_k5_l1_A": {"kernel_size": 5},
    "nacl_gaussian_s2.0_l1_A": {"prior": "gaussian", "border": "replicate"},
}


def batch(*shape: int, dtype: torch.dtype = torch.float32, num_classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, num_classes, *shape, generator=generator, dtype=torch.float64)
    return logits.to(dtype), torch.randint(num_classes, (2, 1, *shape), generator=generator)


@pytest.mark.parametrize("name", GOLDEN)
def test_loss_and_gradient_are_the_authors(
    name: str, golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    expected = golden[name]["expected"]
    logits = torch.tensor(arrays["logits_A"], requires_grad=True)
    loss = NACLLoss(**{"border": "background"} | GOLDEN[name])(logits, torch.tensor(arrays["labels_A"]).unsqueeze(1))
    loss.backward()
    assert loss.item() == pytest.approx(expected["loss"], rel=golden[name]["rtol"], abs=golden[name]["atol"])
    torch.testing.assert_close(logits.grad, torch.tensor(arrays[expected["grad_npz_key"]]), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
@pytest.mark.parametrize("penalty", ["linear", "quadratic"])
@pytest.mark.parametrize("on", ["logits", "probs"])
def test_the_loss_is_its_equation_in_float64(shape: tuple[int, ...], penalty: str, on: str) -> None:
    logits, target = batch(*shape, dtype=torch.float64)
    prior = neighborhood_prior(target, 3)
    total, penalties = 0.0, 0.0
    for place in np.ndindex(2, *shape):
        image, where = place[0], place[1:]
        scores = logits[(image, slice(None), *where)].tolist()
        normalizer = sum(math.exp(score) for score in scores)
        total -= math.log(math.exp(scores[target[(image, 0, *where)].item()]) / normalizer)
        for k, score in enumerate(scores):
            value = score if on == "logits" else math.exp(score) / normalizer
            gap = abs(prior[(image, k, *where)].item() - value)
            penalties += gap if penalty == "linear" else gap**2
    voxels = target.numel()
    expected = total / voxels + 0.3 * penalties / (3 * voxels)
    loss = NACLLoss(penalty=penalty, on=on, penalty_weight=0.3)(logits, target)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_interior_is_monais_loss() -> None:
    logits, target = batch(12, 12)
    # Only the border differs: MONAI pads the one-hot labels with zeros. A frame of one label, one logit
    # makes the difference computable: it is the frame's own penalty.
    ours = NACLLoss(penalty_weight=1.0)(logits, target) - NACLLoss(penalty_weight=0.0)(logits, target)
    theirs = MonaiNACLLoss(classes=3, dim=2, alpha=1.0)
    gap = theirs(logits, target.squeeze(1)) - torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    monai_prior = theirs.get_constr_target(target.squeeze(1))
    frame = torch.ones(12, 12, dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    prior = neighborhood_prior(target, 3)
    torch.testing.assert_close(prior[..., ~frame], monai_prior[..., ~frame])
    difference = ((logits - prior).abs() - (logits - monai_prior).abs())[..., frame].sum() / logits.numel()
    torch.testing.assert_close(ours - gap, difference, atol=1e-6, rtol=0)


def test_a_batch_is_the_mean_of_its_images() -> None:
    logits, target = batch(8, 8)
    loss = NACLLoss()
    one_by_one = torch.stack([loss(logits[i : i + 1], target[i : i + 1]) for i in range(2)]).mean()
    torch.testing.assert_close(loss(logits, target), one_by_one)


def test_permuting_the_classes_changes_nothing() -> None:
    logits, target = batch(8, 8)
    order = torch.tensor([2, 0, 1])
    permuted = torch.empty_like(logits)
    permuted[:, order] = logits
    torch.testing.assert_close(NACLLoss()(permuted, order[target]), NACLLoss()(logits, target))


def test_without_weight_it_is_cross_entropy() -> None:
    logits, target = batch(8, 8)
    expected = torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    torch.testing.assert_close(NACLLoss(penalty_weight=0.0)(logits, target), expected)


def test_the_gradient_is_that_of_the_value() -> None:
    logits, target = batch(4, 3, dtype=torch.float64)
    for loss in (NACLLoss(), NACLLoss(penalty="quadratic", on="probs")):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, target), logits.requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_logits_in_half_precision_stay_finite(dtype: torch.dtype) -> None:
    logits, target = batch(6, 6)
    large = (1e4 * logits / logits.abs().max()).to(dtype).requires_grad_()
    loss = NACLLoss(penalty="quadratic")(large, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(large.grad).all()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_targets_of_any_number_type_are_read(dtype: torch.dtype) -> None:
    logits, target = batch(6, 6)
    torch.testing.assert_close(NACLLoss()(logits, target.to(dtype)), NACLLoss()(logits, target))


def test_memory_layout_changes_nothing() -> None:
    logits, target = batch(6, 6)
    strided = logits.transpose(2, 3).contiguous().transpose(2, 3)
    for other in (strided, logits.to(memory_format=torch.channels_last)):
        torch.testing.assert_close(NACLLoss()(other, target), NACLLoss()(logits, target))


@pytest.mark.parametrize(
    ("logits_shape", "target", "said"),
    [
        ((2, 3, 4, 4), torch.zeros(2, 4, 4), r"\(2, 4, 4\)"),
        ((2, 3, 4, 4), torch.zeros(2, 1, 4, 5), r"\(2, 1, 4, 5\)"),
        ((2, 3, 4), torch.zeros(2, 1, 4), r"\(2, 3, 4\)"),
        ((2, 1, 4, 4), torch.zeros(2, 1, 4, 4), "1 channel"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), 3), r"3\.\.3"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), -1), r"-1\.\.-1"),
        ((2, 3, 4, 4), torch.full((2, 1, 4, 4), 0.5), "whole numbers"),
    ],
)
def test_targets_that_do_not_fit_are_refused(logits_shape: tuple[int, ...], target: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NACLLoss()(torch.zeros(logits_shape), target)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"penalty": "l1"}, "'l1'"), ({"on": "softmax"}, "'softmax'"), ({"penalty_weight": -0.1}, "-0.1"),
     ({"penalty_weight": math.nan}, "nan"), ({"prior": "max2"}, "'max2'"), ({"kernel_size": 2}, "2")],
)  # fmt: skip
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NACLLoss(**arguments)
