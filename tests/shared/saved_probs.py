"""Saved probabilities: small cases, and files of them as other programs write these."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from numpy.typing import NDArray

NAMES = ("background", "liver", "tumor")
AFFINE = np.array([[0.0, -1.5, 0.0, 10.0], [1.5, 0.0, 0.0, -20.0], [0.0, 0.0, 3.0, 5.0], [0.0, 0.0, 0.0, 1.0]])
FORMS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "nifti": ("{}.nii.gz", lambda p: np.moveaxis(p, 0, -1)),
    "npz": ("{}.npz", lambda p: p.transpose(0, 3, 2, 1)),
    "half": ("{}.npz", lambda p: p.transpose(0, 3, 2, 1).astype(np.float16)),
    "npy": ("{}.npy", lambda p: p),
    "bytes": ("{}_probs.nii.gz", lambda p: np.round(255 * p).astype(np.uint8)),
}


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


def sharpened(probs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Probabilities of a network that is far too sure."""
    powers = probs.astype(np.float64) ** 8
    return (powers / powers.sum(0)).astype(np.float32)


def with_more(given: Folders, count: int = 4) -> Folders:
    """More labeled cases."""
    for index in range(len(given.cases), count):
        given.cases[f"case_{index}"] = made(index)
        nibabel.save(
            nibabel.Nifti1Image(given.cases[f"case_{index}"].label, AFFINE), given.labels / f"case_{index}.nii.gz"
        )
    return given
