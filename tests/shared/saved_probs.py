"""Saved probabilities: small cases, and files of them as other programs write these."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import NamedTuple

import nibabel
import numpy as np
from numpy.typing import NDArray

NAMES = ("background", "liver", "tumor")
AFFINE = np.array([[0.0, -1.5, 0.0, 10.0], [1.5, 0.0, 0.0, -20.0], [0.0, 0.0, 3.0, 5.0], [0.0, 0.0, 0.0, 1.0]])


class Evaluated(NamedTuple):
    """An evaluation: its folder, that of the saved probabilities, and that of the labels."""

    run: Path
    probs: Path
    labels: Path


class Case(NamedTuple):
    """Probabilities (C, X, Y, Z) and a label (X, Y, Z) that they mostly agree with."""

    probs: NDArray[np.float32]
    label: NDArray[np.uint8]


def made(seed: int, size: tuple[int, ...] = (8, 9, 10), classes: int = 3) -> Case:
    """A case of stripes, of which the network is sure in part."""
    rng = np.random.default_rng(seed)
    label = np.broadcast_to(np.arange(size[0])[:, None, None] * classes // size[0], size).astype(np.uint8)
    logits = rng.normal(size=(classes, *size)) + 2.5 * (label == np.arange(classes)[:, None, None, None])
    probs = np.exp(logits) / np.exp(logits).sum(0)
    return Case(probs.astype(np.float32), label)


class Folders(NamedTuple):
    """Folders of probabilities and labels, with what is in them."""

    probs: Path
    labels: Path
    cases: dict[str, Case]

    @property
    def options(self) -> list[str]:
        """Of the command line, with the names of the classes."""
        return self.line()

    def line(self, *more: str) -> list[str]:
        """The options of the command line and more, which stand in the place of those of the same name."""
        out = self.probs.parent / "out"
        given = {"--probs": [str(self.probs)], "--labels": [str(self.labels)], "--out": [str(out)]}
        own = given | {"--classes": list(NAMES), "--no_figures": []}
        return [*(word for name, values in own.items() if name not in more for word in (name, *values)), *more]

    def write(self, case: str, name: str, values: NDArray[np.generic], affine: NDArray[np.float64] = AFFINE) -> Path:
        """Write values as a file of probabilities: NIfTI, `.npy`, or `.npz` with nnU-Net's key."""
        path = self.probs / name.format(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".npy"):
            np.save(path, values)
        elif name.endswith(".npz"):
            np.savez_compressed(path, probabilities=values)
        else:
            nibabel.save(nibabel.Nifti1Image(values, affine), path)
        return path

    def place(self, case: str, content: dict[str, object]) -> Path:
        """Write the `.pkl` of a case."""
        path = self.probs / f"{case}.pkl"
        path.write_bytes(pickle.dumps(content))
        return path


def prepared(folder: Path, size: tuple[int, ...] = (8, 9, 10), classes: int = 3) -> Folders:
    """Folders with the labels of two cases, and nothing in that of probabilities."""
    found = Folders(folder / "probs", folder / "labels", {f"case_{i}": made(i, size, classes) for i in range(2)})
    found.probs.mkdir()
    found.labels.mkdir()
    for case, (_, label) in found.cases.items():
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), found.labels / f"{case}.nii.gz")
    return found
