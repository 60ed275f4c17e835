"""Found cases: gives each case a name of its own and absolute paths."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import itk

from calib_monai.case_keys import IMAGE_AND_LABEL
from calib_monai.case_names import case_of, check_case_name, check_different, name_by_file, shown_image
from calib_monai.datalists.folders import MOST_FILES, files_below, tell_passed_over
from calib_monai.datalists.inputs import IMAGE_SUFFIXES
from calib_monai.datalists.splits import Case, Split
from calib_monai.headers import doubt_of_place, is_nifti
from calib_monai.held_images import is_held
from calib_monai.left_labels import tell_like_labels
from calib_monai.made_for import far_from_training, read_model_json
from calib_monai.nrrd_spaces import doubt_of_space
from calib_monai.other_spelling import spelled_otherwise
from calib_monai.processes import is_first_process
from calib_monai.seen import Seen
from calib_monai.spelling import first_of
from calib_monai.volumes import files_of

LEAST_EDGE, MOST_EDGE = 0.01, 50.0  # mm, of the voxels of scans
ITK_PARTS = ("ImageFileReader", "PyBuffer")  # and with the first everything that reads a format

logger = logging.getLogger(__name__)


def settle(cases: Iterable[Case]) -> None:
    """Make the paths of cases absolute, and name a case after its file if it has no name.

    ITK changes the working directory while it loads its parts, at the first read of a file. So they are loaded here,
    before several threads read.

    Raises:
        ValueError: a name that a case cannot have, or that two cases have; the message names the file.
    """
    settled = list(cases)
    for case in settled:
        case |= {key: _absolute(case[key]) for key in IMAGE_AND_LABEL if key in case and not is_held(case[key])}
        name = case.setdefault("case", case_of(case) if is_held(case["image"]) else name_by_file(files_of(case)[0]))
        check_case_name(name, where=shown_image(case["image"]))
        if not all(map(is_nifti, files_of(case))):
            for part in ITK_PARTS:
                getattr(itk, part)
    check_different(settled)


def tell_doubts(cases: Iterable[Case]) -> None:
    """Warn of files whose headers leave their place in doubt: a line for each doubt, with the number of files."""
    if not is_first_process():
        return
    doubts: dict[str, list[str]] = {}
    for file in (file for case in cases for file in files_of(case)):
        if doubt := doubt_of_place(file) if is_nifti(file) else doubt_of_space(file):
            doubts.setdefault(doubt, []).append(file)
    for doubt, files in doubts.items():
        logger.warning("%d file(s), first %s, %s", len(files), files[0], doubt)


def tell_odd_voxels(spacings: Mapping[str, Sequence[float]]) -> None:
    """Warn, in one line, of voxels that no scanner makes: their file may give other units than it says.

    Args:
        spacings: edges of the voxels in mm, by case.
    """
    odd = [name for name, edges in spacings.items() if not LEAST_EDGE <= min(edges) <= max(edges) <= MOST_EDGE]
    if odd and is_first_process():
        edges = " x ".join(f"{edge:.4g}" for edge in spacings[odd[0]])
        logger.warning(
            "%d of %d case(s) have voxels with an edge outside of %s to %s mm, first %s with %s mm: are these the "
            "units that the file says? All lengths and volumes depend on them",
            *(len(odd), len(spacings), LEAST_EDGE, MOST_EDGE, odd[0], edges),
        )


def check_shown(sets: Mapping[str, Sequence[Case]], shows: Sequence[bool]) -> None:
    """Raise ValueError if no label of a set shows a structure; warn, in one line, of the labels that show none.

    Without a structure a network learns nothing, and no validation says which model is best. The test cases of a
    training are passed over, which it does not measure.

    Args:
        sets: the cases by set.
        shows: for each case of the sets, in order, whether its label shows a structure.
    """
    told, cases = iter(shows), [case for of_set in sets.values() for case in of_set]
    by_set = {name: [next(told) for _ in of_set] for name, of_set in sets.items()}
    for name, found in by_set.items():
        if found and not any(found) and not (name == "test" and len(sets) > 1):
            first = sets[name][0]["case"]
            raise ValueError(f"none of the {len(found)} labels for {name}, first that of {first}, shows a structure")
    names = [str(case["case"]) for case, shown in zip(cases, shows, strict=True) if not shown]
    if names and is_first_process():
        told_names = first_of(names, MOST_FILES)
        logger.warning("the label(s) of %d of %d case(s) show no structure: %s", len(names), len(cases), told_names)


def tell_unseen_classes(classes: Sequence[frozenset[int]], names: Sequence[str]) -> None:
    """Warn, in one line, of the classes that no training label shows; the background is passed over.

    Args:
        classes: the classes that the label of each training case shows.
        names: of all classes, the background first.
    """
    shown: frozenset[int] = frozenset().union(*classes)
    unseen = [f"{index} ({name})" for index, name in enumerate(names) if index and index not in shown]
    if classes and unseen and is_first_process():
        logger.warning(
            "no label of the %d training cases shows class %s: a network cannot learn it; if your labels do not have "
            "it, take it out of class_names",
            len(classes),
            first_of(unseen, MOST_FILES),
        )


def tell_left_out(datalist: Callable[..., object], split: Split) -> None:
    """Log the images in the folder of a data set that belong to no case.

    Those that look like labels of a case are a warning, and so are those whose names are spelled otherwise than the
    names of the cases, which come first.

    Args:
        datalist: what gave the split; as a partial function it knows its `dataset_dir`.
        split: all cases that it gave. Those that an option leaves out are cases too.
    """
    given = getattr(datalist, "keywords", {}).get("dataset_dir")
    if not isinstance(given, str) or not is_first_process():
        return
    root = Path(given).absolute()
    files_of_cases = {file for case in chain(*split.values()) for file in files_of(case)} | getattr(
        split, "left_out", set()
    )
    used = {os.path.realpath(file) for file in files_of_cases}  # which takes links that lead in a circle
    files, hidden = files_below(root)
    others = [
        file
        for file in files
        if file.name.lower().endswith(IMAGE_SUFFIXES)
        and not {os.path.realpath(path) for path in (file, file.parent)} & used
    ]
    others = tell_like_labels(others, chain(*split.values()))
    spelled = spelled_otherwise(others, map(Path, files_of_cases), root)
    others.sort(key=lambda file: file not in spelled)
    level = logging.WARNING if spelled else logging.INFO
    tell_passed_over(root, {"of no case": others, "hidden": hidden}, level)


def _absolute(paths: str | list[str]) -> str | list[str]:
    """A path or paths, from the root on; links stay."""
    return str(Path(paths).absolute()) if isinstance(paths, str) else [str(Path(path).absolute()) for path in paths]


def check_found(sets: Mapping[str, Sequence[Case]], seen: Sequence[Seen], ckpt_dir: str | None) -> None:
    """Raise ValueError as `check_shown`; warn, in one line, of images far from those that a model was trained on.

    Args:
        sets: the cases by set.
        seen: what was seen of each case, in order.
        ckpt_dir: folder of the model, None if its training or split has the cases.
    """
    check_shown(sets, [one.shows for one in seen])
    geometries = {str(case["case"]): one.geometry for case, one in zip(chain(*sets.values()), seen, strict=True)}
    tell_odd_voxels({name: geometry.spacing for name, geometry in geometries.items()})
    trained = None if ckpt_dir is None else read_model_json(ckpt_dir)
    far = [(name, how) for name, one in geometries.items() if (how := far_from_training(one, trained))]
    if far and is_first_process():
        name, how = far[0]
        logger.warning(
            "%d of %d case(s) are far outside of what the model was trained on, first %s: %s",
            len(far),
            len(geometries),
            name,
            how,
        )
