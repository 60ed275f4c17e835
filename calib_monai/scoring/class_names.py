"""Class names: from options, from the `dataset.json` of nnU-Net and the Decathlon, or from a table of predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from calib_monai.datalists.dataset_json import DATASET_JSON, label_and_name
from calib_monai.label_tables import ITK_SNAP, names_in_table
from calib_monai.whole_files import read_json

BACKGROUND = "background"
IGNORE = "ignore"  # nnU-Net's name of the label whose voxels do not count
ABOVE = 2  # folders above one of labels in which nnU-Net and the Decathlon have their dataset.json


class Classes(NamedTuple):
    """The names of the classes, the background first, and the label whose voxels do not count."""

    names: list[str]
    ignore_index: int | None = None


def classes_of(
    given: Sequence[str], folders: Sequence[Path], ignore_index: int | None = None, *, ordered: bool = False
) -> Classes | None:
    """The classes as they were given, as a `dataset.json` says, or as an inference wrote; None where nobody says it.

    Args:
        given: names, the background first, or one path of a JSON: nnU-Net's or the Decathlon's, or a list of names.
        folders: that of the probabilities first. In and above them a `dataset.json` is looked for; the table of names
            that an inference writes is looked for in the first one.
        ignore_index: as given.
        ordered: whether the order of the channels is given, so that the table may have another one.

    Raises:
        ValueError: names that are none, a file that does not give them, or two files that give them in two orders.
    """
    if len(given) == 1 and given[0].lower().endswith(".json"):
        found = _in_json(Path(given[0]))
    elif given:
        found = Classes(list(given))
    else:
        above = dict.fromkeys(path for folder in folders for path in (folder, *folder.resolve().parents[:ABOVE]))
        files = [path / DATASET_JSON for path in above if (path / DATASET_JSON).is_file()]
        written = names_in_table(folders[0])
        if not files and not written:
            return None
        found = _in_json(files[0]) if files else Classes(written)
        if not ordered:
            _check_order(found.names, written, *files[:1], folders[0] / ITK_SNAP)
    _check(found.names)
    return found if ignore_index is None else found._replace(ignore_index=ignore_index)


def _check_order(names: Sequence[str], written: Sequence[str], *files: Path) -> None:
    """Raise ValueError if names and those that an inference wrote are the same in another order."""
    listed, others = ([name.lower() for name in one] for one in (names, written))
    if listed != others and sorted(listed) == sorted(others):
        raise ValueError(
            f"the classes are {', '.join(names)} in {files[0]}, and {', '.join(written)} in {files[-1]}: labels and "
            "probabilities have other orders: give that of the channels by --order"
        )


def numbered(count: int) -> list[str]:
    """Names of classes that have none."""
    return [BACKGROUND, *(f"class{index}" for index in range(1, count))]


def _check(names: Sequence[str]) -> None:
    """Raise ValueError if names are too few, empty or not unique, or if the background is not the first."""
    if len(names) < 2 or not all(name.strip() for name in names) or len(set(names)) < len(names):  # noqa: PLR2004
        raise ValueError(
            f"the classes are {', '.join(map(repr, names))}; there must be at least two, the background first, each "
            "with a name of its own"
        )
    if BACKGROUND in [name.lower() for name in names[1:]]:
        raise ValueError(
            f"the classes are {', '.join(names)}; the background must be the first, because its label is 0 (--order "
            "names the classes in the order of the channels)"
        )


def _in_json(file: Path) -> Classes:
    """The classes that a JSON gives."""
    content = read_json(file)
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return Classes(content)
    labels = content.get("labels", content) if isinstance(content, Mapping) else None
    if not isinstance(labels, Mapping):
        raise ValueError(f'{file} gives no classes; needed is a list of names, or "labels" as nnU-Net has them')  # noqa: TRY004
    return _of_labels(file, labels)


def _of_labels(file: Path, labels: Mapping[str, Any]) -> Classes:
    """The classes of a dictionary: names with their label, as nnU-Net has them, or the other way round."""
    regions = [name for name, value in labels.items() if isinstance(value, list | tuple) and len(value) > 1]
    if regions:
        raise ValueError(
            f"{file} has the regions {', '.join(regions)}, which overlap: their probabilities do not sum to one, and "
            "nothing here measures them; give probabilities of classes, and --classes with their names"
        )
    pairs = [label_and_name(name, value) for name, value in labels.items()]
    if None in pairs:
        raise ValueError(f"{file}: each of its labels must be a whole number with a name")
    names: dict[int, str] = {}
    for label, name in sorted(pair for pair in pairs if pair is not None):
        if label in names:
            raise ValueError(f"{file} calls the label {label} {names[label]} and {name}; a label must have one name")
        names[label] = name
    ignored = next((label for label, name in names.items() if name.lower() == IGNORE), None)
    names = {label: name for label, name in names.items() if label != ignored}
    if list(names) != list(range(len(names))):
        raise ValueError(f"{file} has the labels {', '.join(map(str, names))}; they must be 0..{len(names) - 1}")
    return Classes(list(names.values()), ignored)
