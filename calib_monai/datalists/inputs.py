"""Inputs: images of any folder, without labels, become cases to predict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from calib_monai.case_names import check_case_name, name_by_file
from calib_monai.datalists.dicom import dicom_cases
from calib_monai.datalists.splits import Case
from calib_monai.pictures import SUFFIXES

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", *SUFFIXES)
LABEL_ENDINGS = ("_gt", "_mask", "_segmentation")  # of a label that lies beside its image
INSIDE_A_CASE = ("anat", "images", "orig", "pre")  # folders that say nothing of the case


def images_in(path: Path) -> list[Case]:
    """The image at a path, or all of a folder's, `{"image": path, "case": name}`, sorted by name.

    Labels beside their images, as `NAME_gt.nii.gz`, are passed over, whichever of the suffixes the two have; capitals
    in a suffix are read too. Each DICOM series at any depth is an image, as `dicom_cases` finds them.

    Raises:
        ValueError: a path that is not there or holds no image, or two images of one name.
    """
    if not path.exists():
        raise ValueError(f"input {path} does not exist")
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        name, suffix = _name_and_suffix(file.name)
        if suffix and not file.name.startswith("."):
            if name in found:
                raise ValueError(
                    f"input {path} holds {name} twice, with other suffixes; both would be written to one place"
                )
            found[name] = file
    series = dicom_cases(path, IMAGE_SUFFIXES, found)
    if not found and not series:
        raise ValueError(f"input {path} holds no {', '.join(IMAGE_SUFFIXES)} or DICOM image")
    labels = {
        name for name in found for ending in LABEL_ENDINGS if ending in name and name.partition(ending)[0] in found
    }
    return [{"image": str(file), "case": name} for name, file in found.items() if name not in labels] + series


def listed_in(path: Path) -> list[Case]:
    """The cases that a JSON file lists, `{"image": path or paths, "case": name}`, in its order.

    It holds a list of paths, or of `{"image": PATH or [PATHS]}` with "case" where it is not to be called by its
    file; or such a list under "test" or "testing", as MONAI's and the Decathlon's. Paths start at its folder.

    Raises:
        ValueError: a file that is not there, is no JSON or lists something else, or two cases of one name.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ValueError(f"input {path} cannot be read") from None
    except ValueError as error:
        raise ValueError(f"input {path} is no JSON: {error}") from None
    for key in ("test", "testing"):
        content = content.get(key, content) if isinstance(content, dict) else content
    if not isinstance(content, list) or not content:
        raise ValueError(f"input {path} must hold a list of images, or one under 'test' or 'testing'")
    cases: dict[str, Case] = {}
    for entry in content:
        given = entry if isinstance(entry, dict) else {"image": entry}
        images = given.get("image")
        listed = images if isinstance(images, list) else [images]
        files = [file for file in listed if isinstance(file, str)]
        if not files or len(files) < len(listed):
            raise ValueError(f"input {path} lists {entry}; needed is a path, or {{'image': PATH or [PATHS]}}")
        paths = [str(path.parent / file) for file in files]
        case: Case = {"image": paths if len(paths) > 1 else paths[0], "case": name_by_file(files[0])}
        series = dicom_cases(Path(paths[0]), IMAGE_SUFFIXES) if len(paths) == 1 else []
        case |= series[0] if len(series) == 1 else {}
        name = given.get("case", case["case"])
        try:
            check_case_name(name)
        except ValueError as error:
            raise ValueError(f"input {path}: {error}") from None
        if name in cases:
            raise ValueError(f"input {path} lists {name} twice; both would be written to one place")
        cases[str(name)] = case | {"case": name}
    return list(cases.values())


def _name_and_suffix(file: str) -> tuple[str, str]:
    """The name of a file without the suffix of an image, and that suffix, empty where it has none."""
    suffix = next((suffix for suffix in IMAGE_SUFFIXES if file.lower().endswith(suffix)), "")
    return file[: len(file) - len(suffix)], suffix


def channels_in(path: Path, endings: Sequence[str]) -> list[Case]:
    """The cases in a folder or in its folders, `{"image": path or paths, "case": name}`, sorted by name.

    A case that lacks one of its files is a case too, which cannot be read.

    Args:
        path: the folder.
        endings: how the names of a case's files end, in the order of the channels. Where nothing stands before them the
            case is called by the folder that tells it from the others.

    Raises:
        ValueError: a path that is no folder or holds no case, or two cases of one name.
    """
    if not path.is_dir():
        raise ValueError(f"input {path} is not a folder; it must hold files that end in {', '.join(endings)}")
    found = [(file, ending) for ending in endings for file in path.rglob(f"*{ending}") if not file.name.startswith(".")]
    if not found:
        raise ValueError(f"input {path} holds no file that ends in {' or '.join(endings)}")
    firsts = sorted({file.with_name(file.name.removesuffix(ending) + endings[0]) for file, ending in found})
    cases: dict[str, Case] = {}
    for first, folder in zip(firsts, _telling_folders(path, firsts), strict=True):
        shared = first.name.removesuffix(endings[0])
        files = [first.with_name(shared + ending) for ending in endings]
        name = shared or folder
        if name in cases:
            raise ValueError(f"input {path} holds {name} twice, at {first} too; both would be written to one place")
        paths = [str(file) for file in files]
        cases[name] = {"image": paths if len(paths) > 1 else paths[0], "case": name}
    return [cases[name] for name in sorted(cases)]


def _telling_folders(root: Path, files: Sequence[Path]) -> list[str]:
    """Of each file in a folder the first part of its path in which the files differ.

    Of a single one the innermost folder that is none of `INSIDE_A_CASE`, wherever the given folder starts.
    """
    folders = [(root.resolve() / file.relative_to(root)).parent.parts for file in files]
    if len(folders) == 1:
        return [next((name for name in reversed(folders[0]) if name.lower() not in INSIDE_A_CASE), folders[0][-1])]
    place = next((place for place, names in enumerate(zip(*folders, strict=False)) if len(set(names)) > 1), -1)
    return [names[place] for names in folders]
