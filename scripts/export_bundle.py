"""Export a bundle: write the zip of the MONAI model zoo, if the zoo's rules hold.

NAME_vVERSION.zip unzips to a folder NAME with LICENSE, configs, docs and, if they exist, large_files.yml,
models/model.pt and models/model.json. It holds nothing else of the bundle, and no output of runs. The same files give
the same bytes. The network is `network_def` in configs/inference.json. For weights of another network, write its name
there and in configs/train.json, in a copy of the bundle. If weights are put in, the results in docs/README.md are left
out, because they belong to other weights.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from calib_monai.refusals import tell_in_one_line

Files = dict[str, bytes]

FOLDERS = ("configs", "docs")
LINKS = ("large_files.yml", "large_files.yaml", "large_files.json")
METADATA, INFERENCE, TRAIN = (f"configs/{name}.json" for name in ("metadata", "inference", "train"))
MODEL, MADE_FOR = "models/model.pt", "models/model.json"  # the weights, and what they were made for
PAGE = "docs/README.md"
RESULTS = r"(?ms)^## Results$.*?(?=^## |\Z)"  # of the page, up to its next title
NO_RESULTS = "Of these weights none are told here: evaluate them, and show what `eval/summary.csv` says."
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code 0, after the zip is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE_DIR", help="folder of the bundle")
    parser.add_argument(
        "--model",
        type=Path,
        help="weights to put in as models/model.pt, of the network in network_def; the bundle's own by default",
    )
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the zip")
    options = parser.parse_args(arguments)
    name = options.bundle.resolve().name
    files = bundle_files(options.bundle, options.model)
    version = check(name, files)
    path = options.out / f"{name}_v{version}.zip"
    _write(path, zipped(name, files))
    sys.stdout.writelines(f"{line}\n" for line in [*remarks(files), str(path)])
    return 0


def bundle_files(bundle: Path, model: Path | None = None) -> Files:
    """The files of a bundle for the zoo, in its format: path inside the bundle -> content.

    Args:
        bundle: its folder.
        model: file of the weights, the bundle's own by default.

    Raises:
        ValueError: there is no such bundle or model, or a file is no JSON.
    """
    if not bundle.is_dir():
        raise ValueError(f"{bundle} is not a folder")
    if model is not None and not model.is_file():
        raise ValueError(f"{model} is not a file")
    taken = [bundle / name for name in ("LICENSE", *LINKS)]
    taken += [path for folder in FOLDERS for path in (bundle / folder).rglob("*")]
    paths = {path.relative_to(bundle).as_posix(): path for path in taken if path.is_file()}
    paths = {name: path for name, path in paths.items() if not re.search(r"(^|/)(\.|__pycache__/)", name)}
    own_model = {name: bundle / name for name in (MODEL, MADE_FOR)} if model is None else {}
    for name, path in (paths | own_model).items():
        if not path.resolve().is_relative_to(bundle.resolve()):
            _refuse(name, f"it leads out of the bundle, to {path.resolve()}", "files of the bundle's own folder")
    files = {name: _in_format(name, path.read_bytes()) for name, path in paths.items()}
    weights = model or bundle / MODEL
    if not weights.is_file():
        return files
    beside = weights.with_name(Path(MADE_FOR).name)
    files |= {MADE_FOR: _in_format(MADE_FOR, beside.read_bytes())} if beside.is_file() else {}
    files |= {name: _without_results(files[name]) for name in files.keys() & {PAGE}}
    return files | {MODEL: weights.read_bytes()}


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
            _refuse(file, "it is not there", f"{', '.join(NECESSARY[:-1])} and {NECESSARY[-1]}")
    for file, content in files.items():
        if file != MODEL:
            _check_file(file, content)
    metadata = json.loads(files[METADATA])
    _check_metadata(name, metadata)
    if MODEL in files:
        _check_model(files[MODEL], json.loads(files[INFERENCE]), metadata["network_data_format"])
    if MADE_FOR in files and TRAIN in files:
        _check_made_for(json.loads(files[MADE_FOR]), json.loads(files[TRAIN]))
    return str(metadata["version"])


def remarks(files: Files) -> list[str]:
    """Further wishes of the zoo, a line each."""
    if any(name in files for name in LINKS):
        return []
    if MODEL not in files:
        return [f"no {MODEL}: the zoo takes a bundle without weights only if it is excluded from the preferred files"]
    size = len(files[MODEL])
    if size <= LARGEST_FILE:
        return []
    return [f"{MODEL} has {_megabytes(size)} MB: above 25 MB the zoo wants it by URL, in large_files.yml"]


def zipped(name: str, files: Files) -> bytes:
    """A zip of these files in a folder of that name.

    Note:
        They are stored as they are: weights do not compress, and other versions of zlib give other bytes.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f"{name}/{path}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whose permissions follow
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[path])
    return content.getvalue()


def _without_results(page: bytes) -> bytes:
    """A page without its results, which belong to other weights."""
    return re.sub(RESULTS, f"## Results\n\n{NO_RESULTS}\n\n", page.decode()).rstrip("\n").encode() + b"\n"


def _in_format(name: str, content: bytes) -> bytes:
    """The content of a file, JSON as the zoo's pre-commit writes it, its keys in their order."""
    if not name.endswith(".json"):
        return content
    try:
        return f"{json.dumps(json.loads(content), indent=4)}\n".encode()
    except ValueError as error:
        _refuse(name, f"it cannot be read, {error}", "JSON")


def _check_file(name: str, content: bytes) -> None:
    """Raise ValueError if a file is too large, or a text has loose ends."""
    if len(content) > LARGEST_FILE:
        _refuse(name, f"it has {_megabytes(len(content))} MB", "at most 25 MB of a file, and larger ones by URL")
    if not content or b"\0" in content:
        return
    if not content.endswith(b"\n") or content.endswith((b"\n\n", b"\r\n\r\n")):
        _refuse(name, f"it ends with {content[-2:].decode(errors='replace')!r}", "one end of line at the end of a text")
    for number, line in enumerate(content.splitlines(), start=1):
        if line != line.rstrip():
            _refuse(name, f"line {number} ends with a space", "none at the ends of lines")


def _check_metadata(name: str, metadata: Any) -> None:
    """Raise ValueError if metadata.json breaks a rule."""
    _check_keys("", metadata, METADATA_KEYS | {"name": str})
    if metadata["name"] != name:
        _refuse(METADATA, f"name is {metadata['name']!r} and the folder {name!r}", "one name for both")
    if not re.fullmatch(WORDS, name):
        _refuse(METADATA, f"name is {name!r}", "lower-case words, with _ between them")
    version = metadata["version"]
    if not re.fullmatch(VERSION, version):
        _refuse(METADATA, f"version is {version!r}", "three digits, as 0.1.0, for it sorts versions as texts")
    if version not in metadata["changelog"]:
        known = ", ".join(metadata["changelog"]) or "none"
        _refuse(METADATA, f"version is {version!r} and changelog has {known}", "each version to be a key of changelog")
    pins = {key: metadata[key] for key in ("monai_version", "pytorch_version", "numpy_version")}
    pins |= {f"required_packages_version.{key}": pin for key, pin in metadata["required_packages_version"].items()}
    for key, pin in pins.items():
        if not re.fullmatch(PIN, str(pin)):
            _refuse(METADATA, f"{key} is {pin!r}", "one version, for pip installs it with ==")
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
        _refuse(METADATA, f"{place}spatial_shape is {shape}", "whole numbers, for it tries the network with n = 1")


def _check_keys(place: str, given: Any, keys: dict[str, type]) -> None:
    """Raise ValueError if a part of metadata.json lacks a key, or has a value of another kind."""
    for key, kind in keys.items():
        if not isinstance(given, dict) or key not in given:
            _refuse(METADATA, f"{place}{key} is not there", "all that its schema requires, changelog and name")
        if not isinstance(given[key], kind):
            _refuse(METADATA, f"{place}{key} is {json.dumps(given[key])}", f"{KINDS[kind]} there")


def _check_model(content: bytes, inference: dict[str, Any], formats: dict[str, Any]) -> None:
    """Raise ValueError if the weights are not those of the bundle's network, or the network is not as told."""
    # Imported here, for it takes seconds that a bundle without weights need not wait.
    from bundle_weights import objection  # noqa: PLC0415

    if found_and_wanted := objection(content, inference, formats):
        _refuse(MODEL, *found_and_wanted)


def _check_made_for(made_for: Any, train: dict[str, Any]) -> None:
    """Raise ValueError if the weights were made for something else than the bundle trains."""
    if not isinstance(made_for, dict):
        _refuse(MADE_FOR, f"it holds {json.dumps(made_for)[:80]}", "what training wrote beside the weights")
    said = {**train, "channels": (train.get("made_for") or {}).get("channels")}
    for name in ("slice_size", "class_names", "channels"):
        here, there = made_for.get(name), said.get(name)
        if None not in (here, there) and here != there:
            _refuse(MADE_FOR, f"{name} is {json.dumps(here)}", f"that of {TRAIN}, {json.dumps(there)}")


def _refuse(file: str, found: str, wanted: str) -> NoReturn:
    """Raise ValueError with one line."""
    raise ValueError(f"{file}: {found}; the zoo wants {wanted}")


def _write(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def _megabytes(size: int) -> str:
    """A number of bytes in MB."""
    return f"{size / 10**6:.1f}"


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
