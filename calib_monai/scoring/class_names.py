"""Class names: from options, from the `dataset.json` of nnU-Net and the Decathlon, or from a table of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from calib_monai.arguments import BACKGROUND, check_background_first
from calib_monai.datalists.dataset_json import DATASET_JSON, label_and_name
from calib_monai.label_tables import ITK_SNAP, names_in_table
from calib_monai.whole_files import read_json

IGNORE = "ignore"  # nnU-Net's name of the label whose voxels do not count
ABOVE = 2  # folders above one of labels in which nnU-Net and the Decathlon have their dataset.json


class Classes(NamedTuple):
    """The names of the classes, the background first, and the label whose voxels do not count."""

    names: list[str]
    ignore_index: int | None = None


class Source(NamedTuple):
    """Names of classes and who says them: a file, or "" for a person, and whether it lies with the probabilities."""

    names: Sequence[str]
    file: str
    of_probs: bool = False


def classes_of(
    given: Sequence[str], folders: Sequence[Path], ignore_index: int | None = None, *, ordered: bool = False
) -> Classes | None:
    """The classes as they were given, as a `dataset.json` says, or as an inference wrote; None where nobody says it.

    Args:
        given: names, the background first, or one path of a JSON: nnU-Net's or the Decathlon's, or a list of names.
        folders: that of the probabilities first. In and above them a `dataset.json` is looked for; the table of names
            that an inference writes is looked for in them.
        ignore_index: as given.
        ordered: whether the order of the channels is given, so that names beside the probabilities may have another
            one; then those beside the labels go first.

    Raises:
        ValueError: names that are none, a file that does not give them, or as `check_one_order`.
    """
    files = _files_near(folders, labels_first=ordered)
    if len(given) == 1 and given[0].lower().endswith(".json"):
        found = _in_json(Path(given[0]))
    elif given:
        found = Classes(list(given))
    elif files:
        found = _in_json(files[0])
    elif written := names_in_table(folders[0]):
        found = Classes(written)
    else:
        return None
    _check(found.names)
    check_one_order(found.names if given else (), folders, ordered=ordered)
    return found if ignore_index is None else found._replace(ignore_index=ignore_index)


def check_one_order(
    given: Sequence[str], folders: Sequence[Path], *, ordered: bool = False, of_fit: bool = False
) -> None:
    """Raise ValueError if two sources have the same names in two orders; other names are not compared.

    Args:
        given: names that a person gave, or none.
        folders: as in `classes_of`.
        ordered: whether the order of the channels is given: then nothing beside the probabilities is compared.
        of_fit: whether the given names are those of the measured cases, and the folders those of the fit.
    """
    sources = [Source(given, ""), *_sources_near(folders)]
    for first, second in combinations([one for one in sources if not (ordered and one.of_probs)], 2):
        if _are_reordered(first.names, second.names):
            where = f"in {first.file}" if first.file else "in the measured cases" if of_fit else "in --classes"
            raise ValueError(
                f"the classes are {', '.join(first.names)} {where}, and {', '.join(second.names)} in {second.file}: "
                f"{_remedy(first, second, of_fit=of_fit)}"
            )


def _remedy(first: Source, second: Source, *, of_fit: bool) -> str:
    """The end of a message on two sources of names."""
    if not first.file and of_fit:
        return "the cases of --fit must have the same order"
    if not first.file and not second.of_probs:
        return "give them in the order of the labels, or correct the file"
    if first.of_probs == second.of_probs:
        return "correct the one that is wrong"
    return "labels and probabilities have other orders: give that of the channels by --order"


def _are_reordered(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether the structures are the same in another order; the background is 0, whatever its name is."""
    listed, compared = ([name.strip().lower().replace(" ", "_") for name in one[1:]] for one in (names, others))
    return listed != compared and sorted(listed) == sorted(compared)


def _files_near(folders: Sequence[Path], *, labels_first: bool = False) -> list[Path]:
    """Each `dataset.json` in and above folders, those of the first folder first, or last."""
    turned = [*folders[1:], *folders[:1]] if labels_first else folders
    above = dict.fromkeys(path for folder in turned for path in (folder, *folder.resolve().parents[:ABOVE]))
    return [path / DATASET_JSON for path in above if (path / DATASET_JSON).is_file()]


def _sources_near(folders: Sequence[Path]) -> Iterator[Source]:
    """Who says names in and near folders, the labels first; a file that gives none is passed over."""
    of_labels = {file.resolve() for file in _files_near(folders[1:])}
    for file in _files_near(folders, labels_first=True):
        with suppress(ValueError):
            yield Source(_in_json(file).names, str(file), file.resolve() not in of_labels)
    for folder in reversed(folders):
        yield Source(names_in_table(folder), str(folder / ITK_SNAP), folder is folders[0])


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
    check_background_first("the classes are", names, " (--order names the classes in the order of the channels)")


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
