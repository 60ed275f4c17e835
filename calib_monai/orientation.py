"""Orientation: turns images of any storage order to one orientation, and predictions back to the storage order."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

import nibabel
import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Compose, InvertibleTransform, MapTransform, Orientation
from monai.utils import TraceKeys
from torch import Tensor

from calib_monai.case_keys import IMAGE_AND_LABEL
from calib_monai.composed import flattened
from calib_monai.grids import SPATIAL_DIMS

AUTO, STORED = "auto", "stored"  # what `axcodes` may be beside codes
AXES = (("L", "R"), ("P", "A"), ("I", "S"))  # as of nibabel
THICKER = 1.05  # than the others: a thickest axis
MUCH_THICKER = 2.0  # than the others: slices across it show little
MOST = 0.9  # of the training images

logger = logging.getLogger(__name__)


class Geometry(NamedTuple):
    """Number and size of voxels along the stored axes of an image, and the directions of the axes.

    Attributes:
        size: number of voxels along each axis.
        spacing: size of a voxel along each axis in mm.
        codes: a letter for each axis: R, A or S if its index grows to the right, the front or the top, L, P or I if it
            grows the other way. Empty for a picture, which has no anatomical axes.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    codes: str

    @property
    def thickest(self) -> int | None:
        """The axis with the largest spacing, None if no axis is thicker than all others."""
        return _thickest(self.spacing, THICKER) if self.codes else None

    def along(self, axcodes: str) -> Geometry:
        """The geometry of the reoriented image, see `Reorientd`."""
        if not self.codes:
            return self
        codes = codes_for(self, axcodes)
        order = [self.codes.index(mine) for code in codes for mine in self.codes if {mine, code} <= set(_axis_of(code))]
        return Geometry(tuple(self.size[axis] for axis in order), tuple(self.spacing[axis] for axis in order), codes)


class Reorientd(MapTransform, InvertibleTransform):
    """MONAI's Orientation for an image and others on its grid: all are turned by the image's header.

    Pictures stay as they are. The inverse restores the storage order of each image.

    Args:
        axcodes: three letters, such as "RAS"; or "stored": axes stay as they are, but the thickest comes last.
        keys: the image, (C, H, W[, D]), then others on its grid, such as the label. If sizes are equal, these get the
            affine of the image; their own may differ by up to half a voxel. A path, which is not loaded, stays.
        allow_missing_keys: whether missing keys are allowed.

    Raises:
        ValueError: other codes.
    """

    def __init__(
        self,
        axcodes: str,
        keys: KeysCollection = IMAGE_AND_LABEL,
        allow_missing_keys: bool = True,  # noqa: FBT001, FBT002 - MONAI's
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        check_axcodes(axcodes, auto=False)
        self.axcodes = axcodes

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the image and the others on its grid reoriented."""
        turned = dict(data)
        image = turned[self.keys[0]]
        geometry = geometry_of(image)
        if not geometry.codes:
            return turned
        affine = MetaTensor(image).affine
        codes = codes_for(geometry, self.axcodes)
        for key in self.key_iterator(turned):
            if not isinstance(turned[key], Tensor | np.ndarray):
                continue
            one = MetaTensor(turned[key], applied_operations=list(getattr(turned[key], "applied_operations", [])))
            if one.shape[1:] == image.shape[1:]:
                one.affine = affine
            turned[key] = Orientation(codes, labels=AXES)(one)
            turned[key].applied_operations[-1][TraceKeys.ID] = TraceKeys.NONE  # of an instance for this image alone
        return turned

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data in the storage order of their files."""
        turned = dict(data)
        for key in self.key_iterator(turned):
            done = getattr(turned[key], "applied_operations", [])
            if done and done[-1][TraceKeys.CLASS_NAME] == Orientation.__name__:  # a picture was not turned
                turned[key] = Orientation("RAS", labels=AXES).inverse(turned[key])
        return turned


def axcodes_in(preprocessing: Callable[..., Any]) -> str:
    """The axis codes of the `Reorientd` of a preprocessing; "stored" if it has none."""
    return next((step.axcodes for step in flattened(preprocessing) if isinstance(step, Reorientd)), STORED)


def at_reorientation(preprocessing: Callable[..., Any]) -> tuple[Compose, Compose]:
    """The transforms of a preprocessing up to its `Reorientd`, and those after it; all and none if it has none.

    The first give the whole image, the second prepare it for the network.
    """
    steps = flattened(preprocessing)
    turning = [place for place, step in enumerate(steps) if isinstance(step, Reorientd)]
    place = turning[0] + 1 if turning else len(steps)
    return Compose(steps[:place]), Compose(steps[place:])


def geometry_of(image: Tensor, *, in_file: bool = True) -> Geometry:
    """The geometry of an image.

    Args:
        image: (C, H, W[, D]).
        in_file: whether to give the geometry of the file, if loading has resampled the image.

    Raises:
        ValueError: a volume whose affine does not span the space.
    """
    size = tuple(int(length) for length in image.shape[1:])
    if len(size) != SPATIAL_DIMS:
        return Geometry(size, (1.0,) * len(size), "")
    affine = np.asarray(image.affine.cpu(), np.float64) if isinstance(image, MetaTensor) else np.eye(4)
    meta = image.meta if isinstance(image, MetaTensor) else {}
    stored = tuple(int(length) for length in meta.get("spatial_shape", size))
    if in_file and len(stored) == SPATIAL_DIMS and stored != size and "original_affine" in meta:
        size, affine = stored, np.asarray(meta["original_affine"], np.float64)
    axes = affine[:3, :3]
    if not np.isfinite(axes).all() or abs(np.linalg.det(axes)) < np.finfo(float).tiny:
        raise ValueError(f"the affine {axes.tolist()} does not place its voxels in space")
    codes = "".join(map(str, nibabel.aff2axcodes(affine)))  # type: ignore[no-untyped-call]
    spacing = tuple(float(length) for length in np.linalg.norm(axes, axis=0))
    return Geometry(size, spacing, codes)


def codes_for(geometry: Geometry, axcodes: str) -> str:
    """The axis codes that a volume of this geometry is reoriented to, see `Reorientd`."""
    if axcodes != STORED:
        return axcodes
    return geometry.codes if geometry.thickest is None else _last(geometry.codes, geometry.codes[geometry.thickest])


def training_axcodes(axcodes: str, geometries: Mapping[str, Geometry]) -> str:
    """The axis codes to which all images of a training are reoriented.

    Args:
        axcodes: the codes themselves, "stored", or "auto": the most frequent codes of the training images, with the
            axis of the largest spacing last, because slices lie along the last axis. If this axis differs between
            images, as in oblique stacks, "auto" becomes "stored".
        geometries: the geometries of the training images, by case.

    Returns:
        Codes, or "stored", which `Reorientd` takes.
    """
    volumes = {case: geometry for case, geometry in geometries.items() if geometry.codes}
    if axcodes == AUTO:
        axcodes = axcodes_of(axcodes, volumes.values())
        stored = Counter(geometry.codes for geometry in volumes.values()).most_common()
        told = ", ".join(f"{count} {codes}" for codes, count in stored)
        turned = axcodes == STORED or len(stored) > 1 or stored[0][0] != axcodes
        level = logging.WARNING if turned else logging.INFO
        if volumes:
            logger.log(level, "axcodes auto became %s, which images are reoriented to; stored are %s", axcodes, told)
    across = [
        case
        for case, geometry in volumes.items()
        if _thickest(geometry.along(axcodes).spacing, MUCH_THICKER) not in (None, SPATIAL_DIMS - 1)
    ]
    if across:
        logger.warning(
            "%d of %d training images, first %s, have their thickest axis elsewhere than axcodes %s, and are sliced "
            "across it: --axcodes stored slices each image along its own thickest axis",
            len(across),
            len(volumes),
            across[0],
            axcodes,
        )
    return axcodes


def axcodes_of(axcodes: str, geometries: Iterable[Geometry]) -> str:
    """As `training_axcodes`, without its warnings."""
    return _most_frequent([geometry for geometry in geometries if geometry.codes]) if axcodes == AUTO else axcodes


def check_axcodes(axcodes: str, *, auto: bool = True) -> None:
    """Raise ValueError if axis codes are not three letters, one an axis, or "stored", or "auto" where that may be."""
    words = [STORED, *[AUTO] * auto]
    letters = isinstance(axcodes, str) and len(axcodes) == SPATIAL_DIMS
    if axcodes not in words and not (letters and all(len({*pair} & {*axcodes}) == 1 for pair in AXES)):
        raise ValueError(
            f"axcodes is {axcodes!r}; it must be three letters, one each of R or L, A or P, S or I, such as RAS, or "
            f"{' or '.join(words)}"
        )


def _most_frequent(volumes: list[Geometry]) -> str:
    """The meaning of "auto" for these volumes."""
    if not volumes:
        return STORED
    [(codes, _)] = Counter(volume.codes for volume in volumes).most_common(1)
    thickest = Counter(_axis_of(volume.codes[volume.thickest]) for volume in volumes if volume.thickest is not None)
    if not thickest:
        return codes
    [(axis, count)] = thickest.most_common(1)
    if count < MOST * thickest.total():
        return STORED
    return _last(codes, next(code for code in codes if code in axis))


def _thickest(spacing: tuple[float, ...], factor: float) -> int | None:
    """The axis whose spacing exceeds all others by a factor, None if there is none."""
    *_, second, first = sorted(spacing)
    return spacing.index(first) if first > factor * second else None


def _last(codes: str, code: str) -> str:
    """Codes with one of them moved to the end."""
    return codes.replace(code, "") + code


def _axis_of(code: str) -> tuple[str, str]:
    """The two ends of the axis that a code is one of."""
    return next(axis for axis in AXES if code in axis)
