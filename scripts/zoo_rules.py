"""Rules of the MONAI model zoo, as far as they can be checked offline: files, metadata and weights of a bundle."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NoReturn

Files = dict[str, bytes]

LINKS = ("large_files.yml", "large_files.yaml", "large_files.json")
METADATA, INFERENCE, TRAIN = (f"configs/{name}.json" for name in ("metadata", "inference", "train"))
VOLUMES = "configs/volumes.json"
MODEL, MADE_FOR = "models/model.pt", "models/model.json"  # the weights, and what they were made for
CALIBRATORS = tuple(f"models/calibrator_{kind}.safetensors" for kind in ("ts", "lts"))
SCORES = tuple(f"models/conformal_{kind}.safetensors" for kind in ("none", "ts", "lts"))
FITTED = (*CALIBRATORS, *SCORES)  # to the weights, by calibrate.json
DATA_LICENSE = "docs/data_license.txt"
NECESSARY = ("LICENSE", METADATA, INFERENCE)
LARGEST_FILE = 25 * 10**6  # bytes

WORDS = r"[a-z0-9]+(_[a-z0-9]+)*"
VERSION = r"\d\.\d\.\d"
PIN = r"\d+(\.\d+)*((a|b|rc|\.post|\.dev)\d+)?"
KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "a dictionary"}
TEXTS = ("schema", "version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors")
DICTIONARIES = ("changelog", "required_packages_version", "network_data_format")
METADATA_KEYS: dict[str, type] = dict.fromkeys((*TEXTS, "copyright"), str) | dict.fromkeys(DICTIONARIES, dict)
NETWORK_KEYS: dict[str, dict[str, type]] = {"inputs": {"image": dict}, "outputs": {"pred": dict}}
TENSOR_KEYS: dict[str, type] = {
    "type": str,
    "format": str,
    "num_channels": int,
    "spatial_shape": list,
    "dtype": str,
    "value_range": list,
}


def check(name: str, files: Files) -> str:
    """The version of a bundle, after checks of the zoo's rules that need no network.

    Args:
        name: of its folder.
        files: path inside the bundle -> content.

    Raises:
        ValueError: with one line that names the file, the value and the rule.
    """
    for file in NECESSARY:
        if file not in files:
            refuse(file, "it is not there", f"{', '.join(NECESSARY[:-1])} and {NECESSARY[-1]}")
    for file, content in files.items():
        if file not in {MODEL, *FITTED}:
            _check_file(file, content)
    metadata = json.loads(files[METADATA])
    _check_metadata(name, metadata)
    if MODEL in files:
        _check_model(files[MODEL], json.loads(files[INFERENCE]), metadata["network_data_format"])
        for file in (one for one in FITTED if one in files):
            _check_fitted(file, files[file], files[MODEL])
    for file in (TRAIN, INFERENCE):
        if MADE_FOR in files and file in files:
            _check_made_for(json.loads(files[MADE_FOR]), file, json.loads(files[file]))
    return str(metadata["version"])


def remarks(files: Files) -> list[str]:
    """Further wishes of the zoo, a line each."""
    told = []
    linked = any(name in files for name in LINKS)
    size = len(files.get(MODEL, b""))
    if MODEL not in files and not linked:
        told += [f"no {MODEL}: the zoo takes a bundle without weights only if it is excluded from the preferred files"]
    if size > LARGEST_FILE and not linked:
        told += [f"{MODEL} has {_megabytes(size)} MB: above 25 MB the zoo wants it by URL, in large_files.yml"]
    if MODEL in files and "eval_metrics" not in json.loads(files.get(METADATA, b"{}")):
        told += [f"no eval_metrics in {METADATA}: evaluate these weights, and give the folder as --results"]
    if MODEL in files and MADE_FOR not in files:
        told += [f"no {MADE_FOR} beside the weights: nothing says which data and classes they are for"]
    if DATA_LICENSE not in files:
        told += [f"no {DATA_LICENSE}: the zoo wants it if the data have conditions"]
    return told


def _check_file(name: str, content: bytes) -> None:
    """Raise ValueError if a file is too large, or a text has loose ends."""
    if len(content) > LARGEST_FILE:
        refuse(name, f"it has {_megabytes(len(content))} MB", "at most 25 MB of a file, and larger ones by URL")
    if not content or b"\0" in content:
        return
    if not content.endswith(b"\n") or content.endswith((b"\n\n", b"\r\n\r\n")):
        refuse(name, f"it ends with {content[-2:].decode(errors='replace')!r}", "one end of line at the end of a text")
    for number, line in enumerate(content.splitlines(), start=1):
        if line != line.rstrip():
            refuse(name, f"line {number} ends with a space", "none at the ends of lines")


def _check_metadata(name: str, metadata: Any) -> None:
    """Raise ValueError if metadata.json breaks a rule."""
    _check_keys("", metadata, METADATA_KEYS | {"name": str})
    if not re.fullmatch(WORDS, name):
        refuse(name, "its folder is called so", "lower-case words, with _ between them")
    version = metadata["version"]
    if not re.fullmatch(VERSION, version):
        refuse(METADATA, f"version is {version!r}", "three digits, as 0.1.0, for it sorts versions as texts")
    if version not in metadata["changelog"]:
        known = ", ".join(metadata["changelog"]) or "none"
        refuse(METADATA, f"version is {version!r} and changelog has {known}", "each version to be a key of changelog")
    pins = {key: metadata[key] for key in ("monai_version", "pytorch_version", "numpy_version")}
    pins |= {f"required_packages_version.{key}": pin for key, pin in metadata["required_packages_version"].items()}
    for key, pin in pins.items():
        if not re.fullmatch(PIN, str(pin)):
            refuse(METADATA, f"{key} is {pin!r}", "one version, for pip installs it with ==")
    for side, keys in NETWORK_KEYS.items():
        _check_keys("network_data_format.", metadata["network_data_format"], {side: dict})
        _check_keys(f"network_data_format.{side}.", metadata["network_data_format"][side], keys)
        for key, tensor in metadata["network_data_format"][side].items():
            if isinstance(tensor, dict):
                _check_tensor(f"network_data_format.{side}.{key}.", tensor)


def _check_tensor(place: str, tensor: dict[str, Any]) -> None:
    """Raise ValueError if the description of a tensor in metadata.json breaks a rule."""
    _check_keys(place, tensor, TENSOR_KEYS)
    if not all(isinstance(size, int) for size in tensor["spatial_shape"]):
        shape = json.dumps(tensor["spatial_shape"])
        refuse(METADATA, f"{place}spatial_shape is {shape}", "whole numbers, for it tries the network with n = 1")


def _check_keys(place: str, given: Any, keys: dict[str, type]) -> None:
    """Raise ValueError if a part of metadata.json lacks a key, or has a value of another kind."""
    for key, kind in keys.items():
        if not isinstance(given, dict) or key not in given:
            refuse(METADATA, f"{place}{key} is not there", "all that its schema requires, changelog and name")
        if not isinstance(given[key], kind):
            refuse(METADATA, f"{place}{key} is {json.dumps(given[key])}", f"{KINDS[kind]} there")


def _check_model(content: bytes, inference: dict[str, Any], formats: dict[str, Any]) -> None:
    """Raise ValueError if the weights are not those of the bundle's network, or the network is not as told."""
    # Imported here, for it takes seconds that a bundle without weights need not wait.
    from bundle_weights import objection  # noqa: PLC0415

    if found_and_wanted := objection(content, inference, formats):
        refuse(MODEL, *found_and_wanted)


def _check_fitted(name: str, content: bytes, weights: bytes) -> None:
    """Raise ValueError if a file was fitted to other weights, as its header says, which is safetensors'."""
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        model = header["__metadata__"]["model"]
    except (ValueError, KeyError, TypeError):
        refuse(name, "it cannot be read", "a file as calibrate.json writes it")
    if model != hashlib.sha256(weights).hexdigest():
        refuse(name, f"it was fitted to other weights than {MODEL}", "one of these weights: fit it again or remove it")


def _check_made_for(made_for: Any, file: str, config: dict[str, Any]) -> None:
    """Raise ValueError if the weights were made for something else than a configuration of the bundle says."""
    if not isinstance(made_for, dict):
        refuse(MADE_FOR, f"it holds {json.dumps(made_for)[:80]}", "what training wrote beside the weights")
    said = {**config, "channels": (config.get("made_for") or {}).get("channels"), "bundle_method": config.get("method")}
    for name in ("dataset", "bundle_method", "slice_size", "class_names", "channels"):
        here, there = made_for.get(name), said.get(name)
        if isinstance(there, dict):  # `dataset` in inference.json is that of MONAI
            there = None
        if isinstance(there, str) and there.startswith("@"):  # of patches
            there = said.get(there[1:])
        if None not in (here, there) and here != there:
            refuse(MADE_FOR, f"{name} is {json.dumps(here)}", f"that of {file}, {json.dumps(there)}")


def refuse(file: str, found: str, wanted: str) -> NoReturn:
    """Raise ValueError with one line."""
    raise ValueError(f"{file}: {found}; the zoo wants {wanted}")


def _megabytes(size: int) -> str:
    """A number of bytes in MB."""
    return f"{size / 10**6:.1f}"
