"""Laws of every voxel-wise loss, whatever its equation."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable

import pytest
import torch
from monai.data import MetaTensor

import calib_monai.losses
from calib_monai.losses import BWCRLoss, CompoundLoss, CRaCLoss, ECPLoss, IgnoringLoss, MbLSLoss, NACLLoss, pieces
from calib_monai.losses.voxelwise import VoxelwiseLoss

APART = {CompoundLoss, IgnoringLoss, BWCRLoss}  # made of the others; one of two views, with tests of its own


def batch(*shape: int, num_classes: int = 3, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, num_classes, *shape, generator=generator, dtype=torch.float64)
    return logits.to(dtype), torch.randint(num_classes, (3, 1, *shape), generator=generator)


def value_and_gradient(
    loss: VoxelwiseLoss, logits: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = logits.detach().clone().requires_grad_()
    value = loss(leaf, target)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), gradient


def test_every_loss_that_is_exported_is_among_those_tested_here(losses: dict[str, VoxelwiseLoss]) -> None:
    exported = {getattr(calib_monai.losses, name) for name in calib_monai.losses.__all__}
    assert {each for each in exported if isinstance(each, type)} - APART == {type(loss) for loss in losses.values()}


@pytest.mark.parametrize(("shape", "elements"), [((7, 6), 1), ((7, 6), 100), ((5, 6, 4), 300)])
def test_pieces_of_any_size_give_what_the_whole_gives(
    loss: VoxelwiseLoss, shape: tuple[int, ...], elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, target = batch(*shape)
    whole = value_and_gradient(loss, logits, target)
    monkeypatch.setattr(pieces, "PIECE_ELEMENTS", elements)
    torch.testing.assert_close(value_and_gradient(loss, logits, target), whole, rtol=1e-6, atol=1e-8)


def test_the_gradient_is_that_of_the_value(loss: VoxelwiseLoss) -> None:
    logits, target = (each[:1] for each in batch(3, 4, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits.requires_grad_())


def test_a_batch_is_the_mean_of_its_images(loss: VoxelwiseLoss) -> None:
    logits, target = batch(8, 8)
    one_by_one = torch.stack([loss(logits[i : i + 1], target[i : i + 1]) for i in range(3)]).mean()
    torch.testing.assert_close(loss(logits, target), one_by_one)


@pytest.mark.parametrize(
    "name", ["ecp", "svls", "mbls", "mbls quadratic", "nacl mean", "nacl gaussian", "ace", "ace soft"]
)
def test_permuting_the_classes_changes_nothing(name: str, losses: dict[str, VoxelwiseLoss]) -> None:
    # The priors left out depend on the order of the classes; "nacl probs" on what lies beyond the border. CRaC's
    # multipliers must be permuted as well, which its own tests do.
    logits, target = batch(8, 8)
    order = torch.tensor([2, 0, 1])
    permuted = torch.empty_like(logits)
    permuted[:, order] = logits
    torch.testing.assert_close(losses[name](permuted, order[target]), losses[name](logits, target))


@pytest.mark.parametrize(
    "loss",
    [
        ECPLoss(0.0),
        MbLSLoss(penalty_weight=0.0),
        NACLLoss(penalty_weight=0.0),
        CRaCLoss(3, multiplier_init=0.0, coefficient_init=0.0),
    ],
)
def test_without_weight_it_is_cross_entropy(loss: VoxelwiseLoss) -> None:
    logits, target = batch(8, 8)
    expected = torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    torch.testing.assert_close(loss(logits, target), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_logits_in_half_precision_stay_finite(loss: VoxelwiseLoss, dtype: torch.dtype) -> None:
    logits, target = batch(6, 6)
    value, gradient = value_and_gradient(loss, (1e4 * logits / logits.abs().max()).to(dtype), target)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    assert gradient.dtype == dtype


def test_autocast_and_memory_layout_change_nothing(loss: VoxelwiseLoss) -> None:
    logits, target = batch(6, 6)
    expected = value_and_gradient(loss, logits, target)
    strided = logits.transpose(2, 3).contiguous().transpose(2, 3)
    for other in (strided, logits.to(memory_format=torch.channels_last)):
        torch.testing.assert_close(value_and_gradient(loss, other, target), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(value_and_gradient(loss, logits, target), expected)


@pytest.mark.parametrize("num_classes", [2, 150, 300])
def test_two_classes_and_many(make_loss: Callable[[int], VoxelwiseLoss], num_classes: int) -> None:
    logits, target = batch(6, 6, num_classes=num_classes)
    value, gradient = value_and_gradient(make_loss(num_classes), logits, target)
    assert torch.isfinite(value)
    assert gradient.abs().sum() > 0


def test_tensors_that_carry_metadata_give_the_same(loss: VoxelwiseLoss) -> None:
    logits, target = batch(6, 6)
    value, gradient = value_and_gradient(loss, MetaTensor(logits), MetaTensor(target))
    assert type(value) is torch.Tensor
    torch.testing.assert_close((value, torch.as_tensor(gradient)), value_and_gradient(loss, logits, target))


@pytest.mark.parametrize("elements", [50, 10**6])
def test_an_ignored_part_is_as_if_it_were_not_there(
    ignoring: VoxelwiseLoss, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_ELEMENTS", elements)
    logits, target = batch(6, 12)
    # A replicated border is not like ignored neighbors, so the columns beside it are of one class.
    target[..., 4:8] = target[:, :, :1, 4:5]
    target[..., 8:] = ignoring.ignore_index
    logits[..., 8:] = math.inf
    value, gradient = value_and_gradient(ignoring, logits, target)
    alone, gradient_alone = value_and_gradient(ignoring, logits[..., :8], target[..., :8])
    torch.testing.assert_close(value, alone)
    torch.testing.assert_close(gradient[..., :8], gradient_alone)
    assert torch.equal(gradient[..., 8:], torch.zeros_like(gradient[..., 8:]))


def test_an_image_that_is_ignored_is_as_if_it_were_not_there(ignoring: VoxelwiseLoss) -> None:
    logits, target = batch(8, 6)
    target[1] = ignoring.ignore_index
    value, gradient = value_and_gradient(ignoring, logits, target)
    alone, gradient_alone = value_and_gradient(ignoring, logits[[0, 2]], target[[0, 2]])
    torch.testing.assert_close(value, alone)
    torch.testing.assert_close(gradient[[0, 2]], gradient_alone)
    assert not gradient[1].any()


def test_a_class_can_be_ignored_as_any_other_label_can(losses: dict[str, VoxelwiseLoss]) -> None:
    logits, target = batch(6, 8)
    beside = torch.where(target == 0, 255, target)
    for name in ("svls", "nacl mean", "nacl median", "ace"):
        of_class, of_label = copy.deepcopy(losses[name]), copy.deepcopy(losses[name])
        of_class.ignore_index, of_label.ignore_index = 0, 255
        torch.testing.assert_close(of_class(logits, target), of_label(logits, beside))


def test_equally_large_logits_share_the_slope_of_the_maximum() -> None:
    logits = torch.tensor([6.0, 6.0, 0.0]).view(1, 3, 1, 1)
    target = torch.zeros(1, 1, 1, 1)
    alone = value_and_gradient(MbLSLoss(penalty_weight=0.0), logits, target)[1]
    _, gradient = value_and_gradient(MbLSLoss(margin=3.0, penalty_weight=0.3), logits, target)
    torch.testing.assert_close((gradient - alone).flatten(), torch.tensor([0.05, 0.05, -0.1]))


def test_a_loss_shows_its_settings() -> None:
    assert repr(MbLSLoss(margin=3.0)) == "MbLSLoss(margin=3.0, penalty='linear', penalty_weight=0.1, ignore_index=None)"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_batch_of_ignored_voxels_has_no_loss_and_no_gradient(ignoring: VoxelwiseLoss, dtype: torch.dtype) -> None:
    logits, target = batch(4, 4)
    value, gradient = value_and_gradient(ignoring, logits.to(dtype), torch.full_like(target, ignoring.ignore_index))
    assert value == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_the_mean_of_very_many_voxels_is_exact() -> None:
    logits = torch.tensor([0.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4100, 4100)
    loss = ECPLoss(0.0)(logits, torch.zeros(1, 1, 4100, 4100, dtype=torch.uint8))
    assert loss.item() == pytest.approx(0.6931471805599453, rel=5e-7)


def test_gradients_accumulate_and_scale(loss: VoxelwiseLoss) -> None:
    logits, target = batch(6, 6)
    leaf = logits.clone().requires_grad_()
    for _ in range(2):
        (loss(leaf, target) / 4).backward()
    _, gradient = value_and_gradient(loss, logits, target)
    torch.testing.assert_close(leaf.grad, gradient / 2)


@pytest.mark.parametrize("name", ["nacl mean", "crac"])
def test_a_loss_runs_inside_a_compiled_step(name: str, losses: dict[str, VoxelwiseLoss]) -> None:
    logits, target = batch(6, 6)
    loss = losses[name]
    leaf = logits.requires_grad_()
    compiled = torch.compile(lambda x: loss(2 * x, target), backend="eager")
    value, expected = compiled(leaf), loss(2 * leaf, target)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, leaf), torch.autograd.grad(expected, leaf))


def test_validation_makes_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, target = batch(6, 6)
    monkeypatch.delattr(torch.autograd, "grad")
    with torch.no_grad():
        assert not NACLLoss()(logits.requires_grad_(), target).requires_grad
    NACLLoss()(logits.detach(), target)
    with pytest.raises(AttributeError):
        NACLLoss()(logits, target)


def test_a_loss_with_parameters_of_its_own_is_refused() -> None:
    logits, target = batch(4, 4)
    loss = ECPLoss()
    loss.register_parameter("scale", torch.nn.Parameter(torch.ones(())))
    with pytest.raises(ValueError, match="ECPLoss has parameters"):
        loss(logits, target)


@pytest.mark.parametrize("power", [1, 2])
def test_a_gradient_of_the_gradient_is_refused(power: int) -> None:
    logits, target = batch(4, 4)
    value = NACLLoss()(logits.requires_grad_(), target) ** power
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(value, logits, create_graph=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_scaled_gradient_in_half_precision_keeps_its_digits(loss: VoxelwiseLoss, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(2, 3, 256, 256, generator=generator)).to(dtype)
    target = torch.randint(3, (2, 1, 256, 256), generator=generator)
    _, expected = value_and_gradient(loss, logits.double(), target)
    leaf = logits.clone().requires_grad_()
    (2.0**16 * loss(leaf, target)).backward()  # as a GradScaler does
    error = (leaf.grad.double() / 2**16 - expected).norm() / expected.norm()
    assert error < (1e-3 if dtype == torch.float16 else 5e-3)


def test_adding_a_number_to_all_logits_changes_nothing_but_the_distance_from_a_prior(loss: VoxelwiseLoss) -> None:
    logits, target = batch(6, 6)
    moved = loss((logits * 64).round() / 64 + 4096, target)
    if isinstance(loss, CRaCLoss) or getattr(loss, "on", None) == "logits":
        assert moved > 100
    else:
        torch.testing.assert_close(moved, loss((logits * 64).round() / 64, target), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "shape", [(16, 4, 224, 224), (1, 150, 16, 512, 512), (2, 2, 1, 4000000), (2, 150, 96, 96, 96), (3, 14, 50, 50, 50)]
)
@pytest.mark.parametrize("of_images", [False, True])
def test_pieces_are_bounded_and_cover_the_batch_once(shape: tuple[int, ...], *, of_images: bool) -> None:
    seen = 0
    for images, _, *sides in itertools.chain(*pieces._places(torch.zeros(1).expand(shape), of_images=of_images)):
        size = shape[1] * math.prod(side.stop - side.start for side in (images, *sides))
        assert 0 < size <= pieces.PIECE_ELEMENTS * torch.get_num_threads()
        seen += size
    assert seen == math.prod(shape)


def test_the_pieces_of_an_image_stand_together_where_only_images_add_up() -> None:
    small, large = (
        pieces._places(torch.zeros(1).expand(3, 4, *shape), of_images=True) for shape in ((9, 9), (96,) * 3)
    )
    assert [len(places) for places in small] == [1]
    assert len(large) == 3
    for image, places in enumerate(large):
        assert len(places) > 1
        assert {place[0].start for place in places} == {image}


@pytest.mark.parametrize("weight", [-0.1, math.inf, math.nan, "0.1"])
def test_a_weight_that_is_no_finite_number_from_0_on_is_refused(weight: float) -> None:
    for loss_class in (ECPLoss, MbLSLoss, NACLLoss):
        with pytest.raises(ValueError, match=f"penalty_weight is {weight!r}"):
            loss_class(penalty_weight=weight)


@pytest.mark.parametrize("ignore_index", [0.5, "255"])
def test_a_label_to_ignore_that_is_no_whole_number_is_refused(ignore_index: int) -> None:
    with pytest.raises(ValueError, match=f"ignore_index is {ignore_index!r}"):
        ECPLoss(ignore_index=ignore_index)
