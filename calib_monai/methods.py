"""Methods: the name of a training whose loss differs from its bundle's."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

from monai.bundle import ConfigParser
from torch import Tensor, nn

from calib_monai.made_for import read_model_json

BUNDLE_METHOD, METHOD, LOSS = "bundle_method", "method", "loss"  # keys of a model.json
CLASS_WEIGHT = "class_weight"  # what MONAI's losses keep of their argument `weight`
MOST_CLASSES = 1000


def with_method(content: Mapping[str, Any], method: str, loss: nn.Module, config: str) -> dict[str, Any]:
    """The content of a `model.json` with the method of the bundle, the method of this training, and its loss.

    If the loss is that of the configuration's file, the method is the bundle's. If only arguments differ they are
    added, as in "nacl, penalty_weight 0.5". Another loss gives its class as the name.

    Args:
        content: the other content of `model.json`.
        method: the method of the bundle.
        loss: the loss of the training.
        config: file of the bundle's configuration, without options.
    """
    here, there = described_loss(loss), described_loss(_loss_of(config))
    told = method
    if here[LOSS] != there[LOSS]:
        told = str(here[LOSS])
    elif here != there:
        differing = [f"{name} {value}" for name, value in here.items() if there.get(name) != value]
        told = ", ".join([method, *differing])
    return {**content, BUNDLE_METHOD: method, METHOD: told, LOSS: here}


def method_of_model(ckpt_dir: str, method: str) -> str:
    """The name of the training of a model: from its `model.json`, else the method of this run.

    An option may set another method than the bundle's; then the option is used.

    Args:
        ckpt_dir: folder of the model.
        method: the method in the configuration of this run.
    """
    known = read_model_json(ckpt_dir) or {}
    return str(known[METHOD]) if METHOD in known and known.get(BUNDLE_METHOD) == method else method


def described_loss(loss: nn.Module | None) -> dict[str, Any]:
    """The class of a loss, and its arguments and those of the losses in it, by name."""
    told: dict[str, Any] = {LOSS: type(loss).__name__}
    for place, part in loss.named_modules() if loss is not None else ():
        for name in [*signature(type(part).__init__).parameters, CLASS_WEIGHT]:
            value = getattr(part, name, None)
            if _is_argument(value):
                told["#".join(filter(None, (place, name)))] = value.tolist() if isinstance(value, Tensor) else value
    return told


def _is_argument(value: Any) -> bool:
    """Whether a value is plain, or holds nothing but plain values, no more than there may be classes."""
    if isinstance(value, Tensor):
        return value.numel() <= MOST_CLASSES
    if isinstance(value, Mapping):
        return all(map(_is_argument, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_argument, value))
    return isinstance(value, bool | int | float | str)


def _loss_of(config: str) -> nn.Module | None:
    """The loss of a configuration's file; None where it has none that can be made."""
    try:
        loss = ConfigParser(ConfigParser.load_config_file(config)).get_parsed_content(LOSS)
    except Exception:  # noqa: BLE001 - an option may be there because of what is wrong in the file
        return None
    return loss if isinstance(loss, nn.Module) else None
