"""`dataset.json` of the Decathlon and of nnU-Net: whether classes and files are used as it says."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from calib_monai.datalists.splits import Case
from calib_monai.whole_files import read_json

DATASET_JSON = "dataset.json"

logger = logging.getLogger(__name__)


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


def check_pairs(datalist: Callable[..., object], cases: Iterable[Case]) -> None:
    """Raise ValueError if the `dataset.json` of a data set lists an image with the label of another case.

    Files that belong to no case are passed over, because copies of `dataset.json` list missing files.

    Args:
        datalist: what gave the cases; as a partial function it knows its `dataset_dir`.
        cases: all of the data set, with absolute paths.
    """
    labels_of: dict[str, list[str]] = {}
    owners: dict[str, Any] = {}
    for case in cases:
        labels = list(map(os.path.normpath, _paths(case.get("label"))))
        owners |= dict.fromkeys(labels, case["case"])
        labels_of |= dict.fromkeys(map(os.path.normpath, _paths(case["image"])), labels)
    file, content = _content_for(datalist)
    for listed in _entries(content, "training"):
        images, labels = (_inside(file, listed.get(key)) for key in ("image", "label"))
        for image, label in product(images, labels):
            if image in labels_of and label in owners and label not in labels_of[image]:
                raise ValueError(
                    f"{file} lists {image} with {label}, which by its name is the label of {owners[label]}: image and "
                    "label of a case must have the same name, so rename the label, or correct the list"
                )


def tell_listed_tests(datalist: Callable[..., object], cases: Iterable[Case]) -> None:
    """Warn, in one line, of images that a network learns from, and that `dataset.json` lists as test images alone.

    Args:
        datalist: as in `check_pairs`.
        cases: those of training and validation, with absolute paths.
    """
    file, content = _content_for(datalist)
    tests, others = (
        {path for entry in _entries(content, name) for path in _inside(file, entry.get("image"))}
        for name in ("test", "training")
    )
    learned = [path for case in cases for path in _paths(case["image"])[:1] if os.path.normpath(path) in tests - others]
    if learned:
        logger.warning(
            "%d image(s) that %s lists under 'test' have a label and are used to train or validate, first %s: to keep "
            "them for the test, take their labels out of the folder, or name the sets by --split",
            *(len(learned), file, learned[0]),
        )


def _content_for(datalist: Callable[..., object]) -> tuple[Path, Any]:
    """The file of a data set and its content, None where there is none that can be read."""
    folder = getattr(datalist, "keywords", {}).get("dataset_dir")
    file = Path(folder if isinstance(folder, str) else "").absolute() / DATASET_JSON
    try:
        return file, read_json(file) if isinstance(folder, str) else None
    except ValueError:
        return file, None


def _entries(content: Any, name: str) -> list[Mapping[str, Any]]:
    """The cases of a list, without what is none; under "test" it may have the paths of images alone."""
    listed = content.get(name) if isinstance(content, Mapping) else None
    entries = [{"image": one} if isinstance(one, str) else one for one in listed] if isinstance(listed, list) else []
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _paths(of_key: Any) -> list[str]:
    """The path or the paths of an image or a label, without what is none."""
    return [path for path in (of_key if isinstance(of_key, list) else [of_key]) if isinstance(path, str)]


def _inside(file: Path, of_key: Any) -> list[str]:
    """The paths of an image or a label that a file lists, from the root on."""
    return [os.path.normpath(file.parent / path) for path in _paths(of_key)]


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
