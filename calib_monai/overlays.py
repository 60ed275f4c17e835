"""Files laid over others: refuses those that do not go together, and keys that no file before them has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.bundle.utils import MERGE_KEY

from calib_monai.former_options import check_former
from calib_monai.spelling import nearest
from calib_monai.targets import TARGET, nodes

SHARED = "multi_gpu_"  # what lets processes share the run of a file is called by it
SECTIONS = ("train", "validate", "fitting")  # of a bundle, whose keys have names of their own


def check_overlays(files: Sequence[str], options: Mapping[str, Any]) -> None:
    """Raise ValueError if a file changes a key that no file before it has, or is for another run or version.

    Args:
        files: the configuration files of a run, each laid over those before it.
        options: the options of the run, which may refer to what a file adds.

    Raises:
        ValueError: the message is one line that names the file and the key.
    """
    _check_together(files)
    contents = [ConfigParser.load_config_file(file) for file in files]
    for file, content in zip(files, contents, strict=True):
        for key, value in content.items():
            check_former(key, value, {name: None for one in contents for name in one}, f"{file} sets {key}")
    for place, file in enumerate(files):
        alone = Path(file).name.removeprefix(SHARED)
        # MONAI Label calls its train.json monailabel_train.json.
        if Path(file).name.startswith(SHARED) and (not place or not Path(files[place - 1]).name.endswith(alone)):
            raise ValueError(f"{file} is for {alone}: give it right after that, as docs/README.md shows")
        before = ConfigParser(ConfigParser.load_config_files(files[:place]) if place else {})
        for key in contents[place]:
            changed = key[1:] if key.startswith(MERGE_KEY) else key.rpartition("#")[0]
            if changed and changed not in before:
                train = Path(file).parent / "train.json"
                raise ValueError(
                    f"{file} changes '{changed}', which no file before it has; give both: "
                    f"--config_file \"['{train}','{file}']\""
                )
    _check_sections(files, contents, options)


def _check_together(files: Sequence[str]) -> None:
    """Raise ValueError if files are of two runs."""
    names = {Path(file).name: file for file in files}
    if {"evaluate.json", "calibrate.json"} <= names.keys():
        raise ValueError(f"{names['evaluate.json']} and {names['calibrate.json']} are two runs: give one")
    other = next((names[name] for name in ("train.json", "evaluate.json", "calibrate.json") if name in names), None)
    if other is not None and "inference.json" in names:
        raise ValueError(f"{names['inference.json']} is given alone, or with volumes.json, and not with {other}")


def _check_sections(files: Sequence[str], contents: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
    """Raise ValueError if a file adds a key to a section of the bundle, and nothing refers to it."""
    known: dict[str, set[str]] = {name: set(_section(contents[0].get(name))) for name in SECTIONS}
    texts = [text for content in (*contents, options) for _, text in nodes(content) if isinstance(text, str)]
    for file, content in zip(files[1:], contents[1:], strict=True):
        for section, key in _keys_in_sections(content):
            names = known[section]
            if names and key not in names and not key.startswith("_") and not _refers(texts, key):
                near = nearest(key, names)
                raise ValueError(
                    f"{file} sets '{section}#{key}': there is no '{key}' in '{section}', and nothing refers to it"
                    + (f"; did you mean '{section}#{near}'?" if near else "")
                )
        for section, names in known.items():
            names |= set(_section(content.get(section)))


def _keys_in_sections(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The sections that a file changes, and the keys in them that it sets or changes."""
    for key, value in content.items():
        section, _, inner = key.removeprefix(MERGE_KEY).replace("::", "#").partition("#")
        if section in SECTIONS and inner:
            yield section, inner.partition("#")[0]
        elif section in SECTIONS and key.startswith(MERGE_KEY):
            yield from ((section, name) for name in _section(value))


def _section(value: Any) -> Mapping[str, Any]:
    """A section as it stands in a file; nothing in place of a component or of another value."""
    return value if isinstance(value, Mapping) and TARGET not in value else {}


def _refers(texts: Sequence[str], key: str) -> bool:
    """Whether one of the texts of a configuration refers to a key in a section."""
    return any(re.search(rf"[@%][\w#:]*(#|::){re.escape(key)}\b", text) for text in texts)
