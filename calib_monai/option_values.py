"""Values of options: refuses values of a wrong kind before they are used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigComponent, ConfigParser, ReferenceResolver

from calib_monai.arguments import (
    check_above_zero,
    check_class_names,
    check_ignored_label,
    check_share,
    check_switch,
    check_whole,
    is_number,
    is_switch,
)
from calib_monai.checks import check_keys, check_outputs, check_patch_size, check_schedule, check_slice_size, first_line
from calib_monai.conformal import conformal_levels
from calib_monai.datalists.elsewhere import OtherData, check_part
from calib_monai.datalists.given_splits import read_lists
from calib_monai.ensembles import check_ckpt_dirs
from calib_monai.former_networks import FACTORY
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.measures import check_measures
from calib_monai.networks import FACTORIES, OF_VOLUMES
from calib_monai.orientation import check_axcodes
from calib_monai.path_options import OF_MONAI, PATHS
from calib_monai.shifts import check_shift
from calib_monai.spelling import did_you_mean, nearest
from calib_monai.targets import TARGET, nodes

JSON_WORDS = {"true": "True", "false": "False", "null": "None"}
WHOLE = {
    **dict.fromkeys(("epochs", "val_interval", "batch_size", "sw_batch_size", "in_channels"), (1, inf)),
    "patches_per_volume": (1, inf),
    "num_classes": (2, inf),
    "num_views": (2, inf),
    "num_workers": (0, inf),
    "spatial_dims": (2, SPATIAL_DIMS),
    "fold": (0, inf),
    "split_seed": (0, inf),
    "seed": (0, 2**32 - 1),  # of NumPy
}  # options that are whole numbers, with their least and their largest value
ABOVE_ZERO = ("learning_rate",)
SWITCHES = ("augment", "resume", "overwrite", "amp", "figures")
ENTRIES = {"initialize", "run", "finalize", "imports", "dataset", "method", "num_slices", "sw_batch_size"}
ENTRIES |= {"calibrated_network", "keys"}  # keys that no other one of a bundle need refer to
OF_TRAINING = {"batch_size", "learning_rate", "training_box"}  # in volumes.json, also laid over an inference
CHECKS: tuple[tuple[Callable[..., object], tuple[str, ...]], ...] = (
    (check_axcodes, ("axcodes",)),
    (check_ckpt_dirs, ("ckpt_dirs",)),
    (conformal_levels, ("conformal",)),
    (check_measures, ("measures",)),
    (check_part, ("part", "calibrator")),
    (check_shift, ("shift",)),
    (check_slice_size, ("slice_size", "spatial_dims")),
    (check_patch_size, ("patch_size",)),
    (check_keys, ("keys",)),
    (check_schedule, ("epochs", "val_interval")),
    (check_outputs, ("outputs", "probs_dtype", "num_views")),
)  # of settings at the top of a configuration
NO_VALUE = (None, "$None")


def check_option(name: str, value: Any, config: ConfigParser) -> None:
    """Raise ValueError if an option is of another kind than the value that it replaces, or refers to nothing.

    Args:
        name: of the option, with the `#` or `::` of those inside of others.
        value: as Fire reads it.
        config: the configuration, without options.
    """
    place = name.replace("::", "#").split("#")
    if isinstance(value, list | tuple) and place[-2:] == ["dataset", "data"]:
        return
    rule = _rule(value, config.get(name), config)
    if rule and place == ["cases"] and isinstance(value, list | tuple):
        rule = "a list of cases is given as dataset#data; in a training as train#dataset#data and validate#dataset#data"
    if rule:
        raise ValueError(f"--{name} {value}: {rule}")


def check_settings(config: Mapping[str, Any]) -> None:
    """Raise ValueError if a value at the top of a configuration, with its options, is none that it may have.

    What is given by an expression, a reference or a component is not known yet, and passes.
    """
    _check_texts(config)
    known = {name: value for name, value in config.items() if not _is_made_later(value)}
    for name, value in known.items():
        _check_setting(name, value)
    _check_network_of_volumes(config)
    for check, names in CHECKS:
        if known.keys() >= set(names):
            check(*(known[name] for name in names))
    if known.get("split"):
        read_lists(Path(str(known["split"])))
    class_names, count = known.get("class_names"), known.get("num_classes")
    if known.get("test_dir") and isinstance(class_names, list):
        OtherData(str(known["test_dir"]), known.get("part", "test")).described(class_names)
    if isinstance(count, int) and known.get("ignore_index") is not None:
        check_ignored_label(known["ignore_index"], count)
    if class_names is not None:
        _check_class_names(class_names, count)
    made_for, in_channels = config.get("made_for"), known.get("in_channels")
    channels = made_for.get("channels") if isinstance(made_for, Mapping) else None
    if isinstance(channels, list) and isinstance(in_channels, int) and in_channels != len(channels):
        named = ", ".join(map(str, channels))
        raise ValueError(
            f"in_channels is {in_channels}, and the images of this bundle have {len(channels)}: {named}; "
            "leave out --in_channels, or change made_for#channels, too"
        )


def _check_network_of_volumes(config: Mapping[str, Any]) -> None:
    """Raise ValueError if volumes have an option of slices, or a network that takes slices alone."""
    is_volume = "patch_size" in config
    if is_volume != (config.get("spatial_dims", 2) == SPATIAL_DIMS):
        mend = "leave out --spatial_dims" + ("" if is_volume else ", and give configs/volumes.json as the last file")
        raise ValueError(f"spatial_dims is {config.get('spatial_dims')}, which the files of a run decide: {mend}")
    if is_volume and config.get("pixdim", "@spacing") != "@spacing":
        raise ValueError(f"pixdim is {config['pixdim']}: volumes are resampled to their spacing, give --spacing alone")
    if is_volume and config.get("slice_size", "@patch_size") != "@patch_size":
        raise ValueError(f"slice_size is {config['slice_size']}: volumes have patches, give --patch_size alone")
    if is_volume and config.get("num_slices", -1) != -1:
        raise ValueError(f"num_slices is {config['num_slices']}: patches are taken from all slices, leave it out")
    network = config.get("network_def")
    target = str(network.get(TARGET, "")) if isinstance(network, Mapping) and is_volume else ""
    name = target.removeprefix(FACTORY)
    if name != target and name in FACTORIES and name not in OF_VOLUMES:
        *others, last = OF_VOLUMES
        raise ValueError(f"network_def: {name} is for slices; volumes need {', '.join(others)} or {last}")


def _check_texts(config: Mapping[str, Any]) -> None:
    """Raise ValueError if a text would be changed by MONAI, as the name of a class; notes and paths are passed over."""
    used = _referred_to(config)
    for name, text in nodes(config):
        first, last = name.split("#")[0], name.split("#")[-1]
        if first not in used or first in PATHS or last.startswith("_"):
            continue
        if isinstance(text, str) and not text.startswith(("$", "@", "%")) and (found := OF_MONAI.search(text)):
            raise ValueError(
                f"{name} is {text!r}, which holds '{found[0]}'; MONAI makes '::' of '#' in a configuration, so no text "
                "in one may hold either"
            )


def _check_class_names(names: Any, count: Any) -> None:
    """Raise ValueError if the names of the classes are no list of names that differ, or not as many as the classes."""
    check_class_names("class_names", names)
    if any(map(_is_made_later, names)):
        raise ValueError(f"class_names is {names!r}; no name may begin with $, @ or %")
    if isinstance(count, int) and count != len(names):
        raise ValueError(f"class_names is {names!r} and num_classes is {count}; there must be a name for each class")


def check_device(config: ConfigParser) -> None:
    """Raise ValueError if PyTorch cannot compute on the device of a configuration here, or cannot read the result."""
    device = config.get_parsed_content("device") if "device" in config else None
    try:
        torch.ones(1, device=device).sum().item()
    except Exception as error:  # noqa: BLE001 - each kind of device has errors of its own
        reason = first_line(error).partition(". ")[0]
        raise ValueError(f"device is {device}, which PyTorch cannot use here ({reason}): leave out --device") from None


def unused_keys(config: Mapping[str, Any]) -> list[str]:
    """The keys at the top of a configuration that nothing in it refers to, as a note may be.

    Raises:
        ValueError: one that is spelled nearly as one that something refers to.
    """
    used = _referred_to(config)
    known = used | ENTRIES | (OF_TRAINING if "train" not in config else set())
    unused = sorted(key for key in config if key not in known and not key.startswith("_"))
    for key in unused:
        if meant := nearest(key, used & config.keys()):
            raise ValueError(f"nothing refers to {key!r} in the configuration; did you mean {meant!r}?")
    return unused


def _referred_to(config: Mapping[str, Any]) -> set[str]:
    """The keys at the top of a configuration to which something in it refers, and other words after "@" and "%"."""
    texts = (part for _, part in nodes(config) if isinstance(part, str))
    return {name for text in texts for name in re.findall(r"[@%](\w+)", text)}


def check_references(config: ConfigParser) -> None:
    """Raise ValueError if a run comes to a reference to a key that is not in its configuration."""
    left = [name for name in ("initialize", "run", "finalize") if name in config]
    seen = set(left)
    while left and not ReferenceResolver.allow_missing_reference:
        for name, wanted in _references_in(config, left.pop()):
            if wanted and wanted not in config:
                near = did_you_mean(wanted, map(str, config.get()))
                raise ValueError(f"{name} refers to {wanted!r}, which is not in the configuration{near}")
            if wanted not in seen:
                left.append(wanted)
                seen.add(wanted)


def _references_in(config: ConfigParser, key: str) -> Iterator[tuple[str, str]]:
    """The keys to which the parts of a key refer, each with the name of the part."""
    for name, part in nodes(config.get(key), key):
        place = ReferenceResolver.normalize_id(name)
        text = ConfigParser.resolve_relative_ids(place, part) if isinstance(part, str) else ""
        for wanted in ReferenceResolver.match_refs_pattern(text):
            yield name.replace("::", "#"), wanted


def referred(value: Any) -> str:
    """The id that a value as a whole refers to, empty where it does not."""
    is_reference = isinstance(value, str) and value.startswith("@")
    return next(iter(ReferenceResolver.match_refs_pattern(value)), "") if is_reference else ""


def _rule(value: Any, now: Any, config: ConfigParser) -> str:
    """The rule that a value breaks, or an empty text."""
    named = referred(value)
    # JSON's words for truth values, which Fire reads as texts.
    place, word = next(((name, part) for name, part in nodes(value) if _is_json_word(part)), ("", ""))
    rule = ""
    if value is None:
        rule = "" if now in NO_VALUE else f"MONAI ignores None, and it stays {now}; write '$None' to have none"
    elif word and (place or not isinstance(now, bool | str)):
        rule = f"{place or 'it'} is the text {word}; write {JSON_WORDS[word]}"
    elif not (named and named in config) and not str(value).startswith(("$", "%")):
        rule = ("" if named else _rule_of_kind(value, now)) or _rule_of_component(value, now, config)
    return rule


def _rule_of_kind(value: Any, now: Any) -> str:
    """The rule that a value breaks in place of a number, a truth value or a list, or an empty text."""
    if isinstance(now, bool):
        return "" if is_switch(value) else "it must be True or False"
    if isinstance(now, int | float):
        return "" if is_number(value) else "it must be a number"
    if isinstance(now, list) and not isinstance(value, list | tuple):
        return f"it must be a list, as {now}" if len(str(now)) < 60 else "it must be a list"  # noqa: PLR2004 - of a line
    return ""


def _rule_of_component(value: Any, now: Any, config: ConfigParser) -> str:
    """The rule that a value breaks in place of a component, or of a reference to a missing key; or an empty text."""
    named, before = referred(value), referred(now)
    is_component = ConfigComponent.is_instantiable(config.get(before) if before else now)
    rule = ""
    if isinstance(value, dict):
        if is_component and "_target_" not in value:
            rule = "it has no '_target_'; one argument alone is changed as --NAME#ARGUMENT VALUE"
    elif named:
        rule = f"there is no '{named}' in the configuration"
    elif is_component:
        rule = "it must be a component, as {'_target_': 'DiceCELoss', 'softmax': True}, a $expression or an @reference"
    elif isinstance(now, dict):
        rule = "it must be a dictionary, as {'NAME': VALUE}"
    return rule


def _check_setting(name: str, value: Any) -> None:
    """Raise ValueError if the value at the top of a configuration breaks the rule of its name, if one is known."""
    if name in WHOLE:
        check_whole(name, value, *WHOLE[name])
    elif name in ABOVE_ZERO:
        check_above_zero(name, value)
    elif name in SWITCHES:
        check_switch(name, value)
    elif name == "overlap":
        check_share(name, value, zero=True)
    elif name == "train_fraction":
        check_share(name, value, one=True)
    elif name == "device" and not _is_device(value):
        raise ValueError(f"device is {value!r}; it must name a device of PyTorch, as cpu or cuda:0")


def _is_device(value: Any) -> bool:
    """Whether a value is a device of PyTorch or the name of one. Whether it is there is not asked."""
    try:
        torch.device(value)
    except (RuntimeError, TypeError):
        return False
    return not isinstance(value, bool | int)


def _is_made_later(value: Any) -> bool:
    """Whether a value is an expression, a reference or a component."""
    return ConfigComponent.is_instantiable(value) or (isinstance(value, str) and value.startswith(("$", "@", "%")))


def _is_json_word(value: Any) -> bool:
    """Whether a value is one of JSON's words for truth values, as a text."""
    return isinstance(value, str) and value in JSON_WORDS
