"""Pickles: reads the `.pkl` that nnU-Net writes beside probabilities without running anything that it holds."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from monai.data.utils import orientation_ras_lps
from numpy.typing import NDArray

SAFE = {
    *(("builtins", name) for name in ("complex", "set", "frozenset", "slice", "range", "bytearray")),
    ("collections", "OrderedDict"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("_codecs", "encode"),
}  # numbers, arrays, and what holds them
AXES = 3


class Placed(NamedTuple):
    """Where nnU-Net's probabilities lie, by its `.pkl`.

    Attributes:
        affine: of the image's file, (4, 4), in mm, with the axes x, y, z; None where only the other is known.
        turned: the affine of the probabilities' own axes, where nnU-Net turned the image; else None.
    """

    affine: NDArray[np.float64] | None
    turned: NDArray[np.float64] | None


class _Numbers(pickle.Unpickler):
    """An unpickler that knows numbers, texts, arrays, and lists, tuples and dictionaries of them."""

    def find_class(self, module: str, name: str) -> Any:
        """A class or function of `SAFE`."""
        if (module, name) not in SAFE:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no number")
        return super().find_class(module.replace("numpy._core", "numpy.core") if _is_old() else module, name)


def placed_by(file: Path) -> Placed | None:
    """Where the `.pkl` says that probabilities lie; None if it does not say it or holds more than numbers.

    Args:
        file: as nnU-Net writes it. It is never run: a pickle may hold any program.
    """
    try:
        content = _Numbers(io.BytesIO(file.read_bytes())).load()
    except Exception:  # noqa: BLE001 - a pickle can raise anything; the label says where its voxels lie
        return None
    content = content if isinstance(content, Mapping) else {}
    try:
        if "sitk_stuff" in content:
            affine = _affine_of_itk(content["sitk_stuff"])
            is_turned = "original_orientation" in content["sitk_stuff"]  # by SimpleITKIOWithReorient
            return Placed(None, affine) if is_turned else Placed(affine, None)
        nifti = content.get("nibabel_stuff", {})
        if "original_affine" in nifti:
            turned = nifti.get("reoriented_affine")
            return Placed(_matrix(nifti["original_affine"]), None if turned is None else _matrix(turned))
    except (KeyError, TypeError, ValueError, AttributeError):
        pass
    return None


def _affine_of_itk(stuff: Mapping[str, Any]) -> NDArray[np.float64]:
    """The affine of a NIfTI from spacing, origin and direction as ITK gives them."""
    affine = np.eye(AXES + 1)
    directions = np.asarray(stuff["direction"], dtype=np.float64).reshape(AXES, AXES)
    affine[:AXES, :AXES] = directions * np.asarray(stuff["spacing"], dtype=np.float64)
    affine[:AXES, AXES] = np.asarray(stuff["origin"], dtype=np.float64)
    return orientation_ras_lps(affine)


def _matrix(values: Any) -> NDArray[np.float64]:
    """An affine, (4, 4); raise ValueError for another shape."""
    return np.asarray(values, dtype=np.float64).reshape(AXES + 1, AXES + 1)


def _is_old() -> bool:
    """Whether NumPy is of before 2, whose parts had other names."""
    return int(np.__version__.split(".", maxsplit=1)[0]) < 2  # noqa: PLR2004 - NumPy 2
