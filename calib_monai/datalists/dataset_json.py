"""`dataset.json` of the Decathlon and of nnU-Net: whether the names of classes belong to the labels that it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib_monai.whole_files import read_json

DATASET_JSON = "dataset.json"


def check_class_names(dataset_dir: str, class_names: Sequence[str]) -> None:
    """Raise ValueError if a folder's `dataset.json` has these names for other labels; other names are not compared.

    Args:
        dataset_dir: the folder, with or without such a file.
        class_names: of all labels, from 0.
    """
    file = Path(dataset_dir) / DATASET_JSON
    names = _names_in(file)
    if sorted(names) == sorted(map(str.lower, class_names)) and names != [name.lower() for name in class_names]:
        raise ValueError(
            f"class_names are {', '.join(class_names)}, and {file} calls the labels from 0 on {', '.join(names)}: give "
            "them in the order of the labels"
        )


def _names_in(file: Path) -> list[str]:
    """The names of the labels 0, 1, 2 and so on in lower case; none if the file does not say exactly that."""
    try:
        content = read_json(file)
        labels = content.get("labels") if isinstance(content, Mapping) else None
        pairs = labels.items() if isinstance(labels, Mapping) else []
    except ValueError:
        return []
    found = [label_and_name(name, value) for name, value in pairs]
    named = dict(pair for pair in found if pair is not None)
    whole = None not in found and sorted(named) == list(range(len(named)))
    return [named[label].lower() for label in range(len(named))] if whole else []


def label_and_name(name: Any, value: Any) -> tuple[int, str] | None:
    """A label and its name, whichever of the two is the key of the other; None where neither is a number."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, int):
        return value, str(name)
    return (int(name), value) if isinstance(value, str) and str(name).isdecimal() else None
