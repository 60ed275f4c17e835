"""Checks before a run starts: what cannot work is refused in one clear line."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from monai.transforms import LoadImage
from numpy.typing import NDArray
from tqdm import tqdm

Case = dict[str, str]
Split = dict[str, list[Case]]

IMAGE_SUFFIXES = (".nii.gz", ".nii")
LABEL_ENDING = "_gt"  # of a label that lies beside its image, as in ACDC
SHOWN = 5  # of many values, in a message
VOLUME = 3  # axes
SLICE_MULTIPLE = 16  # a network halves a slice four times
SPLIT_FILE = "split.json"

logger = logging.getLogger(__name__)


@contextmanager
def one_clear_line() -> Iterator[None]:
    """A ValueError inside ends the program with its message alone and exit code 1.

    MONAI wraps every Exception of a configuration in pages of traceback. A SystemExit passes.
    """
    try:
        yield
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None


def checked_split(
    datalist: Callable[[], Split],
    num_classes: int,
    slice_size: Sequence[int],
    ckpt_dir: str,
    output_dir: str,
    use: Sequence[str] = ("training", "validation", "test"),
    *,
    cropped: bool = False,
    keep: bool = False,
) -> Split:
    """The cases of a run, every file of them read once and found good; the split is written down.

    It is written as `split.json` to the output folder, and beside the model, for a model must be
    tested on cases that it was not trained on.

    Args:
        datalist: what gives the split, called here so that its ValueErrors too become one line.
        num_classes: number of classes; labels must be 0..num_classes - 1.
        slice_size: H and W of the slices that the network sees.
        ckpt_dir: folder of the model.
        output_dir: folder of the results.
        use: the sets whose files are read.
        cropped: whether slices that are larger are cropped; if not, no image may be larger.
        keep: take the split that lies beside the model. Otherwise the run trains one: the split is
            written there, unless a model trained with another one is in that folder.

    Raises:
        SystemExit: with one line that names the file, the value and the rule.
    """
    with one_clear_line():
        if any(size < 1 or size % SLICE_MULTIPLE for size in slice_size):
            raise ValueError(f"slice_size is {list(slice_size)}; both must be multiples of {SLICE_MULTIPLE}")
        split = datalist()
        beside_model = Path(ckpt_dir) / SPLIT_FILE
        if keep:
            split = _kept_split(split, beside_model)
        elif (Path(ckpt_dir) / "model.pt").is_file() and _kept_split(split, beside_model) != split:
            raise ValueError(f"{ckpt_dir} holds a model that was trained with another split: set another --ckpt_dir")
        check = partial(_check_pair, num_classes=num_classes, largest=None if cropped else slice_size)
        _check_all([case for name in use for case in split[name]], check)
        for path in {Path(output_dir) / SPLIT_FILE} | ({beside_model} if not keep else set()):
            _write_split(split, path)
    return split


def check_schedule(epochs: int, val_interval: int) -> None:
    """Refuse a training that would never validate: the best model is found, and saved, in validation.

    Raises:
        SystemExit: with one line that names the numbers.
    """
    if not 1 <= val_interval <= epochs:
        raise SystemExit(
            f"error: epochs is {epochs} and val_interval {val_interval}; needed are 1 <= val_interval <= epochs"
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
        reason = f"{_first_line(error).rstrip('.')}; most networks need a slice_size in multiples of 32"
        raise SystemExit(f"error: {name} cannot take slices of the shape {shape}: {reason}") from None
    finally:
        network.train(training)
    expected = (1, num_classes, *slice_size)
    given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if given != expected:
        raise SystemExit(f"error: {name} gives {given} for slices of the shape {shape}; it must give {expected}")


def check_model(path: str) -> None:
    """Refuse a model that is not there.

    Raises:
        SystemExit: with one line that names the file.
    """
    if not Path(path).is_file():
        raise SystemExit(f"error: there is no model at {path}: train first, or set --ckpt_dir to where it is")


def checked_inputs(path: str, datalist: Callable[[], Split], ckpt_dir: str) -> list[Case]:
    """The cases to predict, `{"image": path, "case": name}`, every file read once and found good.

    Args:
        path: an image, a folder of images, or "" for the test cases of `datalist`.
        datalist: what gives the split.
        ckpt_dir: folder of the model, whose own split is kept.

    Raises:
        SystemExit: with one line that names the file, the value and the rule.
    """
    with one_clear_line():
        if path:
            cases = _images_in(Path(path))
        else:
            test = _kept_split(datalist(), Path(ckpt_dir) / SPLIT_FILE)["test"]
            cases = [{"image": case["image"], "case": case["case"]} for case in test]
        _check_all(cases, lambda case: _read_image(case["image"]))
    return cases


def _kept_split(split: Split, path: Path) -> Split:
    """The split that lies beside a model; without one, `split`, and a warning."""
    if not path.is_file():
        logger.warning("%s is not there: nothing says which cases the model was trained on", path)
        return split
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        names = {name: list(kept[name]) for name in split}
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged: it must list the cases of {', '.join(split)}") from None
    by_name = {case["case"]: case for cases in split.values() for case in cases}
    missing = [case for cases in names.values() for case in cases if case not in by_name]
    if missing:
        raise ValueError(
            f"{path}, which training wrote, lists {len(missing)} case(s) that dataset_dir lacks, first "
            f"{missing[0]}; to predict other data set --input, to train on it another --ckpt_dir, or delete that file"
        )
    return {name: [by_name[case] for case in cases] for name, cases in names.items()}


def _write_split(split: Split, path: Path) -> None:
    """Write the case names of each set, whole or not at all."""
    names = {name: [case["case"] for case in cases] for name, cases in split.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _images_in(path: Path) -> list[Case]:
    """The image at a path, or all of a folder's, sorted by name; labels beside their images are passed over."""
    if not path.exists():
        raise ValueError(f"input {path} does not exist")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    cases = []
    for file in files:
        suffix = next((suffix for suffix in IMAGE_SUFFIXES if file.name.endswith(suffix)), None)
        if suffix and not file.name.startswith("."):
            cases.append({"image": str(file), "case": file.name.removesuffix(suffix)})
    everything = {case["case"] for case in cases}
    cases = [case for case in cases if case["case"].removesuffix(LABEL_ENDING) not in everything - {case["case"]}]
    names = [case["case"] for case in cases]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"input {path} holds {twice} twice, with other suffixes; both would be written to one place")
    if not cases:
        raise ValueError(f"input {path} holds no {' or '.join(IMAGE_SUFFIXES)} image")
    return cases


def _check_all(cases: list[Case], check: Callable[[Case], object]) -> None:
    """Nothing; raises ValueError with the first of the problems that `check` raises."""

    def problem(case: Case) -> str | None:
        try:
            check(case)
        except ValueError as error:
            return str(error)
        return None

    with ThreadPoolExecutor() as pool:
        found = tqdm(pool.map(problem, cases), total=len(cases), desc="Checking files", unit="case", disable=None)
        problems = [line for line in found if line]
    if problems:
        more = f" (and {len(problems) - 1} more of {len(cases)} cases)" if len(problems) > 1 else ""
        raise ValueError(f"{problems[0]}{more}")


def _check_pair(case: Case, num_classes: int, largest: Sequence[int] | None) -> None:
    """Nothing; raises ValueError where image and label could not be trained on."""
    image = _read_image(case["image"])
    if largest is not None and any(size > limit for size, limit in zip(image.shape, largest, strict=False)):
        raise ValueError(
            f"{case['image']} has slices of {image.shape[0]}x{image.shape[1]} voxels; slice_size is "
            f"{list(largest)}: set it to the largest, in multiples of {SLICE_MULTIPLE}"
        )
    label = _read(case["label"])
    if image.shape != label.shape:
        raise ValueError(
            f"{case['image']} is {image.shape} voxels and {case['label']} is {label.shape}; they must be equal"
        )
    values = np.unique(label)
    wrong = [value for value in values.tolist() if value not in range(num_classes)]
    if wrong:
        shown = ", ".join(f"{value:g}" for value in wrong[:SHOWN]) + (" ..." if len(wrong) > SHOWN else "")
        raise ValueError(
            f"{case['label']} holds the label value(s) {shown}; with {num_classes} classes they must be whole "
            f"numbers 0..{num_classes - 1}"
        )


def _read_image(path: str) -> NDArray[np.generic]:
    """Voxels of a 3D image; ValueError where it is not 3D or holds NaN or infinity."""
    image = _read(path)
    if image.ndim != VOLUME:
        raise ValueError(f"{path} has the shape {image.shape}; it must be 3D")
    bad = int(image.size - np.isfinite(image).sum())
    if bad:
        raise ValueError(f"{path} holds {bad} voxel(s) that are NaN or infinite")
    return image


def _read(path: str) -> NDArray[np.generic]:
    """Voxels of a file; ValueError where it cannot be read."""
    try:
        return np.asarray(LoadImage(image_only=True, dtype=None)(path).numpy())
    except Exception as error:  # noqa: BLE001 - every reader has errors of its own
        raise ValueError(f"{path} cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """What an error says first, its name where it says nothing."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
