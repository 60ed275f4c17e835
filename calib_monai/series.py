"""Series: turns DICOM files into a volume with an affine, or refuses missing, doubled or unevenly spaced slices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import itk
import numpy as np
import torch
from monai.data import MetaTensor
from monai.data.utils import orientation_ras_lps
from numpy.typing import NDArray

from calib_monai.dicom import SAME, STORAGE, Header, sorted_into_series
from calib_monai.dicom_lengths import DEFLATED, is_deflated
from calib_monai.rescales import check_rescales

NEAR = 0.1  # of the usual distance of slices, by which one may lie beside its place
DOUBLED, GAP = 0.5, 1.5  # of that distance
FAR = 1.9  # times as far apart as slices are thick
NOT_SQUARE = 0.01  # by which the products of two directions may differ from those of perfect ones
MANY_FRAMES = tuple(STORAGE + kind for kind in ("2.1", "2.2", "4.1", "4.3", "4.4", "128.1", "130"))

# PhotometricInterpretation in either order of bytes, with its kind or its length
WHITE_IS_0 = re.compile(rb"((?:\x28\0\x04\0|\0\x28\0\x04).{4} *MONOCHROME)1", re.DOTALL)
MOSAIC = "MOSAIC"  # Siemens' name for slices side by side


def load_series(name: str, files: Iterable[str | Path]) -> MetaTensor:
    """The volume of one series, (1, H, W, D), with its affine in mm.

    H are the columns of the slices and W the rows, as in MONAI's ITKReader. The affine is computed from the places of
    the first and the last slice, so it also holds a tilt.

    Args:
        name: the name in messages.
        files: the files of the series, in any order; files that are not volumes are skipped, and files of another
            series without an image.

    Raises:
        ValueError: no series or several, a damaged file, slices that are missing, doubled, of several sizes or unevenly
            spaced, or a file that does not say where it lies, or what its values mean.
    """
    found = sorted_into_series(files)
    damaged = found.damaged_of(found.identifiers) if found.series else [*found.damaged]
    deflated = next(filter(is_deflated, damaged), None)
    if deflated:
        raise ValueError(
            f"{deflated} is deflated (transfer syntax {DEFLATED}), which is not read; it must be stored without that: "
            "convert it, by dcmconv of DCMTK for example"
        )
    if damaged:
        raise ValueError(f"{damaged[0]} is damaged, or no DICOM; its series may lack a slice")
    if len(found.series) != 1:
        others = "; ".join(sorted(set(found.passed_over.values())))
        held = f"{len(found.series) or 'no'} DICOM series" + (f" ({others})" if others and not found.series else "")
        raise ValueError(f"{name} holds {held}; it must be a file, or a folder or list with the files of one series")
    headers, affine = placed(name, found.series[0])
    voxels = _voxels(headers)
    affine_ras = orientation_ras_lps(affine)
    meta: dict[str, Any] = {
        "filename_or_obj": name,
        "original_affine": affine_ras,
        "spatial_shape": np.asarray(voxels.shape),
        "original_channel_dim": 0,
        "space": "RAS",
    }
    return MetaTensor(torch.from_numpy(voxels)[None], affine=torch.from_numpy(affine_ras), meta=meta)


def _voxels(headers: Sequence[Header]) -> NDArray[np.float32]:
    """The values of slices after the rescale in their headers, (H, W, D).

    ITK inverts the values of MONOCHROME1, although it only says how to show them, and by another number in each format.
    So it gets copies that say MONOCHROME2.
    """
    with TemporaryDirectory() if any(header.white_is_0 for header in headers) else nullcontext("") as folder:
        files = [header.file for header in headers]
        for place, header in enumerate(headers):
            if header.white_is_0:
                files[place] = str(Path(folder, f"{place}.dcm"))
                Path(files[place]).write_bytes(WHITE_IS_0.sub(rb"\g<1>2", Path(header.file).read_bytes()))
        voxels: NDArray[np.float32] = itk.array_from_image(itk.imread(files, itk.F)).T
    return voxels


def placed(name: str, headers: Sequence[Header]) -> tuple[list[Header], NDArray[np.float64]]:
    """The slices of a series in order, and the affine of their volume in DICOM's space, (4, 4), in mm.

    Args:
        name: of the series, in messages.
        headers: of its files.

    Raises:
        ValueError: as `load_series`.
    """
    first = headers[0]
    for header in headers:
        _check_gray_slice(header)
    _check_alike(name, headers)
    check_rescales(name, headers)
    if not _is_square(first.directions):
        raise ValueError(
            f"{first.file} has directions of rows and columns that are not of length 1 and at right angles "
            "(ImageOrientationPatient)"
        )
    if not all(first.spacing[:2]):
        raise ValueError(f"{first.file} does not say how large its pixels are (PixelSpacing)")
    affine = np.eye(4)
    if len(headers) == 1:
        if not first.spacing[2]:
            raise ValueError(f"{first.file} does not say how thick its slice is (SliceThickness)")
        step, ordered = first.normal * first.spacing[2], [first]
    else:
        ordered = _in_order(name, headers)
        step = (ordered[-1].place - ordered[0].place) / (len(ordered) - 1)
    if first.directions is None:
        return ordered, np.diag([*first.spacing, 1.0])
    affine[:3, 0] = np.multiply(first.directions[:3], first.spacing[0])
    affine[:3, 1] = np.multiply(first.directions[3:], first.spacing[1])
    affine[:3, 2] = step
    affine[:3, 3] = ordered[0].position or (0.0, 0.0, 0.0)
    return ordered, affine


def _check_gray_slice(header: Header) -> None:
    """Raise ValueError if a file holds several slices, or colors."""
    if header.size[2] > 1 or header.kind in MANY_FRAMES:
        raise ValueError(
            f"{header.file} holds {header.size[2]} frame(s) of a multi-frame DICOM; it must be a file for each slice: "
            "convert it, by dcm2niix for example"
        )
    if MOSAIC in header.image_type.upper().split("\\"):
        raise ValueError(
            f"{header.file} holds several slices in one picture ({MOSAIC}); it must be a file for each slice: convert "
            "it, by dcm2niix for example"
        )
    if header.colors != 1:
        raise ValueError(f"{header.file} holds colors; it must hold one number in a pixel")


def _check_alike(name: str, headers: Sequence[Header]) -> None:
    """Raise ValueError if slices are of two sizes, directions, patients or frames of reference."""
    first = headers[0]
    for other in headers:
        one, two = ([*at.size, *at.spacing[:2], *(at.directions or ())] for at in (first, other))
        if len(one) != len(two) or np.abs(np.subtract(one, two)).max() > SAME:
            raise ValueError(f"{name} holds slices of other sizes or directions: {_text(first)} and {_text(other)}")
    named = {header.patient: header.file for header in headers if header.patient}
    if len(named) > 1:  # a message must not name patients
        raise ValueError(f"{name} holds slices of two patients (PatientID): {' and '.join([*named.values()][:2])}")
    frames = {header.frame: header.file for header in reversed(headers) if header.frame}
    if 1 < len(frames) < len(headers):  # some programs write one for each file
        raise ValueError(
            f"{name} holds slices of two frames of reference, whose places cannot be compared (FrameOfReferenceUID): "
            f"{' and '.join([*reversed(frames.values())][:2])}"
        )


def _in_order(name: str, headers: Sequence[Header]) -> list[Header]:
    """Slices sorted by their places; raise ValueError if these are unknown, doubled, or not evenly spaced."""
    unknown = next((header.file for header in headers if header.position is None or header.directions is None), None)
    if unknown:
        raise ValueError(f"{unknown} does not say where it lies (ImagePositionPatient, ImageOrientationPatient)")
    normal = headers[0].normal
    at = {header.file: float(header.place @ normal) for header in headers}
    ordered = sorted(headers, key=lambda header: at[header.file])
    places = np.array([at[header.file] for header in ordered])
    gaps = np.diff(places)
    apart = gaps[gaps > SAME]
    usual = float(np.median(apart)) if len(apart) else 0.0
    for gap, one, other in zip(gaps, ordered, ordered[1:], strict=False):
        if gap < DOUBLED * usual or not usual:
            raise ValueError(
                f"{name} holds two slices at {at[one.file]:.4g} mm along its axis, {one.file} and "
                f"{Path(other.file).name}: each place must have one (phases or echoes belong in folders of their own)"
            )
        if gap > GAP * usual:
            raise ValueError(
                f"{name} lacks slices: between {at[one.file]:.4g} and {at[other.file]:.4g} mm along its axis is a gap "
                f"of {gap:.4g} mm, elsewhere of {usual:.4g} mm"
            )
    beside = np.abs(places - np.linspace(places[0], places[-1], len(places)))
    if beside.max() > NEAR * usual:
        worst = int(np.argmax(np.abs(gaps - usual)))
        raise ValueError(
            f"{name} is spaced unevenly: between {places[worst]:.4g} and {places[worst + 1]:.4g} mm along its axis is "
            f"a gap of {gaps[worst]:.4g} mm, elsewhere of {usual:.4g} mm"
        )
    steps = np.diff([header.place for header in ordered], axis=0) - np.outer(gaps, normal)
    if np.abs(steps - steps.mean(axis=0)).max() > NEAR * usual:
        raise ValueError(f"{name} holds slices that are shifted against each other by different amounts")
    _check_none_skipped(name, ordered, usual)
    return ordered


def _check_none_skipped(name: str, ordered: Sequence[Header], distance: float) -> None:
    """Raise ValueError if numbers and distances show that only every second or third slice is there."""
    numbers = [header.index for header in ordered if header.index is not None]
    steps = np.abs(np.diff(numbers))
    if len(numbers) < len(ordered) or steps.min() < 2 or (steps != steps[0]).any():  # noqa: PLR2004 - one is left out
        return
    for told in (ordered[0].apart, ordered[0].spacing[2]):
        if told and abs(distance / told - steps[0]) < NEAR:
            raise ValueError(
                f"{name} lacks slices: they are numbered in steps of {steps[0]:g} and lie {distance:.4g} mm apart, and "
                f"their headers say {told:.4g} mm"
            )


def far_apart(headers: Sequence[Header]) -> str:
    """The distance of slices as text if it is much larger than their headers say, else an empty text."""
    first, last = (one(header.place @ headers[0].normal for header in headers) for one in (min, max))
    distance, told = (last - first) / max(len(headers) - 1, 1), max(headers[0].apart, headers[0].spacing[2])
    if not told or not distance > FAR * told:
        return ""
    return f"they lie {distance:.4g} mm apart, and their headers say {told:.4g} mm"


def _is_square(directions: tuple[float, ...] | None) -> bool:
    """Whether directions of rows and columns, (6,), are of length 1 and at right angles; true where there are none."""
    if directions is None:
        return True
    axes = np.reshape(directions, (2, 3))
    return bool(np.abs(axes @ axes.T - np.eye(2)).max() < NOT_SQUARE)


def _text(header: Header) -> str:
    """A file with the sizes of its pixels."""
    columns, rows, _ = header.size
    return f"{header.file} ({columns} x {rows} pixels of {header.spacing[0]:g} x {header.spacing[1]:g} mm)"
