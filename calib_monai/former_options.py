"""Former options: the form that an earlier version had is refused with what to write now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib_monai.former_networks import CATALOGUE, CHOICE, CHOSEN, FACTORY, former_network
from calib_monai.networks import FACTORIES
from calib_monai.spelling import did_you_mean, nearest
from calib_monai.targets import TARGET, check_targets, located, own_targets

HANDLERS = "calib_monai.handlers."


def check_composed(files: Sequence[str], config: Mapping[str, Any]) -> None:
    """Raise ValueError if an earlier version composed the files, with components that are other or gone now.

    Args:
        files: the configuration files.
        config: what they say together.
    """
    if CATALOGUE not in config and all(map(located, own_targets(config))):
        return
    try:
        check_targets(config)
    except ValueError as error:
        again = "compose it again with scripts/compose_bundles.py, and its trainings resume"
        raise ValueError(f"{files[0]}: {error}; if an earlier version composed this bundle, {again}") from None


def check_former(name: str, value: Any, config: Mapping[str, Any], said: str) -> None:
    """Raise ValueError if an option chooses a network as in an earlier version, or by less than its full name.

    A configuration with a key `networks` of its own takes its own form. A bundle of that version is refused as a
    whole, by `check_composed`.

    Args:
        name: of the option.
        value: of the option.
        config: the configuration.
        said: the option as a message tells it, such as "--epochs 3".
    """
    _check_of_metric(name, config, said)
    if name == "noise_std" and "shift" in config:
        raise ValueError(f"{said}: there is no noise_std; write --shift noise_{value}")
    if CATALOGUE in config:
        return
    name, text = name.replace("::", "#"), str(value)
    if name == CATALOGUE:
        raise ValueError(f"{said}: there is no key networks; write the component as --{CHOICE} VALUE")
    if name == CHOICE and (network := former_network(text)):
        raise ValueError(f"{said}: there is no key networks; write --{CHOSEN} {_factory(network, said)}")
    if name == CHOICE and text.removeprefix("@").removeprefix(FACTORY) in FACTORIES:
        raise ValueError(f"{said}: write --{CHOSEN} {FACTORY}{text.removeprefix('@').removeprefix(FACTORY)}")
    if name == CHOSEN and text.isidentifier() and located(text) is None and (near := nearest(text.lower(), FACTORIES)):
        raise ValueError(f"{said}: it must be the whole name; did you mean {FACTORY}{near}?")


def _check_of_metric(name: str, config: Mapping[str, Any], said: str) -> None:
    """Raise ValueError if an option sets a metric inside of a handler of ours, which has these options itself now."""
    handler, inside, option = name.replace("::", "#").partition("#metric_fn#")
    node: Any = config
    for part in handler.split("#"):
        node = node.get(part) if isinstance(node, Mapping) else None
    if (
        inside
        and isinstance(node, Mapping)
        and str(node.get(TARGET, "")).startswith(HANDLERS)
        and "metric_fn" not in node
    ):
        raise ValueError(f"{said}: there is no metric_fn; write --{handler}#{option} VALUE")


def _factory(network: str, said: str) -> str:
    """The full name of a factory; raise ValueError if there is none."""
    if network not in FACTORIES:
        near = did_you_mean(network, FACTORIES)
        raise ValueError(f"{said}: there is no network {network}; there are {', '.join(FACTORIES)}{near}")
    return f"{FACTORY}{network}"
