"""Data as the pages name their files, for the commands that they show."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from committed import trimmed
from PIL import Image

from calib_monai.datalists.files import Volumes
from calib_monai.phantoms import make_phantoms


def small_phantoms(num_cases: int, seed: int = 5, **options: int) -> Volumes:
    """Phantoms of four slices."""
    return trimmed(make_phantoms(num_cases, seed, **options), 14, 18)


def write_knees(folder: Path, cases: Volumes) -> None:
    """Two images and a label of each case, named as docs/train.md says."""
    for case, (image, label) in cases.items():
        for path, values in (
            (folder / "scans" / "first" / f"{case}_pd.nii.gz", image),
            (folder / "scans" / "first" / f"{case}_t2.nii.gz", image.max() - image),
            (folder / "masks" / f"{case}-mask.nii.gz", label),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), np.eye(4)), path)


def write_hospital(folder: Path, cases: Volumes) -> None:
    """Images and labels of each case, named as docs/evaluate.md says, the classes in another order."""
    for case, (image, label) in cases.items():
        (folder / case).mkdir(parents=True)
        for name, values in (("t1", image), ("seg", np.take([0, 2, 1], label))):
            file = nibabel.Nifti1Image(values.astype(np.float32), np.eye(4))
            nibabel.save(file, folder / case / f"{case}_{name}.nii.gz")


def write_retina(folder: Path, cases: Volumes) -> None:
    """A color picture and a mask of each case, named as docs/train.md says."""
    for case, (image, label) in cases.items():
        middle = [image.shape[-1] // 2]
        for path, values in (
            (folder / "images" / f"{case}.png", np.repeat(255 * image[..., middle] / image.max(), 3, axis=-1)),
            (folder / "masks" / f"{case}.png", 255 * (label[..., middle[0]] > 0)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values.astype(np.uint8)).save(path)


def write_predictions(folder: Path, labels: Path) -> None:
    """Probabilities of each label's case, as nnU-Net writes them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for path in labels.glob("*.nii.gz"):
        label = np.asarray(nibabel.load(path).dataobj).T
        powers = np.exp(rng.normal(size=(3, *label.shape)) + 3 * (label == np.arange(3)[:, None, None, None]))
        np.savez_compressed(
            folder / path.name.replace(".nii.gz", ".npz"), probabilities=(powers / powers.sum(0)).astype(np.float32)
        )
