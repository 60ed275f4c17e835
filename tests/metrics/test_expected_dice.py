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


def test_a_class_that_is_not_predicted_has_no_expected_dice() -> None:
    probs = torch.tensor([0.6, 0.3, 0.1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    metric = ExpectedDiceMetric()
    assert metric(y_pred=probs, y=probs.argmax(dim=1, keepdim=True)).isnan().all()
    assert metric.aggregate().isnan()
