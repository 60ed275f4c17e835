"""Checks before a run starts: what cannot work is refused in one clear line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import torch

OUTPUTS = ("label", "probs", "confidence", "entropy", "spread")  # of an inference
DTYPES = ("float32", "uint16", "uint8")  # of its probabilities; integers are scaled
SLICE_MULTIPLE = 16  # a network halves a slice four times


def check_schedule(epochs: int, val_interval: int) -> None:
    """Refuse a training that would never validate: the best model is found, and saved, in validation.

    Raises:
        SystemExit: with one line that names the numbers.
    """
    if not isinstance(epochs, int) or not isinstance(val_interval, int) or not 1 <= val_interval <= epochs:
        raise SystemExit(
            f"error: epochs is {epochs} and val_interval {val_interval}; needed are whole numbers, "
            "1 <= val_interval <= epochs"
        )


def check_slice_size(slice_size: Sequence[int]) -> None:
    """Refuse slices that no network here can halve.

    Raises:
        SystemExit: with one line that names the sizes.
    """
    sizes = list(slice_size) if isinstance(slice_size, Sequence) else [slice_size]
    if len(sizes) != 2 or any(not isinstance(size, int) or size < 1 or size % SLICE_MULTIPLE for size in sizes):  # noqa: PLR2004 - H and W
        raise SystemExit(
            f"error: slice_size is {slice_size}; it must be height and width, multiples of {SLICE_MULTIPLE}"
        )


def check_bundle_root(bundle_root: str) -> None:
    """Refuse a `bundle_root` that is no bundle: what the run writes would land somewhere else.

    Raises:
        SystemExit: with one line that names the folder.
    """
    if not (Path(bundle_root) / "configs" / "metadata.json").is_file():
        raise SystemExit(
            f"error: bundle_root {Path(bundle_root).resolve()} holds no configs/metadata.json: run from inside the "
            "bundle or set --bundle_root"
        )


def check_network(
    network: torch.nn.Module, in_channels: int, num_classes: int, slice_size: Sequence[int], device: torch.device
) -> None:
    """Refuse a network that cannot take the slices, or gives other than logits of each class for each of their voxels.

    Raises:
        SystemExit: with one line that names the shapes.
    """
    shape = (1, in_channels, *slice_size)
    name = type(network).__name__
    training = network.training
    try:
        with torch.no_grad():
            output = network.eval()(torch.zeros(shape, device=device))
    except Exception as error:  # noqa: BLE001 - every network has errors of its own
        reason = f"{first_line(error).rstrip('.')}; some networks need a slice_size in multiples of 32"
        raise SystemExit(f"error: {name} cannot take slices of the shape {shape}: {reason}") from None
    finally:
        network.train(training)
    expected = (1, num_classes, *slice_size)
    given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if given != expected:
        raise SystemExit(f"error: {name} gives {given} for slices of the shape {shape}; it must give {expected}")


def check_outputs(outputs: Sequence[str], dtype: str) -> None:
    """Refuse an inference that would write what is not known, or nothing, or in a type that is none of these.

    Raises:
        SystemExit: with one line that names the output and the nearest one, or the type.
    """
    if dtype not in DTYPES:
        raise SystemExit(f"error: probs_dtype is {dtype}; it must be one of {', '.join(DTYPES)}")
    if isinstance(outputs, str) or not outputs:
        raise SystemExit(f"error: outputs are {outputs!r}; they must be a list of {', '.join(OUTPUTS)}")
    for output in outputs:
        if output not in OUTPUTS:
            near = difflib.get_close_matches(str(output).lower(), OUTPUTS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SystemExit(f"error: outputs name {output}; they must be some of {', '.join(OUTPUTS)}{hint}")


def check_model(path: str) -> None:
    """Refuse a model that is not there.

    Raises:
        SystemExit: with one line that names the file.
    """
    if not Path(path).is_file():
        raise SystemExit(f"error: there is no model at {path}: train first, or set --ckpt_dir to where it is")


def first_line(error: BaseException) -> str:
    """What an error says first, its name where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
