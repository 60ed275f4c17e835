"""Cases of a run: found, every file read once and found good, and the split kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import chain
from pathlib import Path

import itk
import torch
from monai.transforms import LoadImage
from torch import Tensor
from tqdm import tqdm

from calib_monai.checks import first_line
from calib_monai.datalists.inputs import channels_in, images_in
from calib_monai.datalists.splits import Case, Split

Loading = Callable[[Case], Case]

SHOWN = 5  # of many values, in a message
SLICE_MULTIPLE = 16  # a network halves a slice four times
SPLIT_FILE = "split.json"
ITK_TYPES = {id(kind): kind for kind in (itk.F, itk.D, itk.SS, itk.US, itk.UC)}  # ITK knows them by identity

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
    loading: Loading,
    num_classes: int,
    in_channels: int,
    slice_size: Sequence[int],
    ckpt_dir: str,
    output_dir: str,
    use: Sequence[str] = ("training", "validation", "test"),
    *,
    spatial_dims: int = 3,
    cropped: bool = True,
    keep: bool = False,
) -> Split:
    """The cases of a run, every file of them read once and found good; the split is written down.

    It is written as `split.json` to the output folder, and beside the model, for a model must be
    tested on cases that it was not trained on.

    Args:
        datalist: what gives the split, called here so that its ValueErrors too become one line.
        loading: the transforms that make of a case's files its "image" (C, H, W[, D]) and its "label" (1, H, W[, D]).
        num_classes: number of classes; labels must be 0..num_classes - 1.
        in_channels: channels of an image.
        slice_size: H and W of the slices that the network sees.
        ckpt_dir: folder of the model.
        output_dir: folder of the results.
        use: the sets whose files are read.
        spatial_dims: axes of an image, 2 or 3.
        cropped: whether slices are made to fit; if not, no image may be larger.
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
        check = partial(
            _check_pair,
            loading=loading,
            num_classes=num_classes,
            in_channels=in_channels,
            spatial_dims=spatial_dims,
            largest=None if cropped else slice_size,
        )
        cases = [case for name in use for case in split[name]]
        if not any(_check_all(cases, check)):
            raise ValueError(f"none of the {len(cases)} labels, first {_named(cases[0]['label'])}, shows a structure")
        for path in {Path(output_dir) / SPLIT_FILE} | ({beside_model} if not keep else set()):
            _write_split(split, path)
    return split


def checked_inputs(
    path: str,
    datalist: Callable[[], Split],
    loading: Loading,
    in_channels: int,
    ckpt_dir: str,
    endings: Sequence[str] = (),
    *,
    spatial_dims: int = 3,
) -> list[Case]:
    """The cases to predict, `{"image": path or paths, "case": name}`, every file read once and found good.

    Args:
        path: an image, a folder of images, or "" for the test cases of `datalist`.
        datalist: what gives the split.
        loading: the transforms that make of a case's files its "image" (C, H, W[, D]).
        in_channels: channels of an image.
        ckpt_dir: folder of the model, whose own split is kept.
        endings: where the channels of an image are files of their own, how their names end, in order. `path` is then
            the folder of a case, or holds those.
        spatial_dims: axes of an image, 2 or 3.

    Raises:
        SystemExit: with one line that names the file, the value and the rule.
    """
    with one_clear_line():
        if path:
            cases = channels_in(Path(path), endings) if endings else images_in(Path(path))
        else:
            test = _kept_split(datalist(), Path(ckpt_dir) / SPLIT_FILE)["test"]
            cases = [{"image": case["image"], "case": case["case"]} for case in test]
        _check_all(
            cases, lambda case: bool(_checked_image(case, _loaded(case, loading), in_channels, spatial_dims).numel())
        )
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


def _check_all(cases: list[Case], check: Callable[[Case], bool]) -> list[bool]:
    """What `check` says of each case; ValueError with the first of those that it raises."""

    def checked(case: Case) -> bool | str:
        try:
            return check(case)
        except ValueError as error:
            return str(error)

    first = [checked(case) for case in cases[:1]]  # alone: ITK loads its parts lazily, which is not safe with threads
    with ThreadPoolExecutor() as pool:
        others = pool.map(checked, cases[1:])
        found = list(tqdm(chain(first, others), total=len(cases), desc="Checking files", unit="case", disable=None))
    problems = [line for line in found if isinstance(line, str)]
    if problems:
        more = f" (and {len(problems) - 1} more of {len(cases)} cases)" if len(problems) > 1 else ""
        raise ValueError(f"{problems[0]}{more}")
    return [value is True for value in found]


def _check_pair(
    case: Case, loading: Loading, num_classes: int, in_channels: int, spatial_dims: int, largest: Sequence[int] | None
) -> bool:
    """Whether the label shows a structure; ValueError where image and label could not be trained on."""
    loaded = _loaded(case, loading)
    image = _checked_image(case, loaded, in_channels, spatial_dims)
    if largest is not None and any(size > limit for size, limit in zip(image.shape[1:], largest, strict=False)):
        raise ValueError(
            f"{_named(case['image'])} has slices of {image.shape[1]}x{image.shape[2]} voxels; slice_size is "
            f"{list(largest)}: set it to the largest, in multiples of {SLICE_MULTIPLE}"
        )
    label = _plain(loaded["label"])
    if label.shape[1:] != image.shape[1:] or len(label) != 1:
        raise ValueError(
            f"{_named(case['image'])} is {tuple(image.shape[1:])} voxels and {_named(case['label'])} is "
            f"{_told(label)}; they must be equal"
        )
    values = torch.unique(label).tolist()
    wrong = [value for value in values if value not in range(num_classes)]
    if wrong:
        shown = ", ".join(f"{value:g}" for value in wrong[:SHOWN]) + (" ..." if len(wrong) > SHOWN else "")
        raise ValueError(
            f"{_named(case['label'])} holds the label value(s) {shown}; with {num_classes} classes they must be whole "
            f"numbers 0..{num_classes - 1}"
        )
    return any(values)


def _checked_image(case: Case, loaded: Case, in_channels: int, spatial_dims: int) -> Tensor:
    """The image of a loaded case; ValueError where it has other channels or axes, or holds NaN or infinity."""
    image = _plain(loaded["image"])
    name = _named(case["image"])
    if image.ndim - 1 != spatial_dims:
        raise ValueError(f"{name} has the shape {_told(image)}; it must be {spatial_dims}D")
    if len(image) != in_channels:
        raise ValueError(f"{name} has {len(image)} channels; in_channels is {in_channels}")
    bad = int(image.numel() - image.isfinite().sum())
    if bad:
        raise ValueError(f"{name} holds {bad} voxel(s) that are NaN or infinite")
    return image


def _loaded(case: Case, loading: Loading) -> Case:
    """A case with its files loaded; ValueError where they cannot be, naming the first that cannot be read alone."""
    try:
        return deepcopy(loading, dict(ITK_TYPES))(case)  # MONAI's readers are not safe with threads
    except Exception as error:  # noqa: BLE001 - every reader has errors of its own
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        files = [file for key in ("image", "label") if key in case for file in _files(case[key])]
        broken = next(filter(_is_broken, files), ", ".join(files))
        raise ValueError(f"{broken} cannot be read: {first_line(cause)}") from None


def _is_broken(file: str) -> bool:
    """Whether a file cannot be read by itself."""
    try:
        LoadImage(image_only=True)(file)
    except Exception:  # noqa: BLE001 - every reader has errors of its own
        return True
    return False


def _files(of_key: str | list[str]) -> list[str]:
    """The files of an image or a label, one or several."""
    return [of_key] if isinstance(of_key, str) else of_key


def _named(of_key: str | list[str]) -> str:
    """The files of an image or a label as they are told: the first, and that there are more."""
    first, *more = _files(of_key)
    return first + (f" (with {len(more)} more)" if more else "")


def _plain(loaded: Tensor) -> Tensor:
    """The voxels without MONAI's metadata, whose arithmetic is slower."""
    return torch.as_tensor(loaded).as_subclass(Tensor)


def _told(volume: Tensor) -> tuple[int, ...]:
    """The shape of a volume, without its first axis where that holds one channel."""
    return tuple(volume.shape[1:] if len(volume) == 1 else volume.shape)
