"""Overrides on the command line: a key that no configuration file has is refused, not ignored.

`python -m monai.bundle run --epoch 1` sets a new key that nothing reads and trains for 100 epochs.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Sequence
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle import run as bundle_run

SEPARATORS = ("#", "::")


def check_overrides(argv: Sequence[str] | None = None) -> None:
    """Refuse an override of a key that is not in the configuration files of this command line.

    Args:
        argv: the command line, `sys.argv` by default. Anything but `monai.bundle run` is left alone.

    Raises:
        SystemExit: with one line that names the key and the nearest one that exists, or the file that
            is missing where one that is laid over another stands alone.
    """
    argv = sys.argv if argv is None else argv
    if len(argv) < 2 or not argv[0].endswith("__main__.py") or argv[1] != "run":  # noqa: PLR2004
        return
    options = _options(argv[2:])
    own = set(inspect.signature(bundle_run).parameters)
    if "args_file" in options:
        options = ConfigParser.load_config_file(options["args_file"]) | options
    files = options.get("config_file")
    if not files:
        return
    config = _merged([files] if isinstance(files, str) else list(files))
    for key in options.keys() - own:
        _check_key(key, config)


def _options(arguments: Sequence[str]) -> dict[str, Any]:
    """What follows `--`, with the values that are Python literals read as such, as Fire does."""
    options: dict[str, Any] = {}
    for place, argument in enumerate(arguments):
        if not argument.startswith("--") or argument == "--":
            continue
        name, given, value = argument[2:].partition("=")
        if not given:
            following = arguments[place + 1 : place + 2]
            value = following[0] if following and not following[0].startswith("--") else "True"
        try:
            options[name.replace("-", "_")] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            options[name.replace("-", "_")] = value
    return options


def _merged(files: list[str]) -> dict[str, Any]:
    """The files laid over each other, as MONAI does, for the names of their keys."""
    merged: dict[str, Any] = {}
    for file in files:
        for key, value in ConfigParser.load_config_file(file).items():
            target = key.removeprefix("+")
            if target != key and target not in merged:
                raise SystemExit(
                    f"error: {file} is laid over a file that defines '{target}': "
                    f"--config_file \"['.../train.json','{file}']\""
                )
            merged[target] = merged[target] | value if target != key else value
    return merged


def _check_key(key: str, config: dict[str, Any]) -> None:
    """Nothing; SystemExit where `key` leads nowhere in `config`."""
    if key in config or (key.startswith("no") and key[2:] in config):  # Fire reads --noamp as amp=False
        return
    node: Any = config
    names = key.replace(*SEPARATORS).split(SEPARATORS[1])
    for name in names:
        if isinstance(node, dict):
            if name not in node and "_target_" not in node:
                near = _nearest(key, name, node)
                hint = f"; did you mean --{near}?" if near else ""
                raise SystemExit(f"error: unknown option --{key}: the configuration has no '{name}'{hint}")
            node = node.get(name)
        elif isinstance(node, list) and not (name.isdigit() and int(name) < len(node)):
            raise SystemExit(f"error: unknown option --{key}: '{name}' is not one of {len(node)} items")
        elif isinstance(node, list):
            node = node[int(name)]


def _nearest(key: str, name: str, node: dict[str, Any]) -> str | None:
    """`key` with its unknown part replaced by the most similar one; with dots, which MONAI does not read, replaced."""
    if "." in key and key.split(".", maxsplit=1)[0] in node:
        return key.replace(".", SEPARATORS[0])
    near = difflib.get_close_matches(name, [str(known) for known in node], n=1, cutoff=0.5)
    return key.replace(name, near[0]) if near else None
