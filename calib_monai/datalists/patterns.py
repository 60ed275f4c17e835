"""Patterns: finds the cases of a folder by the names of their files."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from calib_monai.arguments import check_switch
from calib_monai.datalists.folders import MOST_FILES, dataset_folder, held
from calib_monai.datalists.patients import with_patients
from calib_monai.datalists.splits import Case, Split, split_cases
from calib_monai.datalists.star_folders import warn_of_folders
from calib_monai.spelling import first_of

SEVERAL = "; unite the masks of a case in one file, or for pictures set several_masks of the datalist to true"
TEST_SET = re.compile(r"Ts(/|$)|test|unlabell?ed|validation|(^|/)val(/|$)|inference|hidden", re.IGNORECASE)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Layout:
    """The places of the files of a data set in its folder, and the sizes of its published split.

    Args:
        images: as in `find_cases`.
        label: as in `find_cases`.
        counts: numbers of training, validation and test cases, or their proportions.
        places: as in `find_cases`.
        unlabeled: as in `find_cases`.
    """

    images: tuple[str, ...]
    label: str
    counts: tuple[int, int, int]
    places: tuple[str, ...] = ("",)
    unlabeled: bool = False

    def split(self, dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
        """Training, validation and test cases.

        Args:
            dataset_dir: the folder.
            seed: another seed draws another split.
            fold: of a cross-validation.

        Raises:
            ValueError: as `find_cases` and `split_cases`.
        """
        return split_cases(self.read(dataset_dir), self.counts, seed, fold)

    def read(self, dataset_dir: str) -> list[Case]:
        """Cases of the folder, as `find_cases` gives them."""
        return find_cases(dataset_dir, self.images, self.label, self.places, unlabeled=self.unlabeled)


def pattern_split(
    dataset_dir: str,
    images: Sequence[str],
    label: str,
    counts: tuple[int, int, int] = (7, 1, 2),
    seed: int = 0,
    fold: int = 0,
    patient: str = "",
    *,
    several_masks: bool = False,
) -> Split:
    """Training, validation and test cases of a folder whose files are named by patterns.

    Args:
        dataset_dir: the folder.
        images: as in `find_cases`.
        label: as in `find_cases`.
        counts: numbers of training, validation and test cases, or their proportions.
        seed: another seed draws another split.
        fold: of a cross-validation.
        patient: as `pattern` in `with_patients`; "" where each case is a patient.
        several_masks: as in `find_cases`.

    Raises:
        ValueError: as `find_cases`, `with_patients` and `split_cases`.
    """
    cases = find_cases(dataset_dir, images, label, several_masks=several_masks)
    return split_cases(with_patients(cases, dataset_dir, patient) if patient else cases, counts, seed, fold)


def find_cases(
    dataset_dir: str,
    images: Sequence[str],
    label: str,
    places: Sequence[str] = ("",),
    *,
    unlabeled: bool = False,
    several_masks: bool = False,
) -> list[Case]:
    """Cases `{"image": path or paths, "label": path or paths, "case": name}` of a folder, sorted by name.

    A pattern is a path inside the folder. `{case}` stands for the name of the case, wherever it occurs, and `*` for any
    text. Hidden files (such as `._NAME` in some archives) are skipped. A folder with the name of a test set, such as
    `imagesTs` or `testing`, in which no image has a label, is skipped with a warning. A warning also names two files of
    one case that lie in different folders where their patterns have `*`. Names that differ only in Unicode's way to
    write an accent are equal.

    Args:
        dataset_dir: the folder.
        images: a pattern for each channel of the image.
        label: the pattern of the labels.
        places: folders inside the folder in which the release may lie, as patterns.
        unlabeled: whether images without a label are skipped.
        several_masks: whether a case may have several masks, which is for pictures: their loader unites them.

    Raises:
        ValueError: no pattern of an image, one as `check_pattern` refuses, a folder that is missing or holds no label,
            a label without one of its images or an image without its label, or two files for one (all named);
            or a `several_masks` that is neither True nor False.
    """
    check_switch("several_masks", several_masks)
    if not images:
        raise ValueError("images is empty; it must have a pattern for each channel of the image")
    for pattern in (*images, label):
        check_pattern(pattern)
    images, label = [_plain(pattern) for pattern in images], _plain(label)
    root = dataset_folder(dataset_dir, label)
    names: dict[str, str] = {}
    masks = _found(root, label, places, names)
    labels = {case: paths[0] for case, paths in masks.items()} if several_masks else _one_each(masks, SEVERAL)
    if not labels:
        above = next((child for child in sorted(root.glob("*/")) if _found(child, label, places, {})), None)
        hint = f"; did you mean {above}?" if above else ""
        looked_in = " or ".join([place or "itself" for place in places])
        raise ValueError(f"dataset_dir {root} holds no label {label}, in {looked_in}{hint}; {held(root)}")
    files_of = [_found(root, pattern, places, names, besides={*chain(*masks.values())}) for pattern in images]
    kept = [_without_test_sets(root, *channel, labels) for channel in zip(images, files_of, strict=True)]
    channels = [_one_each(files) for files in kept]
    aside = sorted(path for paths in files_of[0].values() for path in paths if path not in channels[0].values())
    if aside:
        logger.warning("%d image(s) without a label are skipped, first %s", len(aside), aside[0])
    for pattern, files in zip(images, channels, strict=True):
        _check_partners("label", labels, pattern, files)
        if not unlabeled:
            _check_partners("image", files, label, labels)
    warn_of_folders([*zip(images, channels, strict=True), (label, labels)])
    cases: list[Case] = []
    for case in sorted(labels):
        paths = [str(files[case]) for files in channels]
        of_case = [str(path) for path in masks[case]]
        cases.append({"image": _alone(paths), "label": _alone(of_case), "case": case})
    return cases


def _alone(paths: list[str]) -> str | list[str]:
    """A single path, or all of several."""
    return paths if len(paths) > 1 else paths[0]


def check_pattern(pattern: str) -> None:
    """Raise ValueError if a pattern does not name the case, holds **, or is no path inside the folder of a data set."""
    if "{case}" not in pattern:
        raise ValueError(f"the pattern {pattern!r} must name the case: put {{case}} where its name stands")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise ValueError(f"the pattern {pattern!r} must be a path inside dataset_dir, which it leaves out")
    if "**" in pattern:
        raise ValueError(f"the pattern {pattern!r} must not hold **: write one * for each folder")


def is_named(path: Path, pattern: str) -> bool:
    """Whether the end of a path matches a pattern, as `find_cases` takes it.

    Args:
        path: of a file, with as many folders as the pattern has.
        pattern: such as "labels/{case}.nii.gz".

    Examples:
        >>> is_named(Path("data/labels/p1.nii.gz"), "labels/{case}.nii.gz")
        True
    """
    pattern = _plain(pattern)
    return _expression(pattern).fullmatch("/".join(path.parts[-len(Path(pattern).parts) :])) is not None


def _plain(pattern: str) -> str:
    """A pattern without what says nothing: "." for the same folder, and a second slash."""
    return PurePosixPath(pattern).as_posix()


def _found(
    root: Path, pattern: str, places: Sequence[str], names: dict[str, str], besides: Container[Path] = ()
) -> dict[str, list[Path]]:
    """The files that match a pattern, by case, in all places, without those in `besides`.

    Args:
        root: the folder of the data set.
        pattern: as in `find_cases`.
        places: as in `find_cases`.
        names: the names of cases by their Unicode normal form; new ones are added.
        besides: files that are left out.
    """
    found: dict[str, list[Path]] = {}
    for place in places:
        whole = f"{place}/{pattern}" if place else pattern
        expression = _expression(whole)
        for path in sorted(root.glob(_of_glob(whole))):
            match = expression.fullmatch(path.relative_to(root).as_posix())
            if match and path not in besides:
                case = names.setdefault(normalize("NFC", match["case"]), match["case"])
                found.setdefault(case, []).append(path)
    return {case: list(dict.fromkeys(paths)) for case, paths in found.items()}


def _of_glob(pattern: str) -> str:
    """A pattern as `Path.glob` takes it, to which other characters than `*` say something, too."""
    return re.sub(r"\*+", "*", re.sub(r"[\[?]", r"[\g<0>]", pattern.replace("{case}", "*")))


def _without_test_sets(
    root: Path, pattern: str, found: dict[str, list[Path]], labels: Container[str]
) -> dict[str, list[Path]]:
    """The files of `found`, without folders that have the name of a test set and hold no case with a label."""
    above = len(pattern[pattern.index("{case}") :].split("/")) - 1  # folders between a file and that of all cases
    folders: dict[Path, list[str]] = {}
    for case, paths in found.items():
        for path in paths:
            folders.setdefault(path.parents[above], []).append(case)
    aside = {
        folder
        for folder, cases in folders.items()
        if TEST_SET.search(folder.relative_to(root).as_posix())
        and all(case not in labels or len(found[case]) > 1 for case in cases)
    }
    kept = {case: [path for path in paths if path.parents[above] not in aside] for case, paths in found.items()}
    return {case: paths for case, paths in kept.items() if paths}


def _one_each(found: dict[str, list[Path]], mend: str = "") -> dict[str, Path]:
    """The single file of each case; raise ValueError, with what mends it, if there are two."""
    for case, paths in found.items():
        if len(paths) > 1:
            raise ValueError(f"{paths[0]} and {paths[1]} are of one case, {case}; there must be one of them{mend}")
    return {case: paths[0] for case, paths in found.items()}


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression with the group `case`."""
    before, *after = pattern.split("{case}")
    escaped = [re.escape(part).replace(r"\*", r"(?:[^/.][^/]*)?") for part in (before, *after)]
    return re.compile(escaped[0] + r"(?P<case>[^/.][^/]*)" + "(?P=case)".join(escaped[1:]))


def _check_partners(kind: str, files: dict[str, Path], pattern: str, partners: dict[str, Path]) -> None:
    """Raise ValueError if a file has no partner; the message names the first files and the missing pattern."""
    alone = [path for case, path in sorted(files.items()) if case not in partners]
    if alone:
        shown = first_of(list(map(str, alone)), MOST_FILES)
        raise ValueError(f"{len(alone)} {kind}(s) without a partner {pattern}: {shown}")
