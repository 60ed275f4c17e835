"""Checks before a run starts: a run that cannot work is refused in one clear line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import torch

from calib_monai.arguments import check_choice, check_whole, is_whole
from calib_monai.case_keys import IMAGE_AND_LABEL
from calib_monai.generators import generators_on
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.made_for import FILES_OF, other_network
from calib_monai.path_options import check_path
from calib_monai.slices import SliceLoader
from calib_monai.spelling import did_you_mean
from calib_monai.weights import axes_of, differing_weights, spoiled_weights

OUTPUTS = ("label", "probs", "confidence", "entropy", "spread", "margin")  # the maps that an inference can write
DTYPES = ("float32", "uint16", "uint8")  # the types of its probabilities; integers are scaled
SPLIT_FILE = "split.json"  # beside a model, the cases of each set
REPLACED = "replaced"  # folder beside a model, of the files of an earlier training
SLICE_MULTIPLE = 16  # a network halves a slice four times
ITK_SOURCE = re.compile(r"\.[ch]xx:\d+:$")  # the first line of an error of ITK
ITK_CLASS = re.compile(r"^ITK ERROR: (\w+\(0x\w+\): )?")


def check_schedule(epochs: int, val_interval: int) -> None:
    """Raise ValueError if a training would never validate; only a validation finds and saves the best model."""
    if not (is_whole(epochs) and is_whole(val_interval) and 1 <= val_interval <= epochs):
        raise ValueError(
            f"epochs is {epochs} and val_interval {val_interval}; needed are whole numbers, 1 <= val_interval <= epochs"
        )


def check_fold(datalist: Callable[[], object]) -> None:
    """Raise ValueError if the data set has fewer folds than that; every data set has fold 0, which needs no look.

    Args:
        datalist: gives the split, or refuses its `fold`.
    """
    if getattr(datalist, "keywords", {}).get("fold"):
        datalist()


def check_slice_size(slice_size: Sequence[int], spatial_dims: int = 2) -> None:
    """Raise ValueError if a network here cannot halve slices of this size, or if patches have no three sizes."""
    sizes = list(slice_size) if isinstance(slice_size, Sequence) else [slice_size]
    if spatial_dims == SPATIAL_DIMS:
        check_patch_size(sizes)
        return
    if len(sizes) != 2 or any(not is_whole(size) or size < 1 or size % SLICE_MULTIPLE for size in sizes):  # noqa: PLR2004 - H and W
        raise ValueError(f"slice_size is {slice_size}; it must be height and width, multiples of {SLICE_MULTIPLE}")


def check_patch_size(patch_size: Sequence[int]) -> None:
    """Raise ValueError if this is not the size of a patch of a volume."""
    sizes = list(patch_size) if isinstance(patch_size, Sequence) else [patch_size]
    if len(sizes) != SPATIAL_DIMS or any(not is_whole(size) or size < 1 for size in sizes):
        raise ValueError(f"patch_size is {patch_size}; it must be three whole numbers, 1 or more")


def check_keys(keys: Sequence[str]) -> None:
    """Raise ValueError if the keys that are prepared for training and measures leave out the image or the label."""
    if isinstance(keys, str) or not set(IMAGE_AND_LABEL) <= set(keys):
        raise ValueError(f"keys is {keys!r}; it must be a list that has image and label")


def check_bundle_root(bundle_root: str) -> None:
    """Raise ValueError if `bundle_root` is not a bundle: the run would write its files somewhere else."""
    check_path("bundle_root", bundle_root)
    if not (Path(bundle_root) / "configs" / "metadata.json").is_file():
        raise ValueError(
            f"bundle_root {Path(bundle_root).resolve()} holds no configs/metadata.json: run from inside the "
            "bundle or set --bundle_root"
        )


def check_network(
    network: torch.nn.Module,
    in_channels: int,
    num_classes: int,
    slice_size: Sequence[int],
    device: torch.device,
    batch_size: int | None = None,
) -> None:
    """Raise ValueError if a network cannot take slices or patches, or gives no logit of each class for each voxel.

    Args:
        network: the network, which is called without gradients and stays as it is.
        in_channels: channels of an image.
        num_classes: channels that the network must give.
        slice_size: H and W, or H, W and D of patches.
        device: the device of the network.
        batch_size: the batch size of a training, or None.
    """
    shape = (1, in_channels, *slice_size)
    name, kind = type(network).__name__, "patches" if len(slice_size) == SPATIAL_DIMS else "slices"
    training = network.training
    try:
        with torch.no_grad():
            output = _output(network, shape, device)
    except Exception as error:  # noqa: BLE001 - every network has errors of its own
        size = "patch_size" if kind == "patches" else "slice_size"
        reason = f"{first_line(error).rstrip('.')}; some networks need a {size} in multiples of 32"
        said = "cannot take patches of the shape" if kind == "patches" else "cannot take slices of the shape"
        raise ValueError(f"{name} {said} {shape}: {reason}") from None
    finally:
        network.train(training)
    expected = (1, num_classes, *slice_size)
    given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if given != expected:
        raise ValueError(f"{name} gives {given} for {kind} of the shape {shape}; it must give {expected}")
    if batch_size == 1 and kind == "slices" and (reason := _training_error(network, shape, device)):
        raise ValueError(
            f"{name} cannot be trained on single slices of {slice_size[0]} x {slice_size[1]}: {reason}; set a "
            "larger --batch_size or --slice_size"
        )


def _output(network: torch.nn.Module, shape: Sequence[int], device: torch.device) -> object:
    """The output for an image of zeros; for a volume its shape alone, which is quick, if the network allows that."""
    if len(shape) == 2 + SPATIAL_DIMS:
        with suppress(Exception):  # such as a tensor that the network itself makes on the CPU
            return deepcopy(network).to("meta").eval()(torch.zeros(tuple(shape), device="meta"))
    return network.eval()(torch.zeros(tuple(shape), device=device))


def check_last_batch(network: torch.nn.Module, loader: SliceLoader) -> None:
    """Raise ValueError if the last batch has one slice and the network normalizes over batches, which needs more.

    Args:
        network: the network to train; it stays as it is.
        loader: the loader of its batches.
    """
    network = getattr(network, "module", network)  # of several processes
    device = next(network.parameters(), torch.empty(0)).device
    size = loader.slices["image"].size
    if loader.last_batch(loader.batch_size) > 1 or not (reason := _training_error(network, (1, *size), device)):
        return
    others = sorted(range(2, 2 * loader.batch_size + 2), key=lambda other: abs(other - loader.batch_size))
    better = next((other for other in others if loader.last_batch(other) > 1), None)
    told = f"set --batch_size {better}" if better else "train on more slices"
    raise ValueError(
        f"with {loader.count} slices and a batch_size of {loader.batch_size} the last batch is one slice of "
        f"{size[1]} x {size[2]}, on which {type(network).__name__} cannot be trained: {reason}; {told}"
    )


def _training_error(network: torch.nn.Module, shape: Sequence[int], device: torch.device) -> str:
    """The error of a network in training mode on images of this shape, or an empty text."""
    with torch.no_grad(), torch.random.fork_rng(generators_on(device)):
        try:
            deepcopy(network).train()(torch.rand(shape, device=device))
        except Exception as error:  # noqa: BLE001 - every network has errors of its own
            return first_line(error).rstrip(".")
    return ""


def check_outputs(outputs: Sequence[str], dtype: str, num_views: int = 2) -> None:
    """Raise ValueError if an inference would write an unknown output, no output, or an unknown type."""
    check_whole("num_views", num_views, 2)
    check_choice("probs_dtype", dtype, DTYPES)
    if isinstance(outputs, str) or not outputs:
        raise ValueError(f"outputs are {outputs!r}; they must be a list of {', '.join(OUTPUTS)}")
    for output in outputs:
        if output not in OUTPUTS:
            near = did_you_mean(str(output).lower(), OUTPUTS)
            raise ValueError(f"outputs name {output}; they must be some of {', '.join(OUTPUTS)}{near}")


def check_split(ckpt_dir: str) -> None:
    """Raise ValueError if no split lies beside the model: a calibrator might be fitted to test cases."""
    if not (Path(ckpt_dir) / SPLIT_FILE).is_file():
        raise ValueError(
            f"there is no {SPLIT_FILE} in {ckpt_dir}, which training writes beside its model: nothing says "
            "which cases are for validation and which for testing"
        )


def check_model(path: str, network: torch.nn.Module) -> None:
    """Raise ValueError if a model is missing, cannot be read, or belongs to another network."""
    if not Path(path).is_file():
        raise ValueError(f"there is no model at {path}: train first, or set --ckpt_dir to where it is")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except Exception:  # noqa: BLE001 - each broken file has an error of its own, of PyTorch's inner parts
        size = Path(path).stat().st_size
        raise ValueError(
            f"{path} is damaged, or no model ({size} bytes): it must be the whole model.pt that a training wrote"
        ) from None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(f"{path} holds no weights; needed is the model.pt of a training")
    differing = differing_weights(weights, network.state_dict())
    if differing:
        axes = axes_of(weights), axes_of(network.state_dict())
        if set(axes) == {2, SPATIAL_DIMS}:
            kind = "volumes" if axes[0] == SPATIAL_DIMS else "slices"
            raise ValueError(f"{path} is of a network for {kind}, by its weights: {FILES_OF[axes[0] == SPATIAL_DIMS]}")
        this = f"{type(network).__name__}{other_network(str(Path(path).parent), network)}"
        raise ValueError(
            f"{path} is not of this network, {this}: of its weights {differing}; give the --network_def, data set and "
            "classes that it was trained with, or the JSON that set them"
        )
    if spoiled := spoiled_weights(weights, network.state_dict()):
        raise ValueError(f"{path} is damaged: of its weights {spoiled}; train again, or set --ckpt_dir to a whole one")


def first_line(error: BaseException) -> str:
    """The first line of an error, or its name if it has no text; of an error of ITK the reason, without its source."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if lines and ITK_SOURCE.search(lines[0]):
        told = [ITK_CLASS.sub("", line) for line in lines if line and not ITK_SOURCE.search(line)]
        # "Error reading FILE:" begins a list that ends with the reason
        lines = [f"{told[0]} {told[-1]}", *told] if len(told) > 1 and told[0].endswith(":") else told
    return lines[0] if lines else type(error).__name__
