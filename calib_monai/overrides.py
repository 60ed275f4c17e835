"""Overrides on the command line or from Python: refuses a key that no configuration file has.

Without this check, `python -m monai.bundle run --epoch 1` sets a new key that nothing reads, and trains for 100 epochs.
"""

from __future__ import annotations

import inspect
import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle import run as bundle_run

from calib_monai.former_networks import CHOICE
from calib_monai.former_options import check_composed, check_former
from calib_monai.option_values import check_device, check_option, check_references, check_settings, unused_keys
from calib_monai.overlays import check_overlays
from calib_monai.path_options import PATHS, check_path_option
from calib_monai.refusals import end_with, is_first, tell_in_one_line
from calib_monai.running import OF_TRACKING, Given, given_in_python
from calib_monai.spelling import nearest
from calib_monai.targets import TARGET, arguments_of, check_needed, check_targets, located

PROGRAM_FILE = ("monai", "bundle", "__main__.py")  # what Python runs for `python -m monai.bundle`
PROGRAM = ("imports", "keys", "network", "initialize", "run", "finalize")  # of a configuration, and no settings
OF_WORKFLOW = {*inspect.signature(bundle_run).parameters, *inspect.signature(ConfigWorkflow).parameters}
COLLECTION = "calib_monai.handlers.MetricCollectionHandler"  # whose metrics have options by their names
PARTS = ("network_def", "loss", "optimizer", "lr_scheduler", "random_views", "datalist", "fitting#ts", "fitting#lts")

logger = logging.getLogger(__name__)


def check_overrides(argv: Sequence[str] | None = None) -> None:
    """Raise ValueError if an option has a key that is not in the configuration files of this run.

    The options are those of the command line, or the arguments that Python gives to a workflow. A key that only
    `train.json` has is ignored with a warning in the other configurations, so that one list of options serves all.
    `--help` lists the keys.

    Args:
        argv: the command line, `sys.argv` by default.

    Raises:
        ValueError: an unknown key (the message names the nearest known key), a value that its key cannot have, or a
            file that needs another file before it.

    Note:
        On the command line, `calib_monai.refusals` prints errors that nobody caught from here on.
    """
    program, *arguments = sys.argv if argv is None else argv
    if Path(program).parts[-3:] == PROGRAM_FILE and arguments[:1] == ["run"]:
        _check_command_line(arguments[1:])
    elif argv is None and (given := given_in_python()):
        _check_python(given)


def _check_command_line(arguments: Sequence[str]) -> None:
    """Raise ValueError if `python -m monai.bundle run` has a wrong option."""
    tell_in_one_line()
    texts = _texts(arguments)
    options: dict[str, Any] = {name: DefaultParseValue(text) for name, text in texts.items()}
    if "args_file" in options:
        options = ConfigParser.load_config_file(options["args_file"]) | options
    if not options.get("config_file"):
        return
    files = [options["config_file"]] if isinstance(options["config_file"], str) else list(options["config_file"])
    if "help" in options:
        end_with(_help(ConfigParser.load_config_files(files)))
    asked = _with_options(files, options, texts)
    check_device(asked)
    tell_in_one_line(asked)


def _check_python(given: Given) -> None:
    """Raise ValueError if Python gave a workflow a wrong option."""
    if given.files:
        _with_options(given.files, given.options, {})
        return
    config = given.config.get()
    check_former(CHOICE, config.get(CHOICE), config, f"{CHOICE} {config.get(CHOICE)}")
    for key in config.keys() - (given.known or config.keys()):
        _check_key(key, config[key], dict.fromkeys(given.known or (), ""))
    check_settings(config)
    check_references(given.config)
    if not str(config.get("device", "$")).startswith(("$", "@", "{")):
        check_device(ConfigParser({"device": config["device"]}))


def _with_options(files: list[str], options: Mapping[str, Any], texts: Mapping[str, str]) -> ConfigParser:
    """The configuration with its options.

    Args:
        files: the configuration files.
        options: the options by name, and among them the arguments of MONAI's workflow.
        texts: the options as they were written on the command line.

    Raises:
        ValueError: an option is wrong.
    """
    level = logging.WARNING if is_first() else logging.DEBUG
    check_overlays(files, options)
    _check_bundle(Path(files[0]), Path(str(options.get("bundle_root", "."))))
    config = ConfigParser(ConfigParser.load_config_files(files))
    check_composed(files, config.get())
    _check_names(Path(files[0]), options, config)
    train = Path(files[0]).parent / "train.json"
    known_to_train = ConfigParser.load_config_file(train) if train.is_file() else {}
    given = options.keys() - OF_WORKFLOW | ({"bundle_root"} & options.keys())
    given -= OF_TRACKING - config.get().keys() if "tracking" in options else set()
    of_train = {key for key in given if key not in config and key in known_to_train}
    for key in of_train:
        logger.log(level, "--%s is an option of train.json and changes nothing here", key)
    asked = ConfigParser(deepcopy(config.get()))
    for key in _in_order([key for key in options if key in given - of_train]):
        check_former(key, options[key], config.get(), f"--{key} {options[key]}")
        if key in PATHS:
            check_path_option(key, options[key], config.get(), texts.get(key))
        _check_key(key, options[key], asked.get())
        check_option(key, options[key], config)
        asked[key] = options[key]
    _check_fitted([key for key in options if key in given], asked.get("calibrator"))
    check_settings(asked.get())
    check_targets(asked.get())
    check_needed(asked.get())
    check_references(asked)
    for key in unused_keys(config.get()):
        logger.log(level, "nothing refers to '%s' in %s: it changes nothing", key, " and ".join(files))
    return asked


def _check_fitted(keys: Iterable[str], calibrator: Any) -> None:
    """Raise ValueError if an option is of another calibrator than the one that is fitted: it would change nothing."""
    if str(calibrator).startswith(("$", "@", "%")):  # it is not known yet
        return
    for key in keys:
        part, kind, *_ = *key.replace("::", "#").split("#"), ""
        if part == "fitting" and kind and kind != calibrator:
            raise ValueError(
                f"--{key} changes how {kind} is fitted, and calibrator is {calibrator}: give --calibrator {kind}, or "
                f"leave out --{key}"
            )


def _texts(arguments: Sequence[str]) -> dict[str, str]:
    """Name and value of each option, as they were written; raise ValueError if one is given twice."""
    options: dict[str, str] = {}
    for place, argument in enumerate(arguments):
        if not re.match(r"--?[A-Za-z_+]", argument):
            continue
        name, given, value = argument.lstrip("-").partition("=")
        if not given:
            following = arguments[place + 1 : place + 2]
            value = following[0] if following and not following[0].startswith("--") else "True"
        name = name.replace("-", "_")
        if name in options:
            raise ValueError(f"--{name} is given twice, as {options[name]} and as {value}: give it once")
        options[name] = value
    return options


def _in_order(keys: Sequence[str]) -> list[str]:
    """The options in the order in which they build on one another: outer keys before inner keys, and a target first.

    Raises:
        ValueError: MONAI would replace a part after an option inside of it, which would be lost.
    """
    names = [key.replace("::", "#") for key in keys]
    for place, name in enumerate(names):
        if lost := next((one for one in names[:place] if one.startswith(f"{name}#")), ""):
            raise ValueError(f"--{name} replaces what --{lost} changes: give --{name} first")
    return sorted(keys, key=lambda key: (key.replace("::", "#").count("#"), not key.endswith(TARGET)))


def _help(config: Mapping[str, Any]) -> str:
    """The keys with a single value, and these values, a line for each key."""
    plain = {key: value for key, value in config.items() if not isinstance(value, dict) and key not in PROGRAM}
    listed = "".join(f"  --{key} {json.dumps(value)}\n" for key, value in plain.items())
    return (
        f"Options, and what they are without being given:\n{listed}Keys inside of others: --loss#penalty_weight 0.2\n"
    )


def _check_bundle(file: Path, bundle_root: Path) -> None:
    """Raise ValueError if a bundle's configuration would write into another bundle."""
    own_root = file.resolve().parent.parent
    roots = own_root, bundle_root.resolve()
    if roots[0] != roots[1] and all((root / "configs" / "metadata.json").is_file() for root in roots):
        raise ValueError(f"{file} is of the bundle {own_root.name} and --bundle_root is {bundle_root}: give one")


def _check_names(file: Path, options: Mapping[str, Any], config: ConfigParser) -> None:
    """Raise ValueError if an option gives results the name of another bundle: it does not change what is run."""
    names = {name: str(options.get(name, config.get(name))) for name in ("dataset", "method")}
    bundle = file.resolve().parent.parent
    other = bundle.parent / "_".join(names.values())
    if names.keys() & options.keys() and other != bundle and (other / "configs").is_dir():
        given = " ".join(f"--{name} {options[name]}" for name in names if name in options)
        raise ValueError(f"{given} would only name the results of {bundle.name}: run {other.name}")


def _check_key(key: str, value: Any, config: dict[str, Any]) -> None:
    """Raise ValueError if `key` leads nowhere in `config`. A component may be added to others by a new name."""
    if key in config or (key.startswith("no") and key[2:] in config):  # Fire reads --noamp as amp=False
        return
    node: Any = config
    by_name = False  # whether the names in a dictionary are free, and its owner checks them
    *_, last = names = key.replace("#", "::").split("::")
    for name in names:
        if by_name and (name is not last or name in node or isinstance(value, dict)):
            return
        if isinstance(node, dict):
            known = _names_in(node)
            by_name = str(node.get("_target_", "")) == COLLECTION and name == "metrics"
            if known is not None and name not in known:
                if name is last and _is_component(value) and all(map(_is_component, node.values())):
                    return
                hint = _hint(key, name, known, _inside(config) if node is config else {})
                raise ValueError(f"unknown option --{key}: there is no '{name}'{hint}")
            node = node.get(name)
        elif isinstance(node, list):
            if not (name.isdigit() and int(name) < len(node)):
                raise ValueError(f"unknown option --{key}: '{name}' is not one of {len(node)} items")
            node = node[int(name)]


def _is_component(value: Any) -> bool:
    """Whether a value of a configuration says which class to build, or which function to call."""
    return isinstance(value, dict) and "_target_" in value


def _names_in(node: dict[str, Any]) -> set[str] | None:
    """The keys that a dictionary may have: its own, and the arguments of a component; None if any key is possible."""
    names = set(node)
    if "_target_" not in node:
        return names
    arguments = arguments_of(located(str(node["_target_"])))
    return None if arguments is None else names | arguments | {"_target_", "_disabled_", "_mode_", "_requires_"}


def _inside(config: dict[str, Any]) -> dict[str, str]:
    """The options inside the parts that people change most, by the last word of their names."""
    options: dict[str, str] = {}
    for part in PARTS:
        node: Any = config
        for name in part.split("#"):
            node = node.get(name, {}) if isinstance(node, dict) else {}
        names = (_names_in(node) or set(node)) if isinstance(node, dict) else set()
        options |= {name: f"{part}#{name}" for name in names if not name.startswith("_")} | options
    return options


def _hint(key: str, name: str, known: Iterable[str], inside: Mapping[str, str]) -> str:
    """A suggestion: a similar name, a name inside a part, or "#" for the dots that MONAI does not read."""
    if "." not in key and name in inside:
        return f"; did you mean --{key.replace(name, inside[name])}?"
    if "." in key and key.split(".", maxsplit=1)[0] in known:
        return f"; did you mean --{key.replace('.', '#')}?"
    near = nearest(name, [*known, *inside])
    near = near if near in known else inside.get(near, near)
    return f"; did you mean --{key.replace(name, near)}?" if near else ""
