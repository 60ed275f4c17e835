"""Penalties of an augmented Lagrangian: the cost of a violated constraint.

A constraint holds where its violation h is not positive. With multiplier lambda and coefficient rho, a
penalty is a function P(h) with P(0) = 0 and P'(0) = lambda. The mean of its slope P' is the next multiplier;
Birgin et al. 2005. CRaC (Murugesan et al. 2024, arXiv:2403.12364) uses PHR.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def phr(violation: Tensor, multiplier: Tensor, coefficient: Tensor, *, signed: bool = True) -> Tensor:
    """The penalty of Powell, Hestenes and Rockafellar: (max(0, lambda + rho h)^2 - lambda^2) / (2 rho).

    It equals lambda g + rho g^2 / 2 with g = max(h, -lambda / rho), which is computed, as the difference of two squares
    loses digits. If no h is negative, g is h, for lambda and rho are not negative.

    Args:
        violation: h, any shape.
        multiplier: lambda, at least 0, of a shape that broadcasts with h.
        coefficient: rho, at least 0, of a shape that broadcasts with h.
        signed: False, which saves time, if no violation is negative.
    """
    if signed:
        violation = violation.clamp(min=-multiplier / coefficient.clamp(min=torch.finfo(coefficient.dtype).tiny))
    return torch.addcmul(multiplier, coefficient, violation, value=0.5) * violation


def p2(violation: Tensor, multiplier: Tensor, coefficient: Tensor, *, signed: bool = True) -> Tensor:
    """The penalty lambda h + lambda rho h^2 + rho^2 h^3 / 6; lambda h / (1 - rho h) if h is negative.

    Args:
        violation: h, any shape.
        multiplier: lambda, at least 0, of a shape that broadcasts with h.
        coefficient: rho, at least 0, of a shape that broadcasts with h.
        signed: False, which saves time, if no violation is negative.
    """
    scaled = coefficient * violation
    above = (multiplier + multiplier * scaled + scaled.square() / 6) * violation
    return _bounded(above, violation, multiplier, scaled) if signed else above


def p3(violation: Tensor, multiplier: Tensor, coefficient: Tensor, *, signed: bool = True) -> Tensor:
    """The penalty lambda h + lambda rho h^2; lambda h / (1 - rho h) if h is negative.

    Args:
        violation: h, any shape.
        multiplier: lambda, at least 0, of a shape that broadcasts with h.
        coefficient: rho, at least 0, of a shape that broadcasts with h.
        signed: False, which saves time, if no violation is negative.
    """
    scaled = coefficient * violation
    above = (multiplier + multiplier * scaled) * violation
    return _bounded(above, violation, multiplier, scaled) if signed else above


def _bounded(above: Tensor, violation: Tensor, multiplier: Tensor, scaled: Tensor) -> Tensor:
    """The penalty `above`, and lambda h / (1 - rho h) of a negative h; `scaled` is rho h."""
    return torch.where(violation < 0, multiplier * violation / (1 - scaled.clamp(max=0)), above)


def slope(penalty: Penalty, violation: Tensor, multiplier: Tensor, coefficient: Tensor) -> Tensor:
    """The derivative of a penalty by each violation, of the violation's shape.

    Args:
        penalty: one of `PENALTIES`.
        violation: h, any shape, to which the others broadcast.
        multiplier: lambda.
        coefficient: rho.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        violation, multiplier, coefficient = (
            values.clone() if values.is_inference() else values.detach()
            for values in (violation, multiplier, coefficient)
        )
        violation.requires_grad_()
        (derivative,) = torch.autograd.grad(penalty(violation, multiplier, coefficient).sum(), violation)
    return derivative


Penalty = Callable[..., Tensor]
PENALTIES: dict[str, Penalty] = {"phr": phr, "p2": p2, "p3": p3}
