"""Composed transforms, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.transforms import Compose
from monai.transforms.traits import RandomizableTrait


def flattened(transform: Callable[..., Any] | None) -> list[Any]:
    """The transforms of a Compose, those of inner ones in their places; a single transform alone, and none of None."""
    return list(Compose(transform).flatten().transforms)  # type: ignore[no-untyped-call]


def random_in(transform: Callable[..., Any] | None) -> list[str]:
    """The names of the random transforms of a Compose, in order."""
    return [type(one).__name__ for one in flattened(transform) if isinstance(one, RandomizableTrait)]
