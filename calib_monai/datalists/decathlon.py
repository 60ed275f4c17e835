"""Medical Segmentation Decathlon: the layout that all of its tasks share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib_monai.datalists.files import save_nifti
from calib_monai.datalists.patterns import Layout

IMAGE = "imagesTr/{case}.nii.gz"
LABEL = "labelsTr/{case}.nii.gz"


def decathlon_layout(counts: tuple[int, int, int]) -> Layout:
    """The layout of a task's folder, with the sizes of its split.

    Image and label have the same file name. `dataset.json` is not used, because copies of it list missing files.
    """
    return Layout((IMAGE,), LABEL, counts)


def write_decathlon(
    dataset_dir: str,
    cases: Mapping[str, tuple[NDArray[np.generic], NDArray[np.uint8]]],
    task: str,
    modalities: Sequence[str],
    class_names: Sequence[str],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> None:
    """Write cases as a task's folder: images and labels as NIfTI, and `dataset.json`.

    Args:
        dataset_dir: folder to make; files of the same name in it are replaced.
        cases: for each name the image (H, W, D[, C]) and the label (H, W, D).
        task: what `dataset.json` calls it.
        modalities: of each channel.
        class_names: of each class, the background first.
        spacing: size of a voxel in mm.
    """
    root = Path(dataset_dir)
    affine = np.diag([*spacing, 1.0])
    listed = []
    for name, (image, label) in sorted(cases.items()):
        paths = {"image": IMAGE.format(case=name), "label": LABEL.format(case=name)}
        save_nifti(root / paths["image"], image, affine)
        save_nifti(root / paths["label"], label, affine)
        listed.append({kind: f"./{path}" for kind, path in paths.items()})
    description = {
        "name": task,
        "description": f"Phantoms in the layout of {task}",
        "tensorImageSize": "3D" if len(modalities) == 1 else "4D",
        "modality": {str(index): name for index, name in enumerate(modalities)},
        "labels": {str(index): name for index, name in enumerate(class_names)},
        "numTraining": len(listed),
        "numTest": 0,
        "training": listed,
        "test": [],
    }
    (root / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
