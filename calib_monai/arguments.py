"""Arguments: the checks that constructors share. Each message gives the name, the value and the rule."""

from __future__ import annotations

import math
from collections.abc import Collection

MOST = 255  # the largest label


def check_number(name: str, value: float, least: float = 0, most: float = math.inf) -> None:
    """Raise ValueError if the value is not a finite number from `least` to `most`."""
    if not (isinstance(value, int | float) and math.isfinite(value) and least <= value <= most):
        end = "" if most == math.inf else f" and at most {most}"
        raise ValueError(f"{name} is {value!r}; it must be a finite number, at least {least}{end}")


def check_above_zero(name: str, value: float) -> None:
    """Raise ValueError if the value is not a finite number above 0."""
    if not (isinstance(value, int | float) and 0 < value < math.inf):
        raise ValueError(f"{name} is {value!r}; it must be a finite number above 0")


def check_whole(name: str, value: int, least: int) -> None:
    """Raise ValueError if the value is not a whole number from `least` on."""
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, at least {least}")


def check_spatial_dims(spatial_dims: int) -> None:
    """Raise ValueError if this is neither 2 nor 3."""
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims is {spatial_dims!r}; it must be 2 or 3")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise ValueError if the value is not one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")


def check_ignored_label(ignore_index: int | None, num_classes: int) -> None:
    """Raise ValueError if the label that is ignored is a class, or no byte, as which labels are kept."""
    if ignore_index is not None and not (isinstance(ignore_index, int) and num_classes <= ignore_index <= MOST):
        rule = f"it must be a whole number from {num_classes} to {MOST}, or None"
        raise ValueError(f"ignore_index is {ignore_index!r}; with {num_classes} classes {rule}")


def check_ignore_index(ignore_index: int | None) -> None:
    """Raise ValueError if this is neither a whole number nor None."""
    if not (ignore_index is None or isinstance(ignore_index, int)):
        raise ValueError(f"ignore_index is {ignore_index!r}; it must be a whole number or None")
