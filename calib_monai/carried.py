"""The copy of this package in the folder of an exported bundle: told if another version runs the bundle instead."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from calib_monai import __version__

logger = logging.getLogger(__name__)


def tell_other_version(bundle_root: str) -> None:
    """Warn if a bundle carries another version of this package than the one that runs it.

    A bundle's own copy comes first where Python looks. Another copy runs the bundle only if this Python has imported it
    before.
    """
    metadata = Path(bundle_root) / "configs" / "metadata.json"
    if not metadata.is_file():
        return
    carried = json.loads(metadata.read_text(encoding="utf-8")).get("calib_monai_version", __version__)
    if carried != __version__:
        logger.warning(
            "%s carries calib_monai %s, but %s in %s was imported before and runs it; a new Python runs its own",
            Path(bundle_root).resolve(),
            carried,
            __version__,
            Path(__file__).resolve().parent,
        )
