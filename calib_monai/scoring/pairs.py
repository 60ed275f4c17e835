"""Pairs: finds the files of the probabilities of each case, and its label, by their names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calib_monai.datalists.folders import MOST_FILES, files_below, held, tell_passed_over
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.headers import is_nifti
from calib_monai.scoring.arrays import holds_labels, stored_in
from calib_monai.scoring.images import images_in
from calib_monai.scoring.labels import labels_in
from calib_monai.scoring.names import (
    OF_CLASS,
    OF_PROBS,
    PROB_SUFFIXES,
    SEPARATORS,
    WORD_OF_PROBS,
    case_named,
    check_folder,
    rest_of,
    stem_of,
)
from calib_monai.scoring.values import A_SEGMENTATION
from calib_monai.spelling import did_you_mean, first_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """A case that is scored.

    Attributes:
        case: its name.
        probs: the file of its probabilities, or one for each class, in order.
        label: the file of its label.
        images: the files of its image, one for each channel; none where they are not asked for.
        named: the first file whose name has that of a class, "" where none has.
    """

    case: str
    probs: tuple[str, ...]
    label: str
    images: tuple[str, ...] = ()
    named: str = ""


def pairs_in(
    probs: Path,
    labels: Path,
    class_names: Sequence[str],
    *,
    foreground: bool = False,
    only: Sequence[str] = (),
    images: Path | None = None,
) -> tuple[list[Pair], list[str]]:
    """The cases of a folder of probabilities, sorted by name, and the labels that have none; the log tells other files.

    A file is of the case of whose label it has the name, alone or with an ending such as `_probs`. In a folder with
    the name of a case, all files are of this case. A file for each class ends in its name or its number.

    Args:
        probs: the folder of probabilities.
        labels: the folder of labels.
        class_names: the names of all classes, empty where nobody knows them.
        foreground: whether the background has no file of its own.
        only: the names of the cases that are wanted; all where there are none. Then no other label is said to lack any.
        images: a folder of images, or None.

    Raises:
        ValueError: a folder that is none or holds nothing of this kind, probabilities without a label, a case without
            an image, a class without its file, or two files for one.
    """
    check_folder("--probs", probs)
    files = [file for file in files_below(probs)[0] if file.name.lower().endswith(PROB_SUFFIXES)]
    of_labels = labels_in(labels, files)
    resolved = {file.resolve() for file in of_labels.values()}
    if files and all(file.resolve() in resolved for file in files):
        raise ValueError(f"--probs {probs} holds the labels of --labels, first {files[0].name}, and no probabilities")
    files = [file for file in files if file.resolve() not in resolved]
    if not files:
        raise ValueError(f"--probs {probs} holds no {', '.join(PROB_SUFFIXES)}; {held(probs)}")
    by_case, alone = files_by_case(files, probs, of_labels)
    found: dict[str, tuple[Path, ...]] = {}
    for case, rests in by_case.items():
        if chosen := chosen_of(case, rests, class_names, foreground=foreground):
            found[case] = chosen
    if by_case and not found:
        case, rests = next(iter(by_case.items()))
        raise ValueError(_of_no_name(probs, case, list(rests), class_names))
    _check_labels(probs, labels, alone, found, only)
    wanted = _wanted(only, found)
    used = {file for case in wanted for file in found[case]}
    of_scored = {file for case in wanted for file in by_case[case]}
    beside = [file for file in files if file in of_scored - used]
    others = [file for file in files if file not in of_scored]
    tell_passed_over(probs, {"other file(s) of scored cases": beside, "of no case that is scored": others})
    unused = {case: file for case, file in of_labels.items() if case not in wanted}
    tell_passed_over(labels, {"without probabilities, or not asked for": sorted(unused.values())})
    scored = [*of_labels.values(), *(file for chosen in found.values() for file in chosen)]
    of_images = {} if images is None else images_in(images, wanted, of_labels, scored)
    pairs = [
        Pair(
            case,
            tuple(map(str, found[case])),
            str(of_labels[case].absolute()),
            of_images.get(case, ()),
            _named(found[case], by_case[case], class_names),
        )
        for case in wanted
    ]
    return pairs, [] if only else sorted(unused)


def _named(files: Sequence[Path], rests: Mapping[Path, str], class_names: Sequence[str]) -> str:
    """The first file whose name has that of its class, "" if none has or one file has all classes."""
    lower = _as_in_files(class_names)
    return next((str(file) for file in files if len(files) > 1 and _word(rests[file]) in lower), "")


def _as_in_files(class_names: Sequence[str]) -> list[str]:
    """The names of classes as those of files have them."""
    return [name.lower().replace(" ", "_") for name in class_names]


def _word(rest: str) -> str:
    """What may be the name of a class in what the name of a file says beside the case."""
    return WORD_OF_PROBS.sub("", rest.lower()).strip(SEPARATORS).replace(" ", "_")


def _of_no_name(probs: Path, case: str, files: Sequence[Path], class_names: Sequence[str]) -> str:
    """The message of a folder in which no name says that a file holds probabilities, with the files of its first case.

    They may be segmentations, which no other name makes probabilities.
    """
    if _are_hard(files):
        return f"{files[0]} {A_SEGMENTATION}"
    suffix = files[0].name[len(stem_of(files[0])) :]
    hint = f"one of the classes {', '.join(class_names)}" if class_names else "a class that --classes names"
    return (
        f"no file of --probs {probs} has a name of probabilities, first {files[0]} of {case}: after the case, a name "
        f"may end in _probs, _softmax, _logits, or the number or name of {hint}, as {case}{suffix} or "
        f"{case}_probs{suffix}"
    )


def _are_hard(files: Sequence[Path]) -> bool:
    """Whether files are segmentations, one for each class."""
    return all(is_nifti(str(file)) and stored_in(str(file)).is_hard() for file in files)


def files_by_case(
    files: Sequence[Path], root: Path, cases: Collection[str]
) -> tuple[dict[str, dict[Path, str]], list[Path]]:
    """The files of each case of a folder, with what their names say beside the case; and the files of none."""
    by_case: dict[str, dict[Path, str]] = {}
    alone: list[Path] = []
    for file in files:
        case = _case_of(file, root, cases)
        if case is None:
            alone.append(file)
        else:
            by_case.setdefault(case, {})[file] = rest_of(stem_of(file), case)
    return by_case, alone


def _case_of(file: Path, root: Path, cases: Collection[str]) -> str | None:
    """The case to which a file belongs by its name, or by that of a folder it is in; the longest fits."""
    by_folder = [part for part in file.relative_to(root).parts[:-1] if part in cases]
    return case_named(stem_of(file), cases) or (by_folder[-1] if by_folder else None)


def chosen_of(
    case: str, rests: Mapping[Path, str], class_names: Sequence[str], *, foreground: bool
) -> tuple[Path, ...] | None:
    """The file or files with the probabilities of a case; None if none of its files has them.

    Args:
        case: its name.
        rests: by file of the case, what its name says beside it.
        class_names: of all classes.
        foreground: whether the background has no file of its own.

    Raises:
        ValueError: two files for one, a class without its file, or a file of no class.
    """
    whole = [file for file, rest in rests.items() if OF_PROBS.fullmatch(rest)]
    arrays = [file for file in whole if not is_nifti(str(file)) and not holds_labels(file)]
    niftis = [file for file in whole if is_nifti(str(file))]
    several = [file for file in niftis if len(stored_in(str(file)).shape) > SPATIAL_DIMS]
    named = [file for file in niftis if rests[file]]
    of_classes = () if arrays or several or named else _by_class(case, rests, class_names, foreground=foreground)
    single = foreground and len(class_names) in (0, 2) and len(of_classes) < 2  # noqa: PLR2004 - one structure
    volumes = [file for file in niftis if file not in several] if single else []
    _check_one_holds(case, [*arrays, *several, *of_classes[:1]], volumes)
    for best in (arrays, several, named, of_classes, niftis if foreground else niftis[:1]):
        if len(best) > 1 and best is not of_classes:
            raise ValueError(_of_two(case, best))
        if best:
            return tuple(best)
    return None


def _check_one_holds(case: str, holding: Sequence[Path], volumes: Sequence[Path]) -> None:
    """Raise ValueError if two files may be the probabilities of a case: those that are, and volumes but for masks."""
    if len(holding) + len(volumes) > 1:
        both = [*holding, *(file for file in volumes if not stored_in(str(file)).is_mask())]
        if len(both) > 1:
            raise ValueError(_of_two(case, both))


def _of_two(case: str, files: Sequence[Path]) -> str:
    """The message of two files of which only one can hold the probabilities of a case."""
    return f"{files[0]} and {files[1]} are both the probabilities of {case}; there must be one of them"


def _by_class(
    case: str, rests: Mapping[Path, str], class_names: Sequence[str], *, foreground: bool
) -> tuple[Path, ...]:
    """The files of each class of a case, in the order of the classes; none if no file is of a class."""
    lower = _as_in_files(class_names)
    of_class: dict[int, Path] = {}
    for file, rest in rests.items():
        number = OF_CLASS.fullmatch(rest)
        word = _word(rest)
        index = lower.index(word) if word in lower else int(number[1]) if number else None
        if index is None:
            continue
        if index in of_class:
            raise ValueError(
                f"{of_class[index]} and {file} are both class {index} of {case}; there must be one of them"
            )
        of_class[index] = file
    if not of_class:
        return ()
    wanted = range(1 if foreground else 0, len(class_names) or 1 + max(of_class, default=-1))
    missing = [index for index in wanted if index not in of_class]
    if missing:
        if _are_hard(list(of_class.values())):
            raise ValueError(f"{min(of_class.values())} {A_SEGMENTATION}")
        first = class_names[missing[0]] if class_names else missing[0]
        hint = "; where it is what the others leave, give --foreground" if missing == [0] else ""
        raise ValueError(f"{case} has a file for each class, {min(of_class.values())} first, but none of {first}{hint}")
    over = [of_class[index] for index in of_class if index not in wanted]
    if over:
        raise ValueError(f"{over[0]} is of no class: these are {', '.join(class_names)}")
    return tuple(of_class[index] for index in wanted)


def _check_labels(
    probs: Path, labels: Path, alone: Sequence[Path], found: Mapping[str, object], only: Sequence[str]
) -> None:
    """Raise ValueError if probabilities have no label, or nothing has one."""
    arrays = [file for file in alone if not is_nifti(str(file)) or _may_hold_probs(file)]
    if not found:
        first = (arrays or alone)[0] if alone else probs
        raise ValueError(
            f"no file of --probs {probs} has the name of a label of --labels {labels}, first {first}, whose label may "
            f"be called {stem_of(first)} or {stem_of(first)}_gt; {held(labels)}"
        )
    if arrays and not only:
        raise ValueError(
            f"{len(arrays)} file(s) of --probs {probs} have no label in --labels {labels}, first {arrays[0]}: give "
            "their labels, or name the cases to score by --cases"
        )


def _may_hold_probs(file: Path) -> bool:
    """Whether a NIfTI has channels, or values that a probability has and no segmentation."""
    stored = stored_in(str(file))
    return len(stored.shape) > SPATIAL_DIMS or stored.has_fractions()


def _wanted(only: Sequence[str], found: Mapping[str, object]) -> list[str]:
    """The cases that are wanted, sorted; raise ValueError if one is not there."""
    for case in only:
        if case not in found:
            raise ValueError(
                f"there is no case {case} with probabilities and a label{did_you_mean(case, list(found))}; there are "
                f"{first_of(sorted(found), MOST_FILES)}"
            )
    return sorted(set(only) or found)
