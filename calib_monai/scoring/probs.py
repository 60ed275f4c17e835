"""Probabilities of a case: read piece by piece from their files onto the grid of the label, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import nibabel
import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.grids import SPATIAL_DIMS, distance_of_grids, half_a_voxel
from calib_monai.headers import is_nifti
from calib_monai.scoring.arrays import StoredArray, stored_in
from calib_monai.scoring.axes import AXES, OF_NIFTI, OF_NNUNET, axes_of_array
from calib_monai.scoring.pairs import Pair
from calib_monai.scoring.pickles import placed_by
from calib_monai.scoring.values import check_logits, reorder, to_probs

UNTURNED = [[0, 1], [1, 1], [2, 1]]  # axes and their directions, as nibabel has them


@dataclass(frozen=True)
class Reading:
    """How files are read.

    Attributes:
        axes: one of `calib_monai.scoring.axes.AXES`, "" where the shape tells it.
        logits: whether they hold logits.
        foreground: whether they lack the background, which is what the others leave.
        order: for each class the place of its channel, the background included; empty where they are in order.
        same_grid: whether files and label must lie on one grid.
    """

    axes: str = ""
    logits: bool = False
    foreground: bool = False
    order: tuple[int, ...] = ()
    same_grid: bool = True


@dataclass(frozen=True)
class FoundProbs:
    """The files of a case whose headers were read, and what they say.

    Attributes:
        pair: the case.
        stored: the array of each file.
        axes: of the arrays.
        turn: the orientation of the arrays' axes from those of the label, as nibabel has it, or None.
        num_classes: of the case, the background included.
    """

    pair: Pair
    stored: tuple[StoredArray, ...]
    axes: str
    turn: NDArray[Any] | None
    num_classes: int

    @property
    def place(self) -> Path | None:
        """The `.pkl` that says where nnU-Net's probabilities lie; None where there is none."""
        file = Path(self.stored[0].file).with_suffix(".pkl")
        return file if self.stored[0].is_of_nnunet and file.is_file() else None


def found_in(pair: Pair, label: MetaTensor, reading: Reading, num_classes: int | None) -> FoundProbs:
    """What the headers of a case's files say, beside its label (1, X, Y, Z), whose voxels are not looked at.

    Raises:
        ValueError: files that cannot be those of the label, or of these classes.
    """
    stored = tuple(stored_in(file, logits=reading.logits) for file in pair.probs)
    first, several = stored[0], len(stored) > 1
    channels = None if num_classes is None else num_classes - reading.foreground
    size = tuple(label.shape[1:])
    nnunet = first.is_of_nnunet
    known = (reading.axes,) if reading.axes else OF_NNUNET if nnunet else OF_NIFTI if is_nifti(first.file) else AXES
    turn = _turn(pair, label, reading) if nnunet else _turn_of_header(first, label, reading)
    size = size if turn is None else _turned_size(size, turn)
    if several:
        if not reading.logits:
            check_alike(stored)
        for one in stored:
            axes_of_array(one.file, one.shape, (pair.label, size), 1, known)
    elif len(first.shape) <= SPATIAL_DIMS and is_nifti(first.file) and not reading.foreground:
        _refuse_one_channel(first)
    axes = axes_of_array(first.file, first.shape, (pair.label, size), 1 if several else channels, known)
    count = len(stored) if several else first.shape[axes.index("c")] if "c" in axes else 1
    if count + reading.foreground < 2:  # noqa: PLR2004 - background and a structure
        raise ValueError(
            f"{first.file} holds one channel: give --foreground if it is the probability of the only structure"
        )
    if reading.logits and reading.foreground and count > 1:
        raise ValueError(
            f"{first.file} is of {count} channels; --logits with --foreground takes one, the logit of a sigmoid, for "
            "nothing tells what several logits without one of the background are: give probabilities"
        )
    if reading.same_grid:
        _check_grid(pair, stored, label, turn)
    return FoundProbs(pair, stored, axes, turn, count + reading.foreground)


def read(found: FoundProbs, label: MetaTensor, reading: Reading) -> Tensor:
    """Probabilities or logits on the grid of the label (1, X, Y, Z), (C, X, Y, Z), float32.

    Raises:
        ValueError: values that are no probabilities; the message names the file, the value and the rule.
    """
    values = torch.empty((found.num_classes, *label.shape[1:]))
    places = values.numpy()[int(reading.foreground) :]
    for index, stored in enumerate(found.stored):
        part = places if len(found.stored) == 1 else places[index : index + 1]
        _fill(view_of(part, found), stored)
    if reading.order:
        reorder(values, reading.order)
    name = found.pair.probs[0]
    if reading.logits:
        if reading.foreground:  # those of a sigmoid: that of the background is 0
            values[0] = 0
        check_logits(name, values, found.stored, foreground=reading.foreground)
        return values
    to_probs(name, values, found.stored, foreground=reading.foreground)
    return values


def view_of(places: NDArray[Any], found: FoundProbs) -> NDArray[Any]:
    """A view of values, (C, X, Y, Z), with the axes of the stored arrays."""
    moved = np.moveaxis(places, 0, -1)
    if found.turn is not None:
        moved = nibabel.apply_orientation(moved, found.turn)  # type: ignore[no-untyped-call]
    names = "xyzc"
    missing = [axis for axis in names if axis not in found.axes]  # the last axes, each of length 1
    view = moved.transpose([names.index(axis) for axis in (*found.axes, *missing)])
    only: tuple[Any, ...] = (..., *[0] * len(missing))
    return np.asarray(view[only])


def _fill(view: NDArray[Any], stored: StoredArray) -> None:
    """Read the values of a file."""
    slowest_first = view.T if stored.fortran else view
    for place, piece in stored.pieces():
        slowest_first[place] = (
            piece * np.float32(stored.slope) + np.float32(stored.inter) if stored.is_scaled else piece
        )


def check_alike(stored: Sequence[StoredArray]) -> None:
    """Raise ValueError if whole numbers in the files of the classes are not of one type: nothing tells what is 1."""
    types = {one.dtype.str[1:] if one.is_whole else "": one for one in reversed(stored)}
    if len(types) > 1:
        other, one = list(types.values())[-2:]
        said = [f"{each.dtype}{' with a slope in its header' * each.is_scaled}" for each in (one, other)]
        raise ValueError(
            f"{one.file} holds {said[0]}, and {other.file} {said[1]}; the files of the classes must be of one type, or "
            "nothing tells which number stands for 1"
        )


def _refuse_one_channel(stored: StoredArray) -> NoReturn:
    """Raise ValueError for a volume of one channel: labels, or the probability of one structure."""
    if stored.dtype.kind in "iub":
        said = "it looks like a segmentation; needed are probabilities, before the argmax, or one file for each class"
    else:
        said = "give --foreground if it is the probability of the only structure"
    raise ValueError(f"{stored.file} holds one channel, {stored.shape} voxels of {stored.dtype}: {said}")


def _turn(pair: Pair, label: MetaTensor, reading: Reading) -> NDArray[Any] | None:
    """How the axes of nnU-Net's probabilities lie to those of the label, None where they are the same.

    Raises:
        ValueError: the `.pkl` beside them says that they lie elsewhere than the label.
    """
    file = Path(pair.probs[0]).with_suffix(".pkl")
    placed = placed_by(file)
    if placed is None:
        return None
    affine, turn = placed.affine, None
    if placed.turned is not None:
        turn = _from_to(label.affine.numpy() if affine is None else affine, placed.turned)
        affine = _before(turn, placed.turned, label) if affine is None else affine
    if reading.same_grid and affine is not None:
        _check_place(pair, str(file), affine, label)
    return turn


def _turn_of_header(stored: StoredArray, label: MetaTensor, reading: Reading) -> NDArray[Any] | None:
    """How the axes of a NIfTI lie to those of the label, by their headers; None where they are the same."""
    if stored.affine is None or not reading.same_grid or label.ndim != SPATIAL_DIMS + 1:
        return None
    # At an angle of 45 degrees a rounding error decides which axis is which.
    if np.allclose(label.affine.numpy(), stored.affine, atol=1e-3):
        return None
    turn = _from_to(label.affine.numpy(), stored.affine)
    return None if np.array_equal(turn, UNTURNED) or np.isnan(turn).any() else turn


def _from_to(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[Any]:
    """The orientation of the axes of an affine from those of another one."""
    from_first, to_second = (nibabel.io_orientation(one) for one in (first, second))  # type: ignore[no-untyped-call]
    return np.asarray(nibabel.orientations.ornt_transform(from_first, to_second))  # type: ignore[no-untyped-call]


def _before(turn: NDArray[Any], affine: NDArray[np.float64], label: MetaTensor) -> NDArray[np.float64]:
    """The affine of an image of the label's shape before it was turned, from that after it."""
    turning = nibabel.orientations.inv_ornt_aff(turn, label.shape[1:])  # type: ignore[no-untyped-call]
    return np.asarray(affine @ np.linalg.inv(turning))


def _turned_size(size: Sequence[int], turn: NDArray[Any]) -> tuple[int, ...]:
    """The shape after a change of orientation."""
    return nibabel.apply_orientation(np.empty(size, np.bool_), turn).shape  # type: ignore[no-untyped-call, no-any-return]


def _check_grid(pair: Pair, stored: Sequence[StoredArray], label: MetaTensor, turn: NDArray[Any] | None) -> None:
    """Raise ValueError if the headers of probabilities place them elsewhere than their label."""
    for one in stored:
        if one.affine is not None:
            affine = one.affine if turn is None else _before(turn, one.affine, label)
            _check_place(pair, one.file, affine, label)


def _check_place(pair: Pair, name: str, affine: NDArray[np.float64], label: MetaTensor) -> None:
    """Raise ValueError if an affine places voxels elsewhere than the label's."""
    there = MetaTensor(label.as_tensor(), affine=torch.as_tensor(affine))
    distance, allowed = distance_of_grids(there, label), half_a_voxel(label)
    if not distance <= allowed:
        raise ValueError(
            f"{name} lies elsewhere than {pair.label}, by {distance:.3g} mm: their headers must place each voxel "
            f"within half a voxel, {allowed:.3g} mm (--any_grid accepts more)"
        )
