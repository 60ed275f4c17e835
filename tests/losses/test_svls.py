"""SVLS: the authors' numbers, cross-entropy with soft labels, the limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from calib_monai.losses import SVLSLoss
from calib_monai.priors import neighborhood_prior


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_loss_and_gradient_are_the_authors(sigma: float, assert_golden: Callable[[str, SVLSLoss], None]) -> None:
    assert_golden(f"svls_s{sigma}_A", SVLSLoss(sigma=sigma))


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
def test_it_is_cross_entropy_with_smoothed_labels(shape: tuple[int, ...]) -> None:
    logits, target = torch.randn(2, 3, *shape, dtype=torch.float64), torch.randint(3, (2, 1, *shape))
    smoothed = neighborhood_prior(target, 3, "gaussian", 5, 1.5).double()
    expected = torch.nn.functional.cross_entropy(logits, smoothed)
    torch.testing.assert_close(SVLSLoss(5, 1.5)(logits, target), expected)


def test_without_neighbors_it_is_cross_entropy() -> None:
    logits, target = torch.randn(2, 3, 6, 6), torch.randint(3, (2, 1, 6, 6))
    expected = torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    torch.testing.assert_close(SVLSLoss(kernel_size=1)(logits, target), expected)


@pytest.mark.parametrize(("arguments", "said"), [({"kernel_size": 2}, "2"), ({"sigma": 0}, "0")])
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SVLSLoss(**arguments)  # type: ignore[arg-type]
