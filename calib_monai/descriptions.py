"""Descriptions: networks and transforms as plain values, which JSON can hold and two runs can compare."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from inspect import signature
from types import FunctionType
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, Spacingd, Transform
from monai.transforms.traits import RandomizableTrait
from torch import Tensor, nn

from calib_monai.case_keys import IMAGE
from calib_monai.composed import flattened

GEOMETRY = ("monai.transforms.spatial.dictionary",)  # modules of what moves an image's voxels
INTENSITY = ("monai.transforms.intensity.dictionary", "calib_monai.transforms")  # and of what changes their values
OTHERS = "other_transforms"  # the changes by all others; an earlier version did not describe them
SAME = {"LoadCased", "LoadPicturesd", "LoadImaged", "EnsureChannelFirstd"}  # transforms that read an image
SAME |= {"EnsureTyped", "ToTensord", "ToDeviced", "CopyItemsd", "Reorientd"}  # or leave it, or have a setting of theirs
LAYERS, TORCH = "layers", "torch"  # of a network: what tells its layers from others, as that version prints them


def described_transforms(transforms: Compose) -> dict[str, Any]:
    """The changes that the transforms of an image make to its spacing, its geometry and its intensities, and others."""
    told = {
        "spacing": _spacing(transforms),
        "geometry": list(_arguments(one for one in flattened(transforms) if _is_of(one, GEOMETRY))),
        "intensity": list(_arguments(one for one in flattened(transforms) if _is_of(one, INTENSITY))),
        OTHERS: [[type(one).__name__, _kept_for_image(one)] for one in flattened(transforms) if _is_other(one)],
    }
    read: dict[str, Any] = json.loads(json.dumps(told))  # MONAI's choices are texts of classes of their own
    return read


def described_changes(transforms: Any) -> list[Any]:
    """The class of each of some transforms, and its arguments by name, those of transforms inside of it included.

    Args:
        transforms: as a `Compose` takes them.
    """
    return [_shown(one) for one in flattened(transforms)]


def described(network: nn.Module) -> dict[str, Any]:
    """The class of a network, those of its arguments that it has kept under their names, and what tells its layers."""
    kind = type(network)
    arguments = {name: getattr(network, name, None) for name in signature(kind.__init__).parameters}
    layers = sha256(_without_addresses(str(network)).encode()).hexdigest()[:16]
    return {
        "_target_": f"{kind.__module__}.{kind.__qualname__}",
        **{k: v for k, v in arguments.items() if _is_plain(v)},
        LAYERS: layers,
        TORCH: torch.__version__,
    }


def _spacing(transforms: Compose) -> list[float] | None:
    """The spacing in mm that images are resampled to, -1 for one that is kept; None where all are."""
    resampling = [one for one in flattened(transforms) if isinstance(one, Spacingd) and IMAGE in one.keys]
    return [float(size) for size in resampling[-1].spacing_transform.pixdim] if resampling else None


def _is_of(transform: Any, modules: Sequence[str]) -> bool:
    """Whether a transform is of one of these modules, changes the image, and resamples to no spacing."""
    return type(transform).__module__ in modules and IMAGE in transform.keys and not isinstance(transform, Spacingd)


def _is_other(transform: Any) -> bool:
    """Whether a transform changes the image in no random way, and is of none of the other descriptions."""
    told = type(transform).__name__ in SAME or isinstance(transform, Spacingd | RandomizableTrait)
    return not told and IMAGE in getattr(transform, "keys", ()) and not _is_of(transform, (*GEOMETRY, *INTENSITY))


def _arguments(transforms: Iterable[Any]) -> Iterator[list[Any]]:
    """The names of transforms, with the arguments that they have kept."""
    for one in transforms:
        parts = [one, *(part for part in vars(one).values() if isinstance(part, Transform))]
        kept = {name: value for part in parts for name, value in vars(part).items()}
        asked = signature(type(one).__init__).parameters.keys() - {"keys", "allow_missing_keys"}
        yield [type(one).__name__, {name: _json_value(kept[name]) for name in sorted(asked & kept.keys())}]


def _kept_for_image(transform: Any) -> dict[str, Any]:
    """The arguments that a transform has kept; of those with a value for each key, the value for the image.

    A lambda is told by its code. Another version of Python has other code, so the name says the version.
    """
    own, place = vars(transform), transform.keys.index(IMAGE)
    each = {name: kept for name, kept in own.items() if isinstance(kept, tuple) and len(kept) == len(transform.keys)}
    kept = {name: value for part in own.values() if isinstance(part, Transform) for name, value in vars(part).items()}
    kept |= own | {name: values[place] for name, values in each.items()}
    asked = signature(type(transform).__init__).parameters.keys() - {"keys", "allow_missing_keys"}
    told: dict[str, Any] = {}
    for name in sorted(asked & kept.keys()):
        told[name] = _json_value(kept[name])
        if isinstance(kept[name], FunctionType) and kept[name].__name__ == "<lambda>":
            code = kept[name].__code__
            said = _without_addresses(str((code.co_code.hex(), code.co_consts, code.co_names)))
            version = "{}.{}".format(*sys.version_info)
            told[f"{name}, its code in Python {version},"] = sha256(said.encode()).hexdigest()[:16]
    return told


def _shown(value: Any) -> Any:
    """A transform as its class and the arguments that it, or one inside of it, has kept; another value as in JSON."""
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    if not isinstance(value, Transform):
        return _json_value(value)
    kept: dict[str, Any] = {}
    for part in _nested(value):
        asked = signature(type(part).__init__).parameters.keys()
        kept = {name: _shown(held) for name, held in vars(part).items() if name in asked} | kept  # the outermost wins
    return [type(value).__name__, dict(sorted(kept.items()))]


def _nested(transform: Transform) -> Iterator[Transform]:
    """A transform, and those that it keeps as attributes."""
    yield transform
    for part in vars(transform).values():
        if isinstance(part, Transform):
            yield from _nested(part)


def _is_plain(value: Any) -> bool:
    """Whether a value can be told in JSON and says something."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def _json_value(value: Any) -> Any:
    """A value as JSON has it: an array as a list, and what JSON does not know by its text, without its address."""
    if isinstance(value, Tensor | np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_json_value(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _without_addresses(repr(value))


def _without_addresses(text: str) -> str:
    """Python's text of objects without their addresses in memory."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)
