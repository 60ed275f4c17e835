"""Networks as earlier versions chose them, by a reference: `--network_def @networks::unet`."""

from __future__ import annotations

import re

CATALOGUE = "networks"  # key of the bundles before `network_def` named a factory
CHOICE = "network_def"
CHOSEN = f"{CHOICE}#_target_"
FACTORY = "calib_monai.networks."


def former_network(value: str) -> str:
    """The name in a reference to a network, empty if the value is none.

    Examples:
        >>> former_network("@networks::unet")
        'unet'
        >>> former_network("calib_monai.networks.unet")
        ''
    """
    named = re.fullmatch(rf"[@%]?{CATALOGUE}(?:::|#)(.+)", value)
    return named[1] if named else ""
