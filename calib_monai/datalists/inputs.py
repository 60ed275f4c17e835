"""Inputs: finds images without labels in any folder, as cases to predict."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from monai.utils import ensure_tuple

from calib_monai.case_names import as_case_name, case_of, check_case_name, name_by_file, shown_image
from calib_monai.datalists.dicom import dicom_cases
from calib_monai.datalists.folders import files_below, tell_passed_over
from calib_monai.datalists.patterns import is_named
from calib_monai.datalists.splits import Case
from calib_monai.dicom import is_dicom
from calib_monai.held_images import is_held
from calib_monai.pictures import SUFFIXES
from calib_monai.whole_files import read_json

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", *SUFFIXES)
BESIDE_AN_IMAGE = (".raw", ".raw.gz", ".zraw", ".json")  # voxels, and what others say of an image
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")  # characters, but a tab
MOST_SHOWN = 200  # characters of an entry of a list that is refused
MOST_OF_A_SERIES = 20_000  # files in a folder that a list names, and in its folders
LABEL = re.compile(r"(.+)[_.-](gt|label|mask|seg|segmentation)(_\d+)?", re.IGNORECASE)  # that lies beside its image
LABEL_FOLDER = re.compile(r"(gt|labels?|.*masks?|seg|segmentations?)(tr|ts)?", re.IGNORECASE)
INSIDE_A_CASE = ("anat", "images", "orig", "pre")  # folders that say nothing of the case


def images_in(path: Path, is_label: Callable[[Path], bool] | None = None, label: str = "") -> list[Case]:
    """The image at a path, or all images in a folder and its folders, `{"image": path, "case": name}`.

    They are sorted by path. A case is named after its file; if files in different folders have the same name, the
    folder is added. Suffixes may have capitals. Each DICOM series at any depth is an image, see `dicom_cases`. The log
    names the skipped files: labels (`NAME_gt.nii.gz` beside an image, or `NAME.nii.gz` in a folder of labels), results
    of an inference, hidden files, and other formats.

    Args:
        path: the image or the folder.
        is_label: for a data set whose labels have other names: whether a path below the folder is a label.
        label: the pattern of the data set's labels, as in `find_cases`; "" if there is none.

    Raises:
        ValueError: a path that does not exist or holds no image, or two images of one name.
    """
    if not path.exists():
        raise ValueError(f"input {path} does not exist")
    files, hidden = files_below(path) if path.is_dir() else ([path], [])
    written = _written(files)
    images = [file for file in files if file not in written and _name_and_suffix(file.name)[1]]
    labels = _labels(path, images) if path.is_dir() else set()
    root = path if path.is_dir() else path.absolute().parent.parent
    labels |= {file for file in images if is_label and is_label(file.absolute().relative_to(root.absolute()))}
    labels |= {file for file in images if label and is_named(file.absolute(), label)}
    images = [file for file in images if file not in labels]
    names = _names(path, images)
    series = dicom_cases(path, IMAGE_SUFFIXES, names)
    if not images and not series:
        told = f", but label(s), first {min(labels)}" if labels else ""
        raise ValueError(f"input {path} holds no {', '.join(IMAGE_SUFFIXES)} or DICOM image{told}")
    of_series = {file for case in series for file in ensure_tuple(case["image"])}
    read = {*images, *labels, *written}
    others = [file for file in files if file not in read and not {str(file), str(file.parent)} & of_series]
    if path.is_dir():
        others = [file for file in others if not file.name.lower().endswith(BESIDE_AN_IMAGE) and not is_dicom(file)]
        passed_over = {"label(s)": sorted(labels), "written by an inference": sorted(written), "hidden": hidden}
        tell_passed_over(path, {**passed_over, "of no format of images": others})
    return [{"image": str(file), "case": name} for file, name in zip(images, names, strict=True)] + series


def _names(root: Path, images: Sequence[Path]) -> list[str]:
    """The name of each image: from its file, and also from its folders if several files have the same name."""
    return _told_apart(root, images, [name_by_file(file.name) for file in images])


def _told_apart(root: Path, images: Sequence[Path], names: Sequence[str]) -> list[str]:
    """The names of images, with their folders if several have the same name; ValueError if they stay the same."""
    count = Counter(names)
    told = [
        as_case_name("_".join([*file.relative_to(root).parts[:-1], name])) if count[name] > 1 else name
        for file, name in zip(images, names, strict=True)
    ]
    twice = next((name for name, times in Counter(told).items() if times > 1), None)
    if twice:
        first, second, *_ = [file.relative_to(root) for file, name in zip(images, told, strict=True) if name == twice]
        raise ValueError(
            f"input {root} holds {twice} twice, as {first} and {second}; both would be written to one place: rename one"
        )
    return told


def _labels(root: Path, images: Sequence[Path]) -> set[Path]:
    """The images that are labels of others, by their own names or by the name of a folder."""
    stems = {(file.parent, _name_and_suffix(file.name)[0]) for file in images}
    in_folders = {file for file in images if any(map(LABEL_FOLDER.fullmatch, file.relative_to(root).parts[:-1]))}
    others = [_name_and_suffix(file.name)[0] for file in images if file not in in_folders]
    labels: set[Path] = set()
    for file in images:
        name = _name_and_suffix(file.name)[0]
        beside = LABEL.fullmatch(name)
        elsewhere = file in in_folders and any(other == name or other.startswith(f"{name}_") for other in others)
        if elsewhere or (beside and (file.parent, beside[1]) in stems):
            labels.add(file)
    return labels


def _written(files: Sequence[Path]) -> set[Path]:
    """The files in folders that an inference wrote for a case."""
    folders = {file.parent for file in files if file.name == f"{file.parent.name}_structures.json"}
    return {file for file in files if file.parent in folders}


def listed_in(path: Path, endings: Sequence[str] = ()) -> list[Case]:
    """The cases that a JSON file lists, `{"image": path or paths, "case": name}`, in its order.

    The file holds a list of paths, or of `{"image": PATH or [PATHS]}` with an optional "case" as the name. The list may
    also stand under "test" or "testing", as in the files of MONAI and the Decathlon. Paths start at the file's folder.

    Args:
        path: the JSON file.
        endings: as in `listed_cases`.

    Raises:
        ValueError: a file that does not exist, is not JSON or lists something else, or two cases of one name.
    """
    content = read_json(path, "input")
    for key in ("test", "testing"):
        content = content.get(key, content) if isinstance(content, dict) else content
    if not isinstance(content, list) or not content:
        raise ValueError(f"input {path} must hold a list of images, or one under 'test' or 'testing'")
    return listed_cases(content, f"input {path}", path.parent, endings)


def listed_cases(listed: Sequence[Any], where: str, folder: Path = Path(), endings: Sequence[str] = ()) -> list[Case]:
    """The cases of a list, `{"image": path, paths or what is in memory, "case": name}`, in its order.

    Args:
        listed: paths, or `{"image": PATH or [PATHS]}` with an optional "case" as the name. An image may also be in
            memory.
        where: the place of the list, for messages.
        folder: where relative paths start.
        endings: as in `channels_in`. A case without a name, whose files have them, is called as in a folder.

    Raises:
        ValueError: an empty list, an entry of another kind, or two cases of one name.
    """
    if not listed:
        raise ValueError(f"{where} is an empty list; it must hold images")
    cases: dict[str, Case] = {}
    entries = [entry if isinstance(entry, Mapping) else {"image": entry} for entry in listed]
    found = [_listed_case(given.get("image"), folder) for given in entries]
    _name_by_endings(found, endings)
    for entry, given, case in zip(listed, entries, found, strict=True):
        if not case:
            shown = repr(entry) if len(repr(entry)) <= MOST_SHOWN else f"{repr(entry)[:MOST_SHOWN]}..."
            raise ValueError(
                f"{where} lists {shown}; needed is a path without control characters, or {{'image': PATH or [PATHS]}}"
            )
        name = given.get("case", case["case"])
        check_case_name(name, where=where)
        if name in cases:
            first, second = shown_image(cases[name]["image"]), shown_image(case["image"])
            told = f"{first} and {second}, and both are called {name}" if first != second else f"{name} twice, {first}"
            raise ValueError(f'{where} lists {told}; both would be written to one place: name each by "case"')
        cases[str(name)] = case | {"case": name}
    return list(cases.values())


def _listed_case(image: Any, folder: Path) -> Case:
    """The case of an image in a list, with the name of its file; nothing if it is neither in memory nor in files."""
    if is_held(image):
        return {"image": image, "case": case_of({"image": image})}
    listed = list(image) if isinstance(image, list | tuple) else [image]
    if not listed or not all(map(_is_path, listed)):
        return {}
    paths = [str(folder / file) for file in listed]
    case: Case = {"image": paths if len(paths) > 1 else paths[0], "case": name_by_file(paths[0])}
    series = dicom_cases(Path(paths[0]), IMAGE_SUFFIXES, most=MOST_OF_A_SERIES) if len(paths) == 1 else []
    return case | series[0] if len(series) == 1 else case


def _name_by_endings(cases: Sequence[Case], endings: Sequence[str]) -> None:
    """Call cases whose files have the endings by what stands before the first, or by a folder where nothing does."""
    ended: list[tuple[Case, Path]] = []
    for case in cases:
        image = case.get("image", "")
        files = [image] if isinstance(image, str) else image
        if endings and not is_held(image) and len(files) == len(endings) and all(map(str.endswith, files, endings)):
            ended.append((case, Path(files[0]).absolute()))
    root = Path(ended[0][1].anchor) if ended else Path()
    for (case, file), above in zip(ended, _telling_folders(root, [file for _, file in ended]), strict=True):
        case["case"] = as_case_name(file.name.removesuffix(endings[0]) or above)


def _is_path(file: Any) -> bool:
    """Whether an entry can be the path of a file; one with a line break would break every message about it."""
    return isinstance(file, str | PathLike) and str(file) != "" and not CONTROL.search(str(file))


def ended_in(
    path: Path, endings: Sequence[str], is_label: Callable[[Path], bool] | None = None, label: str = ""
) -> list[Case]:
    """The cases at a path, as `channels_in` finds them if an image has several files, else as `images_in`.

    With one ending, an image whose name has it is called by what stands before it, or by its folder; images without it
    in the same folder are passed over. If no image has it, all are cases.

    Args:
        path: as in `images_in`.
        endings: as in `channels_in`; none if images are called by their files.
        is_label: as in `images_in`.
        label: as in `images_in`.

    Raises:
        ValueError: as `channels_in` or `images_in`.
    """
    if len(endings) > 1:
        return channels_in(path, endings)
    found = images_in(path, is_label, label)
    single = [Path(case["image"]) for case in found if isinstance(case["image"], str)]
    files = [file for file in single if endings and file.name.endswith(endings[0])]
    if not files:
        return found
    root = path if path.is_dir() else path.parent
    tell_passed_over(path, {f"do not end in {endings[0]}": [file for file in single if file not in files]})
    named = zip(files, _telling_folders(root, files), strict=True)
    names = [as_case_name(file.name.removesuffix(endings[0]) or folder) for file, folder in named]
    return [{"image": str(f), "case": name} for f, name in zip(files, _told_apart(root, files, names), strict=True)]


def _name_and_suffix(file: str) -> tuple[str, str]:
    """The name of a file without the suffix of an image, and that suffix, empty where it has none."""
    suffix = next((suffix for suffix in IMAGE_SUFFIXES if file.lower().endswith(suffix)), "")
    return file[: len(file) - len(suffix)], suffix


def channels_in(path: Path, endings: Sequence[str]) -> list[Case]:
    """The cases in a folder or in its folders, `{"image": path or paths, "case": name}`, sorted by name.

    A case that lacks one of its files is listed, too; reading it fails later.

    Args:
        path: the folder.
        endings: the ends of the names of a case's files, in the order of the channels. If a name has nothing before its
            end, the case is named after the folder in which it differs from others.

    Raises:
        ValueError: a path that is not a folder or holds no case, or two cases of one name.
    """
    if not path.is_dir():
        raise ValueError(f"input {path} is not a folder; it must hold files that end in {', '.join(endings)}")
    files, hidden = files_below(path)
    written = _written(files)
    found = [(file, end) for end in endings for file in files if file.name.endswith(end) and file not in written]
    if not found:
        raise ValueError(f"input {path} holds no file that ends in {' or '.join(endings)}")
    firsts = sorted({file.with_name(file.name.removesuffix(ending) + endings[0]) for file, ending in found})
    cases: dict[str, Case] = {}
    for first, folder in zip(firsts, _telling_folders(path, firsts), strict=True):
        shared = first.name.removesuffix(endings[0])
        paths = [str(first.with_name(shared + ending)) for ending in endings]
        name = as_case_name(shared or folder)
        if name in cases:
            raise ValueError(f"input {path} holds {name} twice, at {first} too; both would be written to one place")
        cases[name] = {"image": paths if len(paths) > 1 else paths[0], "case": name}
    read = {*written, *(file for file, _ in found)}
    others = [file for file in files if file not in read and _name_and_suffix(file.name)[1]]
    passed_over = {f"end in none of {', '.join(endings)}": others, "written by an inference": sorted(written)}
    tell_passed_over(path, {**passed_over, "hidden": hidden})
    return [cases[name] for name in sorted(cases)]


def _telling_folders(root: Path, files: Sequence[Path]) -> list[str]:
    """For each file in a folder, the first part of its path in which the files differ.

    For a single file, this is its innermost folder that is not in `INSIDE_A_CASE`.
    """
    folders = [(root.resolve() / file.relative_to(root)).parent.parts for file in files]
    if len(folders) == 1:
        return [next((name for name in reversed(folders[0]) if name.lower() not in INSIDE_A_CASE), folders[0][-1])]
    place = next((place for place, names in enumerate(zip(*folders, strict=False)) if len(set(names)) > 1), -1)
    return [names[place] for names in folders]
