"""The settings with which metrics and transforms were constructed. Results depend on them and note them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any

import numpy as np
from monai.transforms import Transform
from torch import Tensor

from calib_monai.composed import flattened
from calib_monai.handlers.shapes import SegmentationHandler
from calib_monai.regions import Region


def settings_of(made: Any) -> dict[str, Any]:
    """The arguments of an object's constructor, by name, if the object keeps them under the same name.

    A region becomes its name and its own arguments. MONAI's transforms of dictionaries hold a transform of arrays that
    keeps some of the arguments; they are found there. None, and values that JSON does not know, are left out.
    """
    kept = dict(getattr(made, "__dict__", {}))
    inner = [part for part in kept.values() if isinstance(made, Transform) and isinstance(part, Transform)]
    kept = {name: value for part in inner for name, value in vars(part).items()} | kept
    names = {name for kind in type(made).__mro__ for name in _parameters(kind)}
    settings: dict[str, Any] = {}
    for name, value in kept.items():
        if name in names:
            settings |= {name: value.name, **asdict(value)} if isinstance(value, Region) else {name: _json_value(value)}
    return {name: value for name, value in settings.items() if value is not None}


def settings_of_metrics(metrics: Iterable[Mapping[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """The settings of each metric, by name; a handler of MONAI has those of its metric, and ours the given `unions`."""
    return {
        name: settings_of(getattr(handler, "metric_fn", handler))
        | ({"unions": dict(handler.unions)} if isinstance(handler, SegmentationHandler) and handler.unions else {})
        for of_run in metrics
        for name, handler in (of_run or {}).items()
    }


def steps_of(transform: Any) -> list[dict[str, Any]]:
    """The steps of a transform. Each has the name of its class, as "transform", and its settings."""
    return [{"transform": type(step).__name__, **settings_of(step)} for step in flattened(transform)]


def _parameters(kind: type) -> Iterable[str]:
    """The names of the parameters of a class's own constructor."""
    return inspect.signature(kind.__init__).parameters if "__init__" in vars(kind) else ()  # type: ignore[misc] # of itself


def _json_value(value: Any) -> Any:
    """The value as JSON knows it, None where it does not."""
    if isinstance(value, Enum):
        return _json_value(value.value)
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_json_value(part) for part in value]
    return value if isinstance(value, bool | int | float | str) else None
