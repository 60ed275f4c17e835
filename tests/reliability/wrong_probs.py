"""Writes probabilities of another program that are wrong, and right ones in places or under names that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from saved_probs import AFFINE, NAMES, Folders

Values = np.ndarray[Any, Any]
ELSEWHERE = AFFINE + np.array([[0, 0, 0, 4.0], *[[0.0] * 4] * 3])


def last(probs: Values) -> Values:
    """The classes as the last axis."""
    return np.moveaxis(probs, 0, -1)


def niftis(change: Callable[[Any], Any] = lambda p: p, affine: Values = AFFINE) -> Callable[[Folders], object]:
    """Writes 4D NIfTI of changed probabilities, (X, Y, Z, C)."""
    return lambda given: [
        given.write(case, "{}.nii.gz", change(last(one.probs)), affine) for case, one in given.cases.items()
    ]


def arrays(given: Folders) -> list[Path]:
    """Write nnU-Net's files."""
    return [given.write(case, "{}.npz", one.probs.transpose(0, 3, 2, 1)) for case, one in given.cases.items()]


def hard(probs: Values) -> Values:
    """1 where a class is the most probable, else 0."""
    return (probs == probs.max(-1, keepdims=True)).astype(np.float32)


def with_nan(probs: Values) -> Values:
    """One value that is none."""
    return np.where(probs == probs.max(), np.nan, probs)


def label_of(probs: Values) -> Values:
    """The most probable class."""
    return probs.argmax(-1).astype(np.uint8)


def overlapping(probs: Values) -> Values:
    """What sums to less than 1 here and to more there."""
    return np.sqrt(probs) * (1 - probs)


def broken(given: Folders) -> None:
    """Cut a file in half."""
    path = arrays(given)[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(given: Folders) -> None:
    """Change a byte of the values."""
    path = arrays(given)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])


def with_label(value: int) -> Callable[[Folders], object]:
    """Gives a voxel of a label this value, which is no class."""

    def write(given: Folders) -> None:
        arrays(given)
        label = given.cases["case_1"].label.copy()
        label[0, 0, 0] = value
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), given.labels / "case_1.nii.gz")

    return write


def empty_labels(given: Folders) -> None:
    """Take the structures out of all labels."""
    arrays(given)
    for case, one in given.cases.items():
        nibabel.save(nibabel.Nifti1Image(0 * one.label, AFFINE), given.labels / f"{case}.nii.gz")


def named_twice(given: Folders) -> None:
    """Give a label two names, behind the mark that editors of Windows put before a text."""
    arrays(given)
    text = '{"labels": {"background": 0, "liver": 1, "tumor": 2, "cyst": 2}}'
    (given.labels / "dataset.json").write_text(text, encoding="utf-8-sig")


def no_label(given: Folders) -> None:
    """Take a label away."""
    arrays(given)
    (given.labels / "case_1.nii.gz").unlink()


def two_arrays(given: Folders) -> None:
    """Write two arrays of which nobody knows which is meant."""
    np.savez(arrays(given)[0], a=np.zeros(3), b=np.zeros(3))


def any_program(given: Folders) -> None:
    """Write an array of objects, which only a pickle can hold."""
    np.savez(arrays(given)[0], probabilities=np.array([{}], dtype=object))


def twice(given: Folders) -> None:
    """Write the probabilities of a case twice."""
    arrays(given)
    given.write("case_0", "{}_probs.npy", given.cases["case_0"].probs)


def no_background(given: Folders) -> None:
    """Write a file for each class but the background."""
    for case, one in given.cases.items():
        for index in (1, 2):
            given.write(case, f"{{}}_{NAMES[index]}.nii.gz", one.probs[index])


def files_by_name(given: Folders, names: Sequence[str] = NAMES) -> None:
    """Write a file for each class, called by its name."""
    for case, one in given.cases.items():
        for name, probs in zip(names, one.probs, strict=True):
            given.write(case, f"{{}}_{name}.nii.gz", probs)


def named(name: str) -> Callable[[Folders], object]:
    """Writes nnU-Net's files under other names."""
    return lambda given: [given.write(case, name, one.probs.transpose(0, 3, 2, 1)) for case, one in given.cases.items()]


def placed_elsewhere(given: Folders) -> None:
    """Let nnU-Net's `.pkl` name another place."""
    arrays(given)
    stuff = {"spacing": (1.5, 1.5, 3.0), "origin": (9.0, 9.0, 9.0), "direction": (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)}
    given.place("case_0", {"sitk_stuff": stuff})


def image_elsewhere(given: Folders) -> None:
    """Write images that lie elsewhere than their labels."""
    arrays(given)
    (given.probs.parent / "images").mkdir()
    for case, one in given.cases.items():
        nibabel.save(nibabel.Nifti1Image(one.probs[0], ELSEWHERE), given.probs.parent / "images" / f"{case}.nii.gz")


def image_with_infinity(given: Folders) -> None:
    """Write images with one infinite voxel."""
    arrays(given)
    (given.probs.parent / "images").mkdir()
    for case, one in given.cases.items():
        image = one.probs[0].copy()
        image[0, 0, 0] = np.inf
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), given.probs.parent / "images" / f"{case}.nii.gz")


def with_key(change: Callable[[Any], Any], key: str = "probs") -> Callable[[Folders], object]:
    """Writes `.npz` of changed probabilities, (C, X, Y, Z), under a key; nnU-Net's has its axes."""
    return lambda given: [
        np.savez(given.probs / f"{case}.npz", **{key: turned if key == "probs" else turned.transpose(0, 3, 2, 1)})
        for case, one in given.cases.items()
        for turned in [change(one.probs)]
    ]


def half_empty(probs: Values) -> Values:
    """All classes 0 in half of the voxels."""
    return np.where(np.arange(probs.shape[1])[:, None, None] < 4, 0, probs)


def with_hole(probs: Values) -> Values:
    """All classes 0 in a voxel amid the others."""
    probs = probs.copy()
    probs[:, 3, 4, 5] = 0
    return probs


def wrapped(probs: Values) -> Values:
    """Bytes in which 1, as 256, has become 0."""
    sure = probs.max(0) > 0.9
    probs = np.where(sure, probs == probs.max(0), probs)
    return np.asarray((probs * 256).astype(np.int64).astype(np.uint8))


def nested(probs: Values) -> Values:
    """The structures as regions, of which one holds the other."""
    return np.stack([probs[..., 0], probs[..., 1] + probs[..., 2], probs[..., 2]], axis=-1)


def with_slope(change: Callable[[Any], Any], dtype: Any, slope: float) -> Callable[[Folders], object]:
    """Writes 4D NIfTI whose header has a slope."""

    def write(given: Folders) -> None:
        for case, one in given.cases.items():
            values = change(last(one.probs)) / slope
            raw = (np.round(values) if np.issubdtype(dtype, np.integer) else values).astype(dtype)
            write_with_slope(given.probs / f"{case}.nii", raw, slope)

    return write


def write_with_slope(path: Path, raw: Values, slope: float) -> None:
    """Write stored values and what they are multiplied with."""
    image: Any = nibabel.Nifti1Image(raw, AFFINE)
    image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)


def one_in_quarters(given: Folders) -> None:
    """Write a file for each class; only that of the background is in quarters, and the others are regions."""
    for case, one in given.cases.items():
        values = np.moveaxis(nested(last(one.probs)), -1, 0)
        write_with_slope(given.probs / f"{case}_0.nii", np.round(4 * values[0]).astype(np.uint8), 0.25)
        for index in (1, 2):
            given.write(case, f"{{}}_{index}.nii", values[index])


def of_two_types(given: Folders) -> None:
    """Write a file for each class, of bytes and of single precision."""
    for case, one in given.cases.items():
        given.write(case, "{}_0.nii", np.round(255 * one.probs[0]).astype(np.uint8))
        for index in (1, 2):
            given.write(case, f"{{}}_{index}.nii", one.probs[index])


def overshot(probs: Values) -> Values:
    """What a spline makes of probabilities: the sums stay, and some are below 0."""
    high = probs == probs.max(-1, keepdims=True)
    return np.where(high, probs + 0.02 * (probs.shape[-1] - 1), probs - 0.02)


def whole(of: int) -> Callable[[Any], Any]:
    """Makes whole numbers that sum to about this."""
    return lambda probs: (probs * of).astype(np.uint16)
