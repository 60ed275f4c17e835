"""mL1-ACE: its equation in float64, MONAI's Dice and calibration error, its authors' figures, limits, refusals."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceCELoss
from monai.metrics import CalibrationErrorMetric
from torch.nn.functional import one_hot

from calib_monai.losses import ACELoss, pieces

BINNINGS = ["hard", "soft"]


def batch(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two images of three classes; the first lacks a class."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    target = torch.randint(3, (2, 1, *shape), generator=generator)
    target[0] = target[0].clamp(max=1)
    return logits.requires_grad_(), target


def of_labels(target: torch.Tensor, num_classes: int) -> torch.Tensor:
    return one_hot(target[:, 0], num_classes).movedim(-1, 1)


def share_in_bin(p: float | torch.Tensor, bin_: int, num_bins: int, binning: str) -> float | torch.Tensor:
    """The share of a voxel of probability p that lies in a bin."""
    if binning == "hard":
        return float(bin_ / num_bins < p <= (bin_ + 1) / num_bins or (bin_ == 0 and p == 0))
    distance = p * num_bins - (bin_ + 0.5)  # from the center of the bin, in bins
    beyond = (bin_ == 0 and distance < 0) or (bin_ == num_bins - 1 and distance > 0)
    return 1.0 if beyond else max(0.0, 1 - abs(distance))


def error_of_class(p: torch.Tensor, y: torch.Tensor, num_bins: int, binning: str) -> torch.Tensor:
    """The average calibration error of the probabilities p of a class and its labels y, 0 or 1: (N,) and (N,)."""
    gaps = []
    for bin_ in range(num_bins):
        share = torch.stack([torch.as_tensor(share_in_bin(each, bin_, num_bins, binning)) for each in p])
        if share.sum() >= 0.01:
            gaps.append(((share * p).sum() / share.sum() - (share * y).sum() / share.sum()).abs())
    return torch.stack(gaps).mean() if y.any() else torch.zeros(())


def slow_error(probs: torch.Tensor, labels: torch.Tensor, num_bins: int, binning: str) -> torch.Tensor:
    """mL1-ACE of probabilities and labels, (B, K, ...) each, by loops over images, classes, bins and voxels."""
    classes = zip(probs.flatten(2).flatten(0, 1), labels.flatten(2).flatten(0, 1), strict=True)
    return torch.stack([error_of_class(p, y, num_bins, binning).double() for p, y in classes]).mean()


@pytest.mark.parametrize("binning", BINNINGS)
@pytest.mark.parametrize(
    ("shape", "num_bins", "elements"), [((6, 5), 20, 10**6), ((4, 5, 3), 7, 20), ((4, 4), 1, 10**6)]
)
def test_value_and_gradient_are_those_of_the_equation(
    binning: str, shape: tuple[int, ...], num_bins: int, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_ELEMENTS", elements)
    logits, target = batch(*shape)
    error = slow_error(logits.softmax(dim=1), of_labels(target, 3), num_bins, binning)
    expected = DiceCELoss(to_onehot_y=True, softmax=True)(logits, target) + 0.7 * error
    value = ACELoss(binning, num_bins, 0.7)(logits, target)
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=0)
    gradients = (torch.autograd.grad(each, logits)[0] for each in (value, expected))
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
@pytest.mark.parametrize("binning", BINNINGS)
def test_without_weight_it_is_monais_cross_entropy_and_dice(binning: str, shape: tuple[int, ...]) -> None:
    logits, target = batch(*shape)
    values = (
        ACELoss(binning, penalty_weight=0.0)(logits, target),
        DiceCELoss(to_onehot_y=True, softmax=True)(logits, target),
    )
    torch.testing.assert_close(*values, rtol=1e-9, atol=0)


def error_of(probs: torch.Tensor, target: torch.Tensor, binning: str, num_bins: int) -> torch.Tensor:
    """The third term alone."""
    logits = probs.log()
    return ACELoss(binning, num_bins)(logits, target) - ACELoss(binning, num_bins, 0.0)(logits, target)


@pytest.mark.parametrize("shape", [(16, 15), (8, 9, 7)])
def test_hard_bins_give_monais_average_calibration_error(shape: tuple[int, ...]) -> None:
    logits, target = batch(*shape)
    probs, image = logits[1:].softmax(dim=1), target[1:]  # that holds all classes: MONAI does not leave any out
    metric = CalibrationErrorMetric(calibration_reduction="average", metric_reduction="mean")
    metric(probs, of_labels(image, 3))
    torch.testing.assert_close(
        error_of(probs, image, "hard", 20).float(), metric.aggregate().squeeze(), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize(
    ("binning", "num_bins", "probs", "foreground", "expected"),
    [
        ("hard", 5, [0.1, 0.3, 0.7, 0.9], [0, 0, 1, 1], 0.2),
        ("soft", 2, [0.0, 0.25, 0.5, 0.75, 1.0], [0, 0, 1, 1, 1], 0.1),
    ],
)
def test_the_figures_of_the_authors(
    binning: str, num_bins: int, probs: list[float], foreground: list[int], expected: float
) -> None:
    """What the tests of MONAI's pull request 9092 expect of one class. The other class is its mirror image."""
    p = torch.tensor(probs, dtype=torch.float64).clamp(1e-12, 1 - 1e-12).view(1, 1, 1, -1)
    target = torch.tensor(foreground).view(1, 1, 1, -1)
    assert error_of(torch.cat([1 - p, p], dim=1), target, binning, num_bins).item() == pytest.approx(expected)


@pytest.mark.parametrize("binning", BINNINGS)
def test_it_is_0_where_confidence_is_accuracy(binning: str) -> None:
    target = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 2]).view(1, 1, 2, 5)
    probs = torch.tensor([0.3, 0.2, 0.5], dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 2, 5)
    assert error_of(probs, target, binning, 20).item() == pytest.approx(0, abs=1e-12)
    assert error_of(probs.flip(1), target, binning, 20).item() == pytest.approx((0.2 + 0 + 0.2) / 3)


def test_only_soft_bins_are_continuous_at_an_edge() -> None:
    target = torch.tensor([0, 1, 1]).view(1, 1, 1, 3)

    def with_one_at(p: float, binning: str) -> float:
        foreground = torch.tensor([0.1, 0.9, p], dtype=torch.float64).view(1, 1, 1, 3)
        return error_of(torch.cat([1 - foreground, foreground], dim=1), target, binning, 2).item()

    below, above = (with_one_at(p, "soft") for p in (0.5 - 1e-7, 0.5 + 1e-7))
    assert below == pytest.approx(above, abs=1e-6)
    assert with_one_at(0.5 - 1e-7, "hard") == pytest.approx((0.2 + 0.1) / 2)
    assert with_one_at(0.5 + 1e-7, "hard") == pytest.approx((0.1 + 0.3) / 2)


@pytest.mark.parametrize("binning", BINNINGS)
def test_sums_of_very_many_voxels_keep_their_digits(binning: str) -> None:
    p = torch.tensor([0.9997, 0.0003]).view(1, 2, 1, 1)
    target = torch.zeros(1, 1, 1200, 1000, dtype=torch.uint8)
    target[..., :100, 0] = 1
    logits = p.log()
    found = error_of(p.expand(1, 2, 1200, 1000), target, binning, 20).item()
    accuracy = 1 - 100 / 1.2e6
    assert found == pytest.approx(accuracy - logits.double().softmax(dim=1)[0, 0].item(), abs=3e-6)  # else 3e-4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"binning": "smooth"}, "binning is 'smooth'; it must be one of hard, soft"),
        ({"num_bins": 0}, "num_bins is 0; it must be a whole number, at least 1"),
        ({"num_bins": 2.5}, "num_bins is 2.5"),
        ({"penalty_weight": -1}, "penalty_weight is -1"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ACELoss(**arguments)  # type: ignore[arg-type]
