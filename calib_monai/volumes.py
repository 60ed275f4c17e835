"""Volumes: loads and checks the files of a case; a message names the file and its fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.transforms import LoadImage
from torch import Tensor

from calib_monai.arguments import check_ignored_label
from calib_monai.case_keys import IMAGE_AND_LABEL, LABEL_VALUES
from calib_monai.checks import SLICE_MULTIPLE, first_line
from calib_monai.contrasts import Scaling, check_contrast
from calib_monai.copies import copied
from calib_monai.headers import check_header, check_image_header, check_label_header, check_room
from calib_monai.held_images import is_held
from calib_monai.inside_out import is_inside_out
from calib_monai.label_grids import check_same_grid
from calib_monai.label_values import check_contents, checked_values
from calib_monai.orientation import AUTO, STORED, Geometry, geometry_of
from calib_monai.pictures import SUFFIXES
from calib_monai.pictures.palettes import colors_of
from calib_monai.readers import reader_of
from calib_monai.refusals import causes_of
from calib_monai.same_images import digest_of, label_digest_of
from calib_monai.seen import Seen, SeenImage
from calib_monai.windows import Window, doubt_of_units

HOW_THEY_END = "; where each is a file, say how they end: --cases#endings \"['_a.nii.gz', '_b.nii.gz']\""
Loading = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Rules:
    """The rules for image and label.

    Args:
        num_classes: labels must be 0..num_classes - 1.
        in_channels: channels of an image.
        spatial_dims: axes of an image, 2 or 3.
        largest: H and W that no slice may exceed, or None.
        axcodes: that the slices are taken in, see `calib_monai.orientation.training_axcodes`.
        empty_labels: whether a label may show nothing but background.
        same_grid: whether image and label must lie on one grid by their headers.
        ignore_index: a label that is no class, or None.
        window: that the values of an image are clipped to, or None.
        scaling: of the values of an image, which few extreme ones would spoil, or None.
    """

    num_classes: int
    in_channels: int
    spatial_dims: int
    largest: tuple[int, ...] | None
    axcodes: str
    empty_labels: bool
    same_grid: bool
    ignore_index: int | None = None
    window: Window | None = None
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if the label that is ignored is a class, or no byte."""
        check_ignored_label(self.ignore_index, self.num_classes)


def read_pair(
    case: Mapping[str, Any], loading: Loading, rules: Rules, look: Callable[[str, Tensor], None] | None = None
) -> Seen:
    """The geometry and a digest of the image of a case for training, and the classes that its label shows.

    Args:
        case: the files of its "image" and its "label", a path or several each.
        loading: the transforms from the files to an image (C, H, W[, D]) and a label (1, H, W[, D]).
        rules: the rules for image and label.
        look: called with the file and the label, (1, H, W[, D]), its thickest axis last, if these are good.

    Raises:
        ValueError: image and label cannot be trained on; the message names the file, the value and the rule.
    """
    files = {key: named_in(case, key) for key in IMAGE_AND_LABEL}
    _check_kind(case, rules.spatial_dims)
    loaded = _loaded(case, loading)
    image = _checked_image(loaded["image"], files["image"], rules.in_channels, rules.spatial_dims)
    check_contents(image, _files(case["image"]), files["image"], rules.num_classes, rules.ignore_index)
    check_contrast(image, _files(case["image"]), files["image"], rules.scaling)
    units = doubt_of_units(image, files["image"], rules.window)
    geometry, on_grid = (_geometry(loaded["image"], files["image"], in_file=in_file) for in_file in (True, False))
    sliced = on_grid.along(STORED if rules.axcodes == AUTO else rules.axcodes)
    if LABEL_VALUES in loaded:
        raise ValueError(
            f"{files['label']} has labels that test_dir names, and the loading of this bundle does not take them: only "
            "calib_monai.loading.LoadCased does"
        )
    label = _without_meta(loaded["label"])
    if len(label) != 1 and len(_files(case["label"])) > 1:
        raise ValueError(
            f"{files['label']} are the masks of one case; those of a volume must be united in one file first"
        )
    if label.shape[1:] != image.shape[1:] or len(label) != 1:
        raise ValueError(
            f"{files['image']} is {tuple(image.shape[1:])} voxels and {files['label']} is {_shape(label)}; they must "
            "be equal"
        )
    if rules.largest and any(size > limit for size, limit in zip(sliced.size, rules.largest, strict=False)):
        raise ValueError(
            f"{files['image']} has slices of {sliced.size[0]}x{sliced.size[1]} voxels; slice_size is "
            f"{list(rules.largest)}: set it to the largest, in multiples of {SLICE_MULTIPLE}"
        )
    values = checked_values(label, files["label"], rules.num_classes, rules.ignore_index)
    check_same_grid(loaded["image"], loaded["label"], files, asked=rules.same_grid)
    if not rules.empty_labels and not values.any():
        raise ValueError(f"{files['label']} shows no structure on the grid of {files['image']}")
    in_slices = label if on_grid.thickest is None else label.movedim(on_grid.thickest + 1, -1)
    if look is not None:
        look(files["label"], in_slices)
    inside_out = is_inside_out(in_slices, rules.ignore_index)
    affine = np.asarray(loaded["image"].affine)
    digests = digest_of(image, affine), label_digest_of(label, affine)
    apart = torch.split(image, 1) if len(_files(case["image"])) == len(image) > 1 else ()
    channels = tuple(digest_of(one, affine) for one in apart)
    masks = _files(case["label"]) if rules.num_classes > 2 else ()  # noqa: PLR2004 - of two the larger is the structure
    palettes = tuple((file, colors_of(file)) for file in masks)
    return Seen(geometry, *digests, frozenset(map(int, values)), channels, palettes, units, inside_out)


def read_image(
    case: Mapping[str, Any],
    loading: Loading,
    in_channels: int,
    spatial_dims: int,
    num_classes: int,
    preparation: Loading | None = None,
    window: Window | None = None,
    scaling: Scaling | None = None,
) -> SeenImage:
    """The geometry, a digest and the units of the image of a case that can be predicted.

    Args:
        case: the files of its "image", a path or several, or an image in memory.
        loading: the transforms from the files to an image (C, H, W[, D]).
        in_channels: channels that it must have.
        spatial_dims: axes that it must have, 2 or 3.
        num_classes: of the network; an image that holds nothing but labels of these is refused.
        preparation: transforms that must accept the image, or None.
        window: that its values are clipped to, or None.
        scaling: of its values, or None.

    Raises:
        ValueError: it cannot be predicted; the message names the file, the value and the rule.
    """
    name = named_in(case, "image")
    _check_kind(case, spatial_dims)
    loaded = _loaded(case, loading)
    image = _checked_image(loaded["image"], name, in_channels, spatial_dims)
    check_contents(image, _files(case["image"]), name, num_classes)
    check_contrast(image, _files(case["image"]), name, scaling)
    units = doubt_of_units(image, name, window)
    if preparation is not None:
        try:
            ends = torch.aminmax(_without_meta(copied(preparation)(loaded)["image"]))
        except Exception as error:  # noqa: BLE001 - every transform has errors of its own
            raise ValueError(f"{name} cannot be prepared: {first_line(causes_of(error)[-1])}") from None
        if not (finite := all(end.isfinite() for end in ends)) or ends[0] == ends[1]:
            low, high = (end.item() for end in torch.aminmax(image))
            become = f"all become {ends[0]:g}" if finite else "become NaN or infinite"
            raise ValueError(f"{name} cannot be prepared: its values, {low:g} to {high:g}, {become}")
    geometry = _geometry(loaded["image"], name)
    return SeenImage(geometry, digest_of(image, np.asarray(loaded["image"].affine)), units)


def files_of(case: Mapping[str, Any]) -> list[str]:
    """All files of a case, those of its image first."""
    return [file for key in IMAGE_AND_LABEL if key in case for file in _files(case[key])]


def named(of_key: str | list[str]) -> str:
    """The files of an image or a label in words: the first, and the number of others."""
    first, *more = _files(of_key)
    return first + (f" (with {len(more)} more)" if more else "")


def named_in(case: Mapping[str, Any], key: str) -> str:
    """The image or the label of a case in words, by its files or as one that is in memory."""
    return f"the {key} of {case['case']}" if is_held(case[key]) else named(case[key])


def _check_kind(case: Mapping[str, Any], spatial_dims: int) -> None:
    """Raise ValueError if a file of a volume is a picture, of one page or many: pictures have no millimeters."""
    for file in (file for key in IMAGE_AND_LABEL if key in case for file in _files(case[key])):
        if spatial_dims > 2 and file.lower().endswith(SUFFIXES):  # noqa: PLR2004 - height and width
            raise ValueError(f"{file} is a picture; needed is a volume, as NIfTI, NRRD, MetaImage or DICOM")


def _checked_image(loaded: Tensor, name: str, in_channels: int, spatial_dims: int) -> Tensor:
    """A loaded image; raise ValueError for other channels or axes, or NaN or infinity."""
    image = _without_meta(loaded)
    if image.ndim - 1 != spatial_dims:
        raise ValueError(f"{name} has the shape {_shape(image)}; it must be {spatial_dims}D")
    if len(image) != in_channels:
        hint = HOW_THEY_END if len(image) == 1 else ""
        raise ValueError(f"{name} has {len(image)} channel(s); in_channels is {in_channels}{hint}")
    if image.numel() == 0:
        raise ValueError(f"{name} has the shape {_shape(image)}: it holds no voxel")
    low, high = torch.aminmax(image)
    if not (low.isfinite() and high.isfinite()):
        bad = int(image.numel() - image.isfinite().sum())
        raise ValueError(f"{name} holds {bad} voxel(s) that are NaN or infinite")
    return image


def _geometry(image: Tensor, name: str, *, in_file: bool = True) -> Geometry:
    """The geometry of an image; raise ValueError with its file if it has none."""
    try:
        return geometry_of(image, in_file=in_file)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _loaded(case: Mapping[str, Any], loading: Loading) -> dict[str, Any]:
    """A case with its files loaded; raise ValueError with the first file that cannot be read alone."""
    files = files_of(case)
    for file in files:
        check_header(file)
    for file in _files(case["image"]):
        check_image_header(file)
    for file in _files(case.get("label", [])):
        check_label_header(file, _files(case["image"]))
    check_room(files)
    try:
        return copied(loading)(dict(case))
    except Exception as error:  # noqa: BLE001 - every reader has errors of its own
        cause = causes_of(error)[-1]
        if isinstance(cause, ValueError) and any(file in str(cause) for file in files):
            raise ValueError(first_line(cause)) from None
        if any(is_held(case[key]) for key in IMAGE_AND_LABEL if key in case) and isinstance(cause, ValueError):
            raise ValueError(f"the case {case['case']} cannot be taken: {first_line(cause)}") from None
        for key in IMAGE_AND_LABEL:
            if len(_files(case.get(key, []))) > 1:
                _check_sizes(key, case, loading)
        broken = files[0] if len(files) == 1 else next(filter(_is_broken, files), ", ".join(files))
        why = first_line(cause).removesuffix(f": '{broken}'")  # nibabel names the file again
        raise ValueError(f"{broken} cannot be read: {why}") from None


def _check_sizes(key: str, case: Mapping[str, Any], loading: Loading) -> None:
    """Raise ValueError if two files of one key can each be loaded, but differ in size."""
    first: tuple[str, tuple[int, ...]] | None = None
    for file in _files(case[key]):
        try:
            alone = copied(loading)({**case, key: file})
        except Exception:  # noqa: BLE001 - every reader has errors of its own
            return
        size = tuple(alone[key].shape[1:])
        first = first or (file, size)
        if size != first[1]:
            told = f"{first[0]} is {first[1]}, {file} is {size}"
            raise ValueError(f"the files of one {key} must be of one size, and {told} voxels")


def _is_broken(file: str) -> bool:
    """Whether a file cannot be read by itself."""
    try:
        LoadImage()(file, reader_of(file))
    except Exception:  # noqa: BLE001 - every reader has errors of its own
        return True
    return False


def _files(of_key: str | list[str]) -> list[str]:
    """The files of an image or a label, one or several; none of one that is in memory."""
    if is_held(of_key):
        return []
    return [of_key] if isinstance(of_key, str) else of_key


def _without_meta(loaded: Tensor) -> Tensor:
    """The voxels without MONAI's metadata, whose arithmetic is slower."""
    return torch.as_tensor(loaded).as_subclass(Tensor)


def _shape(volume: Tensor) -> tuple[int, ...]:
    """The shape of a volume, without its first axis where that holds one channel."""
    return tuple(volume.shape[1:] if len(volume) == 1 else volume.shape)
