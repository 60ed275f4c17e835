"""Arguments: the checks that constructors share, and how a module shows its arguments.

Each message gives the name, the value and the rule.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn  # which programs that only plan or compose need not wait for

MOST = 255  # the largest label


BACKGROUND = "background"  # the name of the class of the label 0


def is_number(value: object) -> bool:
    """Whether this is a number; to Python, True and False are numbers, too."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Whether this is a whole number."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_switch(value: object) -> bool:
    """Whether this is True or False, or 1 or 0, which Python takes for them."""
    return isinstance(value, bool | int) and value in (0, 1)


def plain_values(values: Iterable[Any]) -> list[Any]:
    """Names and numbers as Python has them: no tensor equals another one."""
    return [value.item() if hasattr(value, "item") else value for value in values]


def check_number(name: str, value: float, least: float = 0, most: float = math.inf) -> None:
    """Raise ValueError if the value is not a finite number from `least` to `most`."""
    if not (is_number(value) and math.isfinite(value) and least <= value <= most):
        raise ValueError(f"{name} is {value!r}; it must be a finite number, {_from(least, most)}{_quoted(value)}")


def check_above_zero(name: str, value: float) -> None:
    """Raise ValueError if the value is not a finite number above 0."""
    if not (is_number(value) and 0 < value < math.inf):
        raise ValueError(f"{name} is {value!r}; it must be a finite number above 0{_quoted(value)}")


def check_share(name: str, value: float, *, zero: bool = False, one: bool = False) -> None:
    """Raise ValueError if the value is not a number between 0 and 1; it may be 0 or 1 itself only if so said."""
    if not (is_number(value) and 0 <= value <= 1 and (zero or value != 0) and (one or value != 1)):
        rule = f"{'from 0 on' if zero else 'above 0'} and {'at most' if one else 'below'} 1"
        raise ValueError(f"{name} is {value!r}; it must be a number {rule}{_quoted(value)}")


def check_whole(name: str, value: int, least: int, most: float = math.inf) -> None:
    """Raise ValueError if the value is not a whole number from `least` to `most`."""
    if not (is_whole(value) and least <= value <= most):
        raise ValueError(f"{name} is {value!r}; it must be a whole number, {_from(least, most)}{_quoted(value)}")


def check_odd(name: str, value: int) -> None:
    """Raise ValueError if the value is not an odd whole number from 1 on."""
    if not (is_whole(value) and value >= 1 and value % 2):
        raise ValueError(f"{name} is {value!r}; it must be odd, whole and at least 1{_quoted(value)}")


def check_range(name: str, value: Sequence[float], least: float) -> None:
    """Raise ValueError if the value is not two finite numbers from `least` on, the smaller first."""
    two = isinstance(value, Sequence) and len(value) == 2 and all(map(is_number, value))  # noqa: PLR2004 - low and high
    if not (two and least <= value[0] <= value[1] < math.inf):
        raise ValueError(f"{name} is {value!r}; it must be two numbers from {least} on, the smaller first")


def check_switch(name: str, value: bool) -> None:  # noqa: FBT001 - what is checked
    """Raise ValueError if the value is neither True nor False."""
    if not is_switch(value):
        raise ValueError(f"{name} is {value!r}; it must be True or False")


def check_spatial_dims(spatial_dims: int) -> None:
    """Raise ValueError if this is neither 2 nor 3."""
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims is {spatial_dims!r}; it must be 2 or 3")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Raise ValueError if the value is not one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")


def check_class_names(name: str, names: Any) -> None:
    """Raise ValueError if the names of classes are no list of names that differ, or the background is not the first."""
    listed = list(names) if isinstance(names, list | tuple) else []
    fine = listed and all(isinstance(one, str) and one.strip() for one in listed)
    if not fine or len({one.strip() for one in listed}) < len(listed):
        raise ValueError(f"{name} is {names!r}; it must be a list of names that differ, the background first")
    check_background_first(f"{name} is", listed)


def check_background_first(before: str, names: Sequence[str], mend: str = "") -> None:
    """Raise ValueError if a class after the first is called background; `before` and `mend` frame the message."""
    if BACKGROUND in [one.strip().lower() for one in names[1:]]:
        raise ValueError(f"{before} {', '.join(names)}; the background must be the first, because its label is 0{mend}")


def check_ignored_label(ignore_index: int | None, num_classes: int, name: str = "ignore_index") -> None:
    """Raise ValueError if the label that is ignored, under this name, is a class, or no byte, as labels are kept."""
    if ignore_index is not None and not (is_whole(ignore_index) and num_classes <= ignore_index <= MOST):
        rule = f"it must be a whole number from {num_classes} to {MOST}, or none"
        raise ValueError(f"{name} is {ignore_index!r}; with {num_classes} classes {rule}")


def check_ignore_index(ignore_index: int | None) -> None:
    """Raise ValueError if this is neither a whole number nor None."""
    if not (ignore_index is None or is_whole(ignore_index)):
        raise ValueError(f"ignore_index is {ignore_index!r}; it must be a whole number or None")


def shown_arguments(module: nn.Module) -> str:
    """The arguments of a module's constructor that are its attributes, as "name=value, ..."."""
    names = inspect.signature(type(module)).parameters
    return ", ".join(f"{name}={getattr(module, name)!r}" for name in names if hasattr(module, name))


def check_label_shape(target: Tensor) -> None:
    """Raise ValueError if labels are not (B, 1, H, W[, D])."""
    if target.ndim not in (4, 5) or target.shape[1] != 1:
        raise ValueError(f"target is {tuple(target.shape)}; it must be (B, 1, H, W[, D])")


def _from(least: float, most: float) -> str:
    """The rule of two limits, of which the upper one may be none."""
    return f"at least {least}" + ("" if most == math.inf else f" and at most {most}")


def _quoted(value: object) -> str:
    """What a message adds if the value is a text that reads as a finite number, as in a JSON with quotation marks."""
    try:
        is_text = isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        is_text = False
    return "; it is a text: leave out the quotation marks" if is_text else ""
