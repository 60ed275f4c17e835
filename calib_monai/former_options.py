"""Former options: the form that an earlier version had is refused with what to write now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from calib_monai.networks import FACTORIES
from calib_monai.spelling import did_you_mean, nearest
from calib_monai.targets import located

CATALOGUE = "networks"  # key of the bundles before `network_def` named a factory
CHOICE = "network_def"
CHOSEN = f"{CHOICE}#_target_"
FACTORY = "calib_monai.networks."


def check_former(name: str, value: Any, config: Mapping[str, Any], said: str) -> None:
    """Raise ValueError if an option chooses a network as in an earlier version, or by less than its full name.

    A bundle of that version, and a configuration with a key `networks` of its own, still take their own form.

    Args:
        name: of the option.
        value: of the option.
        config: the configuration.
        said: the option as a message tells it, such as "--epochs 3".
    """
    name = name.removeprefix("+").replace("::", "#")
    if CATALOGUE in config:
        return
    key, *rest = name.split("#", 2)
    if key == CATALOGUE:
        raise ValueError(f"{said}: there is no key networks; write {_option_now(rest, said)}")
    text = str(value)
    if name == CHOICE and (named := re.fullmatch(rf"[@%]?{CATALOGUE}(?:::|#)(.+)", text)):
        raise ValueError(f"{said}: there is no key networks; write --{CHOSEN} {_factory(named[1], said)}")
    if name == CHOICE and text.removeprefix("@").removeprefix(FACTORY) in FACTORIES:
        raise ValueError(f"{said}: write --{CHOSEN} {FACTORY}{text.removeprefix('@').removeprefix(FACTORY)}")
    if name == CHOSEN and text.isidentifier() and located(text) is None and (near := nearest(text.lower(), FACTORIES)):
        raise ValueError(f"{said}: it must be the whole name; did you mean {FACTORY}{near}?")


def _option_now(rest: list[str], said: str) -> str:
    """What to write for `networks`, or for what follows it: the name of a network, and its option."""
    if not rest or (len(rest) == 1 and rest[0] not in FACTORIES):
        return f"the component as --{CHOICE} \"{{'_target_': NAME, ...}}\""
    factory = _factory(rest[0], said)
    chosen = "" if rest[0] == "unet" else f"--{CHOSEN} {factory} and "
    return f"{chosen}--{CHOICE}#{rest[1] if len(rest) > 1 else 'OPTION'} VALUE"


def _factory(network: str, said: str) -> str:
    """The full name of a factory; raise ValueError if there is none."""
    if network not in FACTORIES:
        near = did_you_mean(network, FACTORIES)
        raise ValueError(f"{said}: there is no network {network}; there are {', '.join(FACTORIES)}{near}")
    return f"{FACTORY}{network}"
