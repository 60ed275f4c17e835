"""Checks before a run starts: what cannot work is refused in one clear line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from monai.transforms import LoadImage
from numpy.typing import NDArray
from tqdm import tqdm

Case = dict[str, str]
Split = dict[str, list[Case]]

IMAGE_SUFFIXES = (".nii.gz", ".nii")
SHOWN = 5  # of many values, in a message
VOLUME = 3  # axes


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
    split_file: str,
    use: Sequence[str] = ("training", "validation", "test"),
    *,
    keep: bool = False,
) -> Split:
    """The cases of a run, every file of them read once and found good; the split is written down.

    Args:
        datalist: what gives the split, called here so that its ValueErrors too become one line.
        num_classes: number of classes; labels must be 0..num_classes - 1.
        slice_size: H and W that slices are padded to; no image may be larger.
        split_file: JSON of the case names of each set, in the output folder.
        use: the sets whose files are read.
        keep: take the sets from `split_file` where it is there, as a model trained with it must be
            tested; otherwise it is written anew.

    Raises:
        SystemExit: with one line that names the file, the value and the rule.
    """
    with one_clear_line():
        split = _kept_split(datalist(), Path(split_file)) if keep else datalist()
        check = partial(_check_pair, num_classes=num_classes, slice_size=slice_size)
        _check_all([case for name in use for case in split[name]], check)
        names = {name: [case["case"] for case in cases] for name, cases in split.items()}
        Path(split_file).parent.mkdir(parents=True, exist_ok=True)
        Path(split_file).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    return split


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


def check_model(path: str) -> None:
    """Refuse a model that is not there.

    Raises:
        SystemExit: with one line that names the file.
    """
    if not Path(path).is_file():
        raise SystemExit(f"error: there is no model at {path}: train first, or set --ckpt_dir to where it is")


def checked_inputs(path: str, datalist: Callable[[], Split], split_file: str) -> list[Case]:
    """The cases to predict, `{"image": path, "case": name}`, every file read once and found good.

    Args:
        path: an image, a folder of images, or "" for the test cases of `datalist`.
        datalist: what gives the split.
        split_file: the split that training wrote, which is kept where it is there.

    Raises:
        SystemExit: with one line that names the file, the value and the rule.
    """
    with one_clear_line():
        if path:
            cases = _images_in(Path(path))
        else:
            test = _kept_split(datalist(), Path(split_file))["test"]
            cases = [{"image": case["image"], "case": case["case"]} for case in test]
        _check_all(cases, lambda case: _read_image(case["image"]))
    return cases


def _kept_split(split: Split, split_file: Path) -> Split:
    """The split of `split_file` where it is there, else `split`."""
    if not split_file.is_file():
        return split
    by_name = {case["case"]: case for cases in split.values() for case in cases}
    kept = json.loads(split_file.read_text(encoding="utf-8"))
    missing = [name for names in kept.values() for name in names if name not in by_name]
    if missing:
        raise ValueError(
            f"{split_file}, which training wrote, lists {len(missing)} case(s) that dataset_dir lacks, first "
            f"{missing[0]}; to use this model on other data choose another --output_dir"
        )
    return {name: [by_name[case] for case in cases] for name, cases in kept.items()}


def _images_in(path: Path) -> list[Case]:
    """The image at a path, or all of a folder's, sorted by name."""
    if not path.exists():
        raise ValueError(f"input {path} does not exist")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    cases = []
    for file in files:
        suffix = next((suffix for suffix in IMAGE_SUFFIXES if file.name.endswith(suffix)), None)
        if suffix and not file.name.startswith("."):
            cases.append({"image": str(file), "case": file.name.removesuffix(suffix)})
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
        found = tqdm(pool.map(problem, cases), total=len(cases), desc="Checking files", unit="case")
        problems = [line for line in found if line]
    if problems:
        more = f" (and {len(problems) - 1} more of {len(cases)} cases)" if len(problems) > 1 else ""
        raise ValueError(f"{problems[0]}{more}")


def _check_pair(case: Case, num_classes: int, slice_size: Sequence[int]) -> None:
    """Nothing; raises ValueError where image and label could not be trained on."""
    image = _read_image(case["image"])
    if any(size > limit for size, limit in zip(image.shape, slice_size, strict=False)):
        raise ValueError(
            f"{case['image']} has slices of {image.shape[0]}x{image.shape[1]} voxels; slice_size is "
            f"{list(slice_size)}: set it to the largest, in multiples of 16"
        )
    label = _read(case["label"])
    if image.shape != label.shape:
        raise ValueError(f"{case['image']} is {image.shape} voxels and {case['label']} is {label.shape}")
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
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path} cannot be read: {reason}") from None
