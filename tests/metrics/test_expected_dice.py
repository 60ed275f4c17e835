"""Expected Dice: what the probabilities say of a segmentation comes true where they are exact."""

from __future__ import annotations

import pytest
import torch

from calib_monai.metrics import ExpectedDiceMetric


def case(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (1, 3, 24, 24) of smooth blobs, and the segmentation (1, 1, 24, 24) that they give."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 4 * torch.randn(1, 3, 6, 6, generator=generator)
    probs = torch.nn.functional.interpolate(coarse, size=(24, 24), mode="bilinear").softmax(dim=1)
    return probs, probs.argmax(dim=1, keepdim=True)


def dice(segmentation: torch.Tensor, label: torch.Tensor, k: int) -> float:
    one, other = segmentation == k, label == k
    return (2 * (one & other).sum() / (one.sum() + other.sum())).item()


def test_it_is_the_mean_dice_of_labels_that_are_drawn_from_the_probabilities() -> None:
    probs, predicted = case()
    expected = ExpectedDiceMetric()(y_pred=probs, y=predicted)
    assert expected.shape == (1, 2)
    draws = probs[0].flatten(1).T.multinomial(400, replacement=True, generator=torch.Generator().manual_seed(1)).T
    for k in (1, 2):
        true = torch.tensor([dice(predicted, label.view(1, 1, 24, 24), k) for label in draws])
        assert expected[0, k - 1].item() == pytest.approx(true.mean().item(), abs=0.005)


def test_where_voxels_err_together_the_mean_dice_is_another_though_each_probability_is_exact() -> None:
    # The structure's probability is .6 in a square and .02 around it; one number is drawn for all voxels of a case.
    foreground = torch.full((1, 1, 20, 20), 0.02)
    foreground[..., 5:15, 5:15] = 0.6
    probs, predicted = torch.cat([1 - foreground, foreground], dim=1), (foreground > 0.5).long()
    expected = ExpectedDiceMetric()(y_pred=probs, y=predicted).item()
    draws = torch.rand(1200, 20, 20, generator=torch.Generator().manual_seed(0))
    together = [dice(predicted, (draw[0, 0] < foreground).long(), 1) for draw in draws]
    apart = [dice(predicted, (draw < foreground).long(), 1) for draw in draws[:200]]
    assert expected == pytest.approx(0.723, abs=0.001)
    assert sum(apart) / len(apart) == pytest.approx(expected, abs=0.01)
    assert sum(together) / len(together) == pytest.approx(0.02 * 0.4 + 0.58, abs=0.04)  # a Dice of .4, of 1, of 0


def test_a_network_that_is_too_sure_expects_too_much() -> None:
    probs, predicted = case()
    sharp = (2 * probs.log()).softmax(dim=1)
    exact, sure = (ExpectedDiceMetric()(y_pred=given, y=predicted) for given in (probs, sharp))
    assert (sure > exact + 0.02).all()


def test_one_hot_is_read_as_a_map_and_a_batch_as_its_images() -> None:
    metric, cases = ExpectedDiceMetric(), [case(0), case(1)]
    for probs, predicted in cases:
        one_hot = torch.nn.functional.one_hot(predicted[:, 0], 3).movedim(-1, 1)
        torch.testing.assert_close(metric(y_pred=probs, y=one_hot), ExpectedDiceMetric()(y_pred=probs, y=predicted))
    both = ExpectedDiceMetric()(*(torch.cat(parts) for parts in zip(*cases, strict=True)))
    torch.testing.assert_close(metric.values(), both)


def test_a_class_that_is_not_predicted_is_expected_to_be_missed_where_a_voxel_may_have_it() -> None:
    probs = torch.tensor([0.984, 0.009, 0.007]).view(1, 3, 1, 1).repeat(1, 1, 4, 4)
    metric = ExpectedDiceMetric()
    assert metric(y_pred=probs, y=probs.argmax(dim=1, keepdim=True)).isnan().all()
    assert metric.aggregate().isnan()
    probs[0, :, 0, 0] = torch.tensor([0.98, 0.012, 0.008])
    value = ExpectedDiceMetric()(y_pred=probs, y=probs.argmax(dim=1, keepdim=True))[0]
    assert value[0].item() == 0
    assert value[1].isnan()


@pytest.mark.parametrize("ignore_index", [255, -1, 3])
def test_what_is_ignored_is_as_if_it_were_cut_off(ignore_index: int) -> None:
    probs, predicted = case()
    ignored = predicted.clone()
    ignored[..., 12:] = ignore_index
    metric = ExpectedDiceMetric(ignore_index=ignore_index)
    cut = ExpectedDiceMetric()(y_pred=probs[..., :12], y=predicted[..., :12])
    torch.testing.assert_close(metric(y_pred=probs, y=ignored), cut)
    assert metric(y_pred=probs, y=torch.full_like(predicted, ignore_index)).isnan().all()
    with pytest.raises(ValueError, match=r"ignore_index is 0\.5"):
        ExpectedDiceMetric(ignore_index=0.5)  # type: ignore[arg-type] - what is refused
