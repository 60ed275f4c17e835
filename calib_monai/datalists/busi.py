"""BUSI, lesions in breast ultrasound: its folder is read and written here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image

from calib_monai.arguments import check_switch
from calib_monai.datalists.duplicates import with_groups
from calib_monai.datalists.files import Volumes
from calib_monai.datalists.folders import dataset_folder, held
from calib_monai.datalists.splits import Case, PartialSplit, Split, split_cases

PUBLISHED_COUNTS = (445, 65, 137)
FOLDERS = ("benign", "malignant")
NORMAL = "normal"
MASK = re.compile(r"(.+)_mask(_\d+)?")


def busi_split(
    dataset_dir: str, seed: int = 0, fold: int = 0, *, normal: bool = False, group_duplicates: bool = True
) -> Split:
    """Training, validation and test images: 445, 65 and 137 as in MbLS, or the same proportions.

    Near-duplicates count as one image and stay together, like cases of one patient.

    Args:
        dataset_dir: the folder that holds `benign` and `malignant`.
        seed: another seed draws another split.
        fold: fold of a cross-validation.
        normal: whether to include images without a lesion.
        group_duplicates: whether near-duplicates stay together; if not, images are drawn one by one, as in the papers.

    Raises:
        ValueError: as `read_busi` and `split_cases`, or a `group_duplicates` that is neither True nor False.
    """
    check_switch("group_duplicates", group_duplicates)
    cases = read_busi(dataset_dir, normal=normal)
    split = split_cases(with_groups(cases) if group_duplicates else cases, PUBLISHED_COUNTS, seed, fold)
    return PartialSplit(split, () if normal else map(str, (Path(dataset_dir) / NORMAL).glob("*.png")))


def read_busi(dataset_dir: str, *, normal: bool = False) -> list[Case]:
    """Cases `{"image": path, "label": paths, "case": name}`, sorted by name: an image and one or more masks.

    Args:
        dataset_dir: the folder that holds `benign` and `malignant`.
        normal: whether to include images of `normal`.

    Raises:
        ValueError: a folder that is missing or empty, an image without its first mask or a mask without its image
            (named), or a `normal` that is neither True nor False.
    """
    check_switch("normal", normal)
    root = dataset_folder(dataset_dir, "benign")
    cases: list[Case] = []
    for name in (*FOLDERS, NORMAL) if normal else FOLDERS:
        folder = root / name
        if not folder.is_dir():
            inside = next((path.parent for path in sorted(root.glob(f"*/{name}"))), None)
            hint = f"; did you mean {inside}?" if inside else ""
            raise ValueError(f"dataset_dir {root} has no folder {name}{hint}; {held(root)}")
        cases += _cases(folder)
    return sorted(cases, key=lambda case: str(case["case"]))


def _cases(folder: Path) -> list[Case]:
    """The images of one folder with their masks, `NAME_mask.png`, `NAME_mask_1.png` and so on."""
    files = sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))
    masks: dict[str, list[str]] = {path.stem: [] for path in files if not MASK.fullmatch(path.stem)}
    if not masks:
        raise ValueError(f"{folder} holds no image NAME.png")
    for path in files:
        mask = MASK.fullmatch(path.stem)
        if mask and mask[1] not in masks:
            raise ValueError(f"the mask {path} has no image {mask[1]}.png beside it")
        if mask:
            masks[mask[1]].append(str(path))
    alone = next((name for name, paths in masks.items() if f"{folder / name}_mask.png" not in paths), None)
    if alone:
        raise ValueError(f"the image {folder / alone}.png has no mask {alone}_mask.png beside it")
    return [{"image": str(folder / f"{name}.png"), "label": paths, "case": name} for name, paths in masks.items()]


def write_busi(dataset_dir: str, cases: Volumes) -> None:
    """Write the middle slices of cases of classes 0, 1 as the folder; files of the same name are replaced.

    The modes of the files are those of the release: images RGB, masks of one bit, some RGBA, and the lesion of every
    third image in two masks.
    """
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        kind = FOLDERS[number % 2]
        folder = Path(dataset_dir) / kind
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{kind} ({number // 2 + 1})"
        middle = image.shape[-1] // 2
        gray = (255 * image[..., middle] / image.max()).astype(np.uint8).T
        Image.fromarray(gray).convert("RGB").save(folder / f"{name}.png")
        mask = (label[..., middle] > 0).T
        parts = np.split(mask, [len(mask) // 2]) if number % 3 == 0 else [mask]
        for place, part in enumerate(parts):
            whole = np.zeros_like(mask)
            start = place * (len(mask) // 2)
            whole[start : start + len(part)] = part
            picture = Image.fromarray(whole)
            ending = f"_{place}" if place else ""
            (picture.convert("RGBA") if number % 4 == 0 else picture).save(folder / f"{name}_mask{ending}.png")
