"""Hippocampus of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from calib_monai.datalists.splits import Case, Split, split_cases

CLASS_NAMES = ("background", "anterior", "posterior")
PUBLISHED_COUNTS = (185, 25, 50)
FOLDERS = {"image": "imagesTr", "label": "labelsTr"}
SUFFIX = ".nii.gz"
SHOWN = 5  # of many files, in a message


def hippocampus_split(dataset_dir: str, seed: int = 0) -> Split:
    """Training, validation and test cases: 185, 25 and 50 as in MbLS, or the same proportions.

    Args:
        dataset_dir: the folder that holds `imagesTr` and `labelsTr`.
        seed: of the draw.

    Raises:
        ValueError: as `read_hippocampus` and `split_cases`.
    """
    return split_cases(read_hippocampus(dataset_dir), PUBLISHED_COUNTS, seed)


def read_hippocampus(dataset_dir: str) -> list[Case]:
    """Cases of a Decathlon folder: `{"image": path, "label": path, "case": name}`, sorted by name.

    Image and label belong together by their file name, `imagesTr/NAME.nii.gz` and
    `labelsTr/NAME.nii.gz`. Hidden files (`._NAME`, as some archives hold) are passed over, and
    `dataset.json` is not asked, for copies of this data set list files that they lack.

    Raises:
        ValueError: a folder that is missing or empty, or files without their partner (named).
    """
    root = Path(dataset_dir)
    if not root.is_dir():
        raise ValueError(f"dataset_dir {root} is not a folder: set --dataset_dir to the one that holds imagesTr")
    names = {}
    for kind, folder in FOLDERS.items():
        if not (root / folder).is_dir():
            inside = sorted(path.parent.name for path in root.glob(f"*/{folder}"))
            hint = f"; did you mean {root / inside[0]}?" if inside else ""
            raise ValueError(f"dataset_dir {root} has no folder {folder}{hint}")
        files = [path.name for path in (root / folder).glob(f"*{SUFFIX}") if not path.name.startswith(".")]
        if not files:
            raise ValueError(f"{root / folder} holds no {SUFFIX} file")
        names[kind] = set(files)
    for kind, other in (("image", "label"), ("label", "image")):
        alone = sorted(names[kind] - names[other])
        if alone:
            raise ValueError(
                f"{len(alone)} {kind}(s) in {root / FOLDERS[kind]} with no {other} of the same name in "
                f"{FOLDERS[other]}: {', '.join(alone[:SHOWN])}{' ...' if len(alone) > SHOWN else ''}"
            )
    return [
        {kind: str(root / folder / name) for kind, folder in FOLDERS.items()} | {"case": name.removesuffix(SUFFIX)}
        for name in sorted(names["image"])
    ]


def write_hippocampus(dataset_dir: str, cases: Mapping[str, tuple[NDArray[np.float32], NDArray[np.uint8]]]) -> None:
    """Write cases as a Decathlon folder: images and labels as NIfTI at 1 mm, and `dataset.json`.

    Args:
        dataset_dir: folder to make; files of the same name in it are replaced.
        cases: for each name the image (H, W, D) and the label (H, W, D) of classes 0, 1, 2.
    """
    root = Path(dataset_dir)
    for folder in FOLDERS.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    listed = []
    for name, (image, label) in sorted(cases.items()):
        paths = {kind: f"./{folder}/{name}{SUFFIX}" for kind, folder in FOLDERS.items()}
        for kind, array in (("image", image), ("label", label)):
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), root / paths[kind])  # type: ignore[no-untyped-call]
        listed.append(paths)
    description = {
        "name": "Hippocampus",
        "description": "Anterior and posterior hippocampus",
        "tensorImageSize": "3D",
        "modality": {"0": "MRI"},
        "labels": {str(index): name for index, name in enumerate(CLASS_NAMES)},
        "numTraining": len(listed),
        "numTest": 0,
        "training": listed,
        "test": [],
    }
    (root / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
