"""Parts of bundles: reads them, merges them, and writes readable JSON."""

from __future__ import annotations

import inspect
import json
import re
from math import inf
from pathlib import Path
from typing import Any

from bundle_endings import endings_of
from bundle_volumes import volumes_of_own

from calib_monai.arguments import check_class_names, is_number
from calib_monai.datalists.patterns import check_pattern, pattern_split
from calib_monai.spelling import did_you_mean, nearest

REPOSITORY = Path(__file__).resolve().parent.parent
PARTS = REPOSITORY / "scripts" / "parts"
KINDS = ("pictures",)  # parts that a data set may be like
LINE_WIDTH = 120
INDENT = 4
NEEDED_OF_OWN: dict[tuple[str, ...], type] = {
    ("image", "channels"): list,
    ("image", "modality"): str,
    ("image", "format"): str,
    ("both", "slice_size"): list,
    ("both", "datalist", "images"): list,
    ("both", "datalist", "label"): str,
    ("train", "class_names"): list,
}

Part = dict[str, Any]


def dataset_part(dataset: str) -> tuple[str, Part]:
    """Name and part of a data set, by its name or by the path of the user's own part."""
    if not dataset.endswith(".json"):
        part = _named_part("datasets", "data set", dataset)
        return dataset, merge(_shared_part(file_of(dataset), part), part)
    name = Path(dataset).stem
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in names("datasets"):
        near = f"my_{re.sub('[^a-z0-9]+', '_', name.lower()).strip('_')}.json"
        raise ValueError(
            f"{dataset} must be called by lower-case words that are no data set here, as {near}: rename it"
        )
    return name, _own_part(dataset)


def method_part(method: str) -> Part:
    """Part of a method, by its name, merged over the method that it is `like`."""
    part = _named_part("methods", "method", method)
    return merge(method_part(part.pop("like")), part) if "like" in part else part


def file_of(dataset: str) -> str:
    """The file of a data set's part, as shown in messages."""
    return dataset if dataset.endswith(".json") else shown(PARTS / "datasets" / f"{dataset}.json")


def pinned_versions() -> dict[str, str]:
    """Version of each package for the oldest Python: constraints.txt, and over it constraints-3.10.txt."""
    files = [REPOSITORY / "scripts" / f"constraints{python}.txt" for python in ("", "-3.10")]
    constraints = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", constraints, flags=re.MULTILINE))


def references_of(parts: dict[str, Part]) -> list[str]:
    """The references of a data set, then those of a method."""
    return [one for part in parts.values() for one in part.get("metadata", {}).get("references", [])]


def _named_part(folder: str, kind: str, name: str) -> Part:
    """The part of this name in a folder of parts; raise ValueError if there is none."""
    known = names(folder)
    if name not in known:
        near = did_you_mean(name, known)
        raise ValueError(f"{shown(PARTS / folder)} has no {kind} {name}; it has {', '.join(known)}{near}")
    return load(f"{folder}/{name}.json")


def _shared_part(path: str, part: Part) -> Part:
    """The part under a data set's "like", which is removed from the data set; empty without "like"."""
    like = part.pop("like", None)
    if like not in (None, *KINDS):
        raise ValueError(f'{path} is like {like!r}; a data set can be like {", ".join(KINDS)}, or have no "like"')
    return load(f"{like}.json") if like else {}


def _own_part(path: str) -> Part:
    """The part at a path, merged over `own.json`; raise ValueError if it lacks a value without a default."""
    own, given = load("own.json"), load(Path(path).resolve())
    volumes = given.pop("volumes", False)
    shared = _shared_part(path, given)
    if shared:
        own = merge(own | {"numbers": {}}, shared)  # whose sizes are no volume's
    sections = list(dict.fromkeys([*own, "evaluate", "inference"]))
    unknown = sorted(
        section for section, keys in given.items() if section not in sections or not isinstance(keys, dict)
    )
    if unknown:
        raise ValueError(
            f"{path}: {unknown[0]} must be one of the sections {', '.join(sections)}, with its keys"
            f"{did_you_mean(unknown[0], set(sections) - {unknown[0]})}"
        )
    part = merge(own, given)
    _check_needed(path, part)
    known = [key for section, key, *_ in NEEDED_OF_OWN if section == "image"]
    stray = next((key for key in part["image"] if key not in known), None)
    if stray is not None:
        near = did_you_mean(stray, known) or f"; it takes {', '.join(known)}"
        raise ValueError(f"{path} sets image#{stray}, which nothing takes{near}")
    _check_datalist(path, part["both"]["datalist"])
    if _has_patterns(part["both"]["datalist"]) and (endings := endings_of(part["both"]["datalist"]["images"])):
        part = merge({"inference": {"cases": {"endings": endings}}}, part)
    pixdim = part["numbers"].get("pixdim", [])
    unused = [
        key for key in given.get("numbers", {}) if key not in own["numbers"] and f"@{key}" not in json.dumps(given)
    ]
    if unused:
        near = did_you_mean(unused[0], own["numbers"])
        raise ValueError(f"{path} sets numbers#{unused[0]}, which nothing in it takes{near}")
    sized = isinstance(pixdim, list) and len(pixdim) == 3 and all(map(_is_size, pixdim))  # noqa: PLR2004 - axes
    if "pixdim" in own["numbers"] and not sized:
        raise ValueError(f"{path} sets numbers#pixdim to {pixdim}; it must have three sizes, -1 for one as it is")
    if volumes is not False:
        part["volumes"] = volumes_of_own(path, volumes, pixdim)
    images, channels = part["both"]["datalist"]["images"], part["image"]["channels"]
    colors = bool(shared) and len(images) == 1 and len(channels) == 3  # noqa: PLR2004 - red, green, blue
    if len(images) != len(channels) and not colors and "loading" not in given["both"]:
        besides = ", or the three of one picture" if shared else ""
        raise ValueError(
            f"{path} has {len(images)} images and {len(channels)} channels; each channel is an image{besides}"
        )
    return part


def _check_datalist(path: str, datalist: dict[str, Any]) -> None:
    """Raise ValueError if a datalist of patterns has an unknown key, or a pattern without {case} or {patient}."""
    if not _has_patterns(datalist):
        return
    known = {*inspect.signature(pattern_split).parameters, "_target_", "_mode_"}
    unknown = sorted(datalist.keys() - known)
    if unknown:
        near = did_you_mean(unknown[0], known)
        raise ValueError(f"{path} sets both#datalist#{unknown[0]}, which nothing takes{near}")
    try:
        for pattern in (*datalist["images"], datalist["label"]):
            check_pattern(pattern)
    except ValueError as error:
        raise ValueError(f"{path}, both#datalist: {error}") from None
    patient = datalist.get("patient", "")
    if patient != "" and (not isinstance(patient, str) or "{patient}" not in patient):
        raise ValueError(f"{path} sets both#datalist#patient to {patient!r}; it must be a pattern with {{patient}}")


def _has_patterns(datalist: dict[str, Any]) -> bool:
    """Whether a datalist finds its cases by the patterns of their files."""
    return bool(datalist.get("_target_") == f"{pattern_split.__module__}.{pattern_split.__name__}")


def _is_size(value: Any) -> bool:
    """Whether a value can be the size of a voxel, or -1."""
    return is_number(value) and (value == -1 or 0 < value < inf)


def _check_needed(path: str, part: Part) -> None:
    """Raise ValueError if the part at a path lacks a value without a default, or no network takes its slices."""
    for (section, *keys), kind in NEEDED_OF_OWN.items():
        value, instead = part[section], ""
        for key in keys:
            there = value if isinstance(value, dict) else {}
            value, instead = there.get(key), nearest(key, there.keys() - {key})
        names_are_text = section == "both" or not isinstance(value, list) or all(isinstance(one, str) for one in value)
        if not value or not isinstance(value, kind) or not names_are_text:
            key = "#".join((section, *keys))
            said = f"; it sets {instead}" if instead else ""
            raise ValueError(f"{path} must set {key}, {'a list' if kind is list else 'a text'}{said}")
    check_class_names(f"{path}: train#class_names", part["train"]["class_names"])
    from calib_monai.checks import check_slice_size  # noqa: PLC0415 - brings torch, which is slow to import

    try:
        check_slice_size(part["both"]["slice_size"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def merge(*parts: Part) -> Part:
    """The merged parts: later wins, dictionaries merge by key, lists are replaced, null removes.

    As in MONAI's configurations, a list under `+KEY` is added to the list under KEY, and a dictionary merged into it.
    """
    merged: Part = {}
    for part in parts:
        for key, value in part.items():
            before, added_to = merged.get(key), merged.get(key.removeprefix("+"))
            if value is None and before is not None:
                del merged[key]
            elif key.startswith("+") and isinstance(value, list) and isinstance(added_to, list):
                merged[key[1:]] = added_to + value
            elif key.startswith("+") and isinstance(value, dict) and isinstance(added_to, dict):
                merged[key[1:]] = merge(added_to, value)
            else:
                merged[key] = merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def to_json(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON in which a value stays on one line if it fits in 120 columns and holds no nested dictionary.

    A list or a dictionary may hold a single dictionary there.

    Args:
        value: what to write.
        indent: columns before the line on which it starts.
        used: columns of that line that its key takes.
    """
    line = json.dumps(value)  # in ASCII, for MONAI reads a bundle in whatever encoding the machine has
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    single = len(children) == 1
    nested = any(isinstance(child, dict) and not (single and _is_plain(child)) for child in children)
    if not children or (not nested and indent + used + len(line) < LINE_WIDTH and indent):
        return line
    inner = indent + INDENT
    if isinstance(value, dict):
        keys = [f"{json.dumps(key)}: " for key in value]
        items = [key + to_json(child, inner, len(key)) for key, child in zip(keys, value.values(), strict=True)]
    else:
        items = [to_json(child, inner) for child in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(" " * inner + item for item in items)
    return f"{opening}\n{lines}\n{' ' * indent}{closing}"


def _is_plain(value: dict[str, Any]) -> bool:
    """Whether a dictionary holds no other one."""
    return not any(isinstance(child, dict | list) for child in value.values())


def names(folder: str) -> list[str]:
    """Names of the parts in a folder."""
    return sorted(path.stem for path in (PARTS / folder).glob("*.json"))


def load(name: str | Path) -> Part:
    """One part."""
    path = PARTS / name
    try:
        part: Any = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"{shown(path)}, line {error.lineno}: {error.msg}") from None
    except ValueError as error:
        raise ValueError(f"{shown(path)}: {error}") from None
    except OSError as error:
        near = did_you_mean(path.name, (other.name for other in path.parent.glob("*.json")))
        raise ValueError(f"{shown(path)} cannot be read: {error.strerror}{near}") from None
    if not isinstance(part, dict):
        raise ValueError(f"{shown(path)} must hold an object, {{ ... }}")  # noqa: TRY004 - as all refusals
    return part


def _object(pairs: list[tuple[str, Any]]) -> Part:
    """A JSON object whose keys can be printed in a message of one line."""
    for key, _ in pairs:
        if not key.isprintable():
            raise ValueError(f"the key {key!r} has characters that cannot be printed")
    return dict(pairs)


def shown(path: Path) -> str:
    """A path as shown in messages, relative to the repository if it is inside."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)
