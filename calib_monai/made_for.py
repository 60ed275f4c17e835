"""`model.json` says what a model was made for: a training writes it beside the model, and later runs check it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser
from monai.transforms import Compose
from torch import nn

from calib_monai import __version__
from calib_monai.descriptions import LAYERS, OTHERS, TORCH, described, described_transforms
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.networks.ensemble import members_of
from calib_monai.orientation import AUTO, STORED, Geometry, axcodes_in, axcodes_of, check_axcodes
from calib_monai.stored import StoredModelJson, read_whole

FILE = "model.json"
WEIGHTS = "weights"  # its key with the checksum of the model.pt that it was written with
HELD = ("class_names", "channels", "slice_size", "spacing", "geometry", "intensity", OTHERS, "axcodes", "network")
FILES_OF = {True: "give configs/volumes.json as the last file", False: "leave out configs/volumes.json"}  # of volumes
FAR_SPACING, FAR_SIZE = 1.5, 2.0  # times as much, or as little, as any training image has

logger = logging.getLogger(__name__)


class MadeFor:
    """The preparation of images, the network and the classes of a run.

    Args:
        dataset: the name of the data set.
        class_names: the names of the classes, the background first.
        channels: names of the image's channels.
        slice_size: H and W of the slices that the network sees, or H, W and D of its patches.
        axcodes: axis codes to which images are reoriented, "stored" for pictures, see
            `calib_monai.orientation.Reorientd`. Of a training also "auto", which its images decide. By default those of
            the `Reorientd` among the transforms.
        network: the network. Its class, the arguments that it keeps as attributes, and its layers are noted, because
            layers with other strides or activations may have weights of the same names and sizes. Of an ensemble they
            are those of its first member.
        transforms: the transforms of a case on its way to the network.
        spatial_dims: 2 if the network sees slices, 3 if it sees patches of volumes.
        ignore_index: of a training and its evaluation, the label of voxels that are neither trained on nor measured, or
            None. A model does not depend on it.
    """

    def __init__(
        self,
        dataset: str,
        class_names: Sequence[str],
        channels: Sequence[str],
        slice_size: Sequence[int],
        axcodes: str | None = None,
        *,
        network: nn.Module,
        transforms: Compose,
        spatial_dims: int = 2,
        ignore_index: int | None = None,
    ) -> None:
        self.network = network
        self.transforms = transforms
        self.num_classes, self.in_channels = len(class_names), len(channels)
        self.spatial_dims, self.slice_size = spatial_dims, slice_size
        self.class_names = class_names
        self.ignore_index = ignore_index
        self.settings: dict[str, Any] = _as_read(
            {
                "dataset": dataset,
                "class_names": class_names,
                "channels": channels,
                "slice_size": slice_size,
                **described_transforms(transforms),
                "axcodes": axcodes_in(transforms) if axcodes is None else axcodes,
                "network": described(members_of(network, "")[0][0]),
            }
        )

    @property
    def axcodes(self) -> str:
        """The axis codes to which images are reoriented."""
        return str(self.settings["axcodes"])

    def of_training(self, geometries: Mapping[str, Geometry]) -> dict[str, Any]:
        """The settings, with the axis codes that images of these geometries have in a training.

        Args:
            geometries: the geometries of the training images, by case.
        """
        return {**self.settings, "axcodes": axcodes_of(self.axcodes, geometries.values())}

    def written(self, geometries: Mapping[str, Geometry], drawn_with: Mapping[str, Any]) -> dict[str, Any]:
        """The content of `model.json` for a training.

        Args:
            geometries: the geometries of the training images, by case.
            drawn_with: the options of the split.
        """
        settings = self.of_training(geometries)
        along = [geometry.along(settings["axcodes"]) for geometry in geometries.values()]
        images: dict[str, Any] = {"count": len(along)}
        if along:
            for name in ("size", "spacing"):
                by_axis = zip(*[getattr(one, name) for one in along], strict=True)
                images[name] = [[min(values), max(values)] for values in by_axis]
        made_by = {"calib_monai": __version__, "split": dict(drawn_with)}
        return {**settings, "spatial_dims": self.spatial_dims, **made_by, "training_images": images}


def read_model_json(ckpt_dir: str) -> dict[str, Any] | None:
    """The content of `model.json` beside a model, None if there is no such file.

    Raises:
        ValueError: a file that cannot be read or holds no object.
    """
    path = Path(ckpt_dir) / FILE
    if not path.is_file():
        return None
    mend = "it must be what training wrote beside its model"
    content = read_whole(path, StoredModelJson, mend)
    try:
        check_axcodes(content.get("axcodes", STORED), auto=False)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): {mend}") from None
    return content


def model_axcodes(axcodes: str, ckpt_dir: str) -> str:
    """The axis codes to which images are reoriented for a model; warn if the model does not name them.

    Args:
        axcodes: the codes of the configuration, for a model that names none; "auto" is then "stored".
        ckpt_dir: folder of the model.
    """
    known = read_model_json(ckpt_dir)
    instead = STORED if axcodes == AUTO else axcodes
    if known is not None and "axcodes" in known:
        return str(known["axcodes"]) if axcodes == AUTO else axcodes
    logger.warning(
        "%s is not there or has no axcodes: the model is taken to be made for what this bundle says, and for images of "
        "axcodes %s",
        Path(ckpt_dir) / FILE,
        instead,
    )
    return instead


def check_axes(made_for: MadeFor, ckpt_dir: str) -> None:
    """Raise ValueError if a model of slices would be used for volumes, or a model of volumes for slices."""
    told = read_model_json(ckpt_dir) or {}
    size = told.get("slice_size", made_for.slice_size)
    spatial_dims = told.get("spatial_dims", len(size))  # an earlier version did not write it
    if spatial_dims != made_for.spatial_dims:
        raise ValueError(
            f"{Path(ckpt_dir) / FILE} says that the model is of "
            f"{'patches of volumes' if spatial_dims == SPATIAL_DIMS else 'slices'}, {' x '.join(map(str, size))}: "
            f"{FILES_OF[spatial_dims == SPATIAL_DIMS]}"
        )


def check_made_for(made_for: MadeFor, ckpt_dir: str, config: str | Sequence[str]) -> None:
    """Raise ValueError if a run prepares images differently from the training of its model.

    Args:
        made_for: the preparation of this run.
        ckpt_dir: folder of the model. Without `model.json` the file of the configuration says what the model was made
            for; then only `axcodes` may be changed by an option.
        config: file of the configuration, or files of which each is laid over those before it, without options.
    """
    there, said_by = read_model_json(ckpt_dir), f"{Path(ckpt_dir) / FILE} says that the model was trained with"
    remedy = ""
    if there is None:
        remedy = f" (if it was trained otherwise, say so in a {FILE} beside it)"
        files = [config] if isinstance(config, str) else list(config)
        said_by = f"without {Path(ckpt_dir) / FILE} {' with '.join(files)} says"
        there = _of_files(files, made_for)
    for name, here, other in _differing(made_for.settings, there):
        mend = "leave out the option that changes that, or give the model's"
        if name == "axcodes":
            mend = f"give --axcodes {other}"  # the bundle's own may differ, without any option
        if name == "slice_size":  # of volumes a copy of patch_size
            mend = f'give --{"patch_size" if made_for.spatial_dims == SPATIAL_DIMS else name} "{other}"'
        raise ValueError(
            f"{name} is {json.dumps(here)}, and {said_by} {json.dumps(other)}: a model must be used as it was "
            f"trained; {mend}{remedy}"
        )


def far_from_training(geometry: Geometry, made_for: Mapping[str, Any] | None) -> str:
    """The ways in which an image differs much from the training images; "" if it does not or if they are not known.

    An image differs much if a voxel is more than 1.5 times as large or small along an axis as in any training image, or
    if the image has more than twice or less than half as many voxels.

    Args:
        geometry: geometry of the image.
        made_for: content of `model.json`.
    """
    images = (made_for or {}).get("training_images", {})
    if made_for is None or not {"size", "spacing"} <= images.keys() or len(images["size"]) != len(geometry.size):
        return ""
    here = geometry.along(made_for.get("axcodes", STORED))
    told = []
    for name, unit, values, factor in (
        ("spacing", " mm", here.spacing, FAR_SPACING),
        ("size", "", here.size, FAR_SIZE),
    ):
        ranges = list(zip(values, *zip(*images[name], strict=True), strict=True))
        if any(not low / factor <= value <= high * factor for value, low, high in ranges):
            seen = " x ".join(f"{low:g}" if low == high else f"{low:g}..{high:g}" for _, low, high in ranges)
            told.append(f"a {name} of {' x '.join(f'{value:g}' for value in values)}{unit}, in training {seen}{unit}")
    return " and ".join(told)


def _of_files(files: Sequence[str], made_for: MadeFor) -> dict[str, Any]:
    """The settings of a configuration without options, for the network and the orientation that a run has."""
    parser = ConfigParser(ConfigParser.load_config_files(files))
    if "made_for" not in parser:
        return {}
    parser["network"], parser["made_for::axcodes"] = made_for.network, made_for.axcodes
    there: MadeFor = parser.get_parsed_content("made_for")
    return there.settings


def network_of_model(ckpt_dir: str) -> dict[str, Any]:
    """The class of a model's network and its arguments, from its `model.json`; empty if that does not say it."""
    return dict((read_model_json(ckpt_dir) or {}).get("network") or {})


def other_network(ckpt_dir: str, network: nn.Module) -> str:
    """What `model.json` says of the network of a model, if that differs from this one; else an empty text."""
    known = network_of_model(ckpt_dir)
    here = _as_read(described(network))
    if not known or known.get("_target_") != here["_target_"]:
        return f", but of {known['_target_'].rpartition('.')[2]}" if known else ""
    for name, value, of_model in differences("network", here, known):
        if not name.startswith(f"the network's {LAYERS}"):
            return f" with {name.rpartition(' ')[2]} {value}, but of one with {of_model}"
    return ""


def kind_of(told: Mapping[str, Any]) -> str:
    """The class of a network and what it sees, by its `model.json`, such as "UNet for slices"."""
    network = str((told.get("network") or {}).get("_target_", "a network")).rpartition(".")[2]
    spatial_dims = told.get("spatial_dims", len(told.get("slice_size", ())))  # an earlier version did not write it
    return f"{network} for {'volumes' if spatial_dims == SPATIAL_DIMS else 'slices'}"


def _differing(here: Mapping[str, Any], there: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The settings that differ, their name and both values; of the same transforms the arguments that both have."""
    for name in HELD:
        if name in there:
            yield from differences(name, here[name], there[name])


def differences(name: str, here: Any, there: Any) -> Iterator[tuple[str, Any, Any]]:
    """The differences in a setting, each with its name and both values; arguments that only one side has are left out.

    Another version of MONAI may know an argument more or less, and another one of PyTorch prints layers otherwise.
    """
    if here == there:
        return
    if _is_network(here) and _is_network(there):
        told = {LAYERS: "layers, by what tells them,"}
        passed = {"_target_", TORCH} | ({LAYERS} if here.get(TORCH) != there.get(TORCH) else set())
        for key in sorted((here.keys() & there.keys()) - passed, key=[LAYERS].count):  # layers say least: last
            if here[key] != there[key]:
                yield f"the network's {told.get(key, key)}", here[key], there[key]
        return
    if _transforms_in(here) is None or _transforms_in(here) != _transforms_in(there):
        yield name, here, there
        return
    for (kind, values), (_, others) in zip(here, there, strict=True):
        for key in values:
            if key in others and values[key] != others[key]:
                yield f"{kind}'s {key}", values[key], others[key]


def _transforms_in(setting: Any) -> list[str] | None:
    """The names of transforms where a setting tells these with their arguments by name; None of any other setting."""
    pairs = setting if isinstance(setting, list) else []
    named = [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], Mapping)]  # noqa: PLR2004
    return [name for name, _ in named] if named and len(named) == len(pairs) else None


def _is_network(setting: Any) -> bool:
    """Whether a setting is what `described` gives."""
    return isinstance(setting, Mapping) and "_target_" in setting


def _as_read(content: dict[str, Any]) -> dict[str, Any]:
    """Content as it comes back after it is written as JSON."""
    read: dict[str, Any] = json.loads(json.dumps(content))
    return read
