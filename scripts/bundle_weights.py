"""Weights of a bundle: checks that they fit its network, and finds the network that they fit."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import torch
from monai.bundle import ConfigParser
from zoo_rules import VOLUMES

from calib_monai.checks import check_network
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.networks import FACTORIES, OF_VOLUMES
from calib_monai.targets import TARGET
from calib_monai.weights import axes_of, differing_weights, spoiled_weights

Weights = dict[str, torch.Tensor]


def are_of_volumes(content: bytes) -> bool:
    """Whether a file holds weights of a network for volumes."""
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return axes_of(weights) == SPATIAL_DIMS
    except Exception:  # noqa: BLE001 - each broken file has an error of its own, which `objection` tells
        return False


def objection(content: bytes, inference: dict[str, Any], formats: dict[str, Any]) -> tuple[str, str] | None:
    """The fault of a file of weights and the rule, None if the weights fit the bundle's network.

    Args:
        content: of the file.
        inference: configs/inference.json, whose `network_def` is the network.
        formats: `network_data_format` of configs/metadata.json.

    Raises:
        ValueError: the network does not take or give what `formats` says.
    """
    try:
        weights = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - each broken file has an error of its own
        return f"it cannot be read, {_beginning(error)}", "a state dict of weights"
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        held = ", ".join(map(str, weights)) if isinstance(weights, dict) else type(weights).__name__
        return f"it holds {held}", "a state dict of weights and nothing else"
    defined = inference["network_def"]
    named = defined.get(TARGET) if isinstance(defined, dict) else defined
    wanted = f"the weights of network_def in configs/inference.json, {named}"
    try:
        network = _network(inference)
        differing = differing_weights(weights, network.state_dict())
        if axes_of(weights) == SPATIAL_DIMS != axes_of(network.state_dict()):
            return "it is of a network for volumes", f"{wanted}, and the bundle has no {VOLUMES}"
        if differing:
            fitting = _fitting(weights, inference)
            hint = f"; these fit {fitting}: write that there and in configs/train.json" if fitting else ""
            return f"of its weights {differing}", wanted + hint
        if spoiled := spoiled_weights(weights, network.state_dict()):
            raise ValueError(f"of its weights {spoiled}")  # noqa: TRY301 - told as what torch does not take
        network.load_state_dict(weights)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and still what the zoo exports
            torch.jit.script(network)
    except Exception as error:  # noqa: BLE001 - each network has errors of its own
        return _beginning(error), f"{wanted}, and TorchScript"
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    cpu = torch.device("cpu")
    check_network(network, image["num_channels"], pred["num_channels"], image["spatial_shape"], cpu)
    return None


def weights_by_network(inference: dict[str, Any]) -> dict[str, int]:
    """The number of weights of each network for volumes that inference.json can have, with the options it has there."""
    networks = _networks(inference, OF_VOLUMES)
    return {name: sum(weights.numel() for weights in network.parameters()) for name, network in networks}


def _networks(inference: dict[str, Any], names: Iterable[str]) -> Iterator[tuple[str, torch.nn.Module]]:
    """The networks of these factories that take the options of inference.json, with their names, on the meta device."""
    for name in names if isinstance(inference["network_def"], dict) else ():
        try:
            with torch.device("meta"):  # where weights take neither time nor memory
                network = _network(inference, f"calib_monai.networks.{name}")
        except RuntimeError:  # a network does not have the options of another
            continue
        yield name, network


def _network(inference: dict[str, Any], factory: str = "") -> torch.nn.Module:
    """The network of inference.json, which the parser would change, or the one that another factory makes there."""
    parser = ConfigParser(deepcopy(inference))
    if factory:
        parser[f"network_def#{TARGET}"] = factory
    network: torch.nn.Module = parser.get_parsed_content("network_def")
    return network


def _fitting(weights: Weights, inference: dict[str, Any]) -> str:
    """The factory of a network with weights of these names and sizes, empty if there is none."""
    for name, network in _networks(inference, FACTORIES):
        if not differing_weights(weights, network.state_dict()):
            return f"calib_monai.networks.{name}"
    return ""


def _beginning(error: Exception) -> str:
    """The first two lines of an error, in one: torch's first says only that there are errors."""
    lines = [line.strip() for line in str(error).strip().splitlines()[:2]]
    return " ".join(lines) or type(error).__name__
