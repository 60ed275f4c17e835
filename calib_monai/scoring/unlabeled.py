"""Unlabeled cases: applies a temperature that was fitted to saved probabilities to those of other cases."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from monai.data import MetaTensor
from pydantic import Field

from calib_monai.datalists.folders import files_below, held, tell_passed_over
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.headers import is_nifti
from calib_monai.posthoc import TemperatureScaling, load_temperature
from calib_monai.scoring.arrays import Stored, stored_in
from calib_monai.scoring.cases import order_of
from calib_monai.scoring.earlier import RESULTS, SCORED
from calib_monai.scoring.evaluation import SavedOutputs, Scoring
from calib_monai.scoring.fits import SaveProbsd
from calib_monai.scoring.pairs import OF_PROBS, PROB_SUFFIXES, Pair, by_class, class_words, stem_of
from calib_monai.scoring.probs import Found, Reading
from calib_monai.scoring.values import check_soft, softmax_in_place
from calib_monai.stored import ClassNames, read_whole
from calib_monai.stored import Stored as Content

ENDING = re.compile(rf"(.+?)[_\-. ]{OF_PROBS.pattern}", re.IGNORECASE)
MEND = "fit it with python -m calib_monai.score and --calibrate ts, whose --out this is"

logger = logging.getLogger(__name__)


class Scored(Content):
    """What the file of a score with a fitted calibrator says of the probabilities that it was fitted to."""

    classes: ClassNames
    axes: list[str]
    order: list[str]
    logits: bool
    foreground: bool
    calibrate: str = ""
    fitted_to: list[str] = Field(default_factory=list)


def calibrate_files(fitted: Path, probs: Path, out: Path, *, overwrite: bool = False) -> str:
    """Calibrate all probabilities of a folder, and write them into another one as files of the same names and types.

    The headers of all files are read before the first one is written, and each file is written whole or not at all.

    Args:
        fitted: the folder of a score with `--calibrate ts`.
        probs: the folder of probabilities of the same model, stored as those that the temperature was fitted to.
        out: the folder of the calibrated ones.
        overwrite: whether files in it are replaced.

    Returns:
        What was done, in a line.

    Raises:
        ValueError: input is wrong; the message is one line with the file, the value and the rule.
    """
    scored, calibrator = _fitted_in(fitted)
    _check_folders(fitted, probs, out)
    cases = {case: _found(case, files, scored) for case, files in files_of_cases(probs, scored).items()}
    there = [path for found in cases.values() for one in found.stored if (path := _written(one, probs, out)).exists()]
    if there and not overwrite:
        raise ValueError(f"--out {out} holds {len(there)} such file(s), first {there[0]}: replace them by --overwrite")
    if known := sorted(set(cases) & set(scored.fitted_to)):
        logger.warning("the temperature was fitted to %d of these cases, first %s", len(known), known[0])
    reading = Reading(
        logits=scored.logits,
        foreground=scored.foreground,
        order=order_of(scored.order, scored.classes, foreground=scored.foreground),
        same_grid=False,
    )
    scoring = Scoring(cases, scored.classes, reading, None, "", "", with_logits=True)
    network, saving = SavedOutputs(scoring), SaveProbsd(scoring, probs, out)
    with torch.inference_mode():
        for case, found in cases.items():
            logits = network(torch.empty(0), case, _grid(found)[None]).as_tensor()
            values = calibrator(logits)[0]
            softmax_in_place(values)
            if scored.logits:
                check_soft(found.pair.probs[0], values)
            saving({"case": case, "prob": values})
    return f"{len(cases)} case(s) with the temperature {calibrator.temperature.item():.3g} are in {out}"


def files_of_cases(probs: Path, scored: Scored) -> dict[str, tuple[str, ...]]:
    """The files of each case of a folder, by the name of the case; the log tells which files are of none.

    A file with all classes is one case, whose name it has, alone or with an ending such as `_probs`. Volumes are the
    files of the classes of a case, and end in the name or the number of their class.

    Raises:
        ValueError: a folder that is none, or holds no probabilities, a class without its file, or two files for one.
    """
    if not probs.is_dir():
        raise ValueError(f"--probs {probs} is not a folder")
    files = [file for file in files_below(probs)[0] if file.name.lower().endswith(PROB_SUFFIXES)]
    single = scored.foreground and len(scored.classes) == 2  # noqa: PLR2004 - one structure, whose file has its values
    arrays = [file for file in files if not is_nifti(str(file)) or len(stored_in(str(file)).shape) > SPATIAL_DIMS]
    found: dict[str, tuple[Path, ...]] = {}
    for file in arrays or (files if single else []):
        ending = ENDING.fullmatch(stem_of(file))
        case = ending[1] if ending else stem_of(file)
        if case in found:
            raise ValueError(f"{found[case][0]} and {file} are both of {case}; there must be one of them")
        found[case] = (file,)
    if not found:
        found = _of_classes(files, scored)
    if not found:
        raise ValueError(f"--probs {probs} holds no probabilities, {', '.join(PROB_SUFFIXES)}; {held(probs)}")
    used = {file for of_case in found.values() for file in of_case}
    tell_passed_over(probs, {"without probabilities": [file for file in files if file not in used]})
    return {case: tuple(map(str, of_case)) for case, of_case in sorted(found.items())}


def _of_classes(files: Sequence[Path], scored: Scored) -> dict[str, tuple[Path, ...]]:
    """The files of the classes of each case, in the order of the classes."""
    rests: dict[str, dict[Path, str]] = {}
    for file in files:
        if match := re.fullmatch(rf"(?:(.+?)[_\-. ])?({class_words(scored.classes)})", stem_of(file), re.IGNORECASE):
            rests.setdefault(match[1] or file.parent.name, {})[file] = match[2]
    return {case: by_class(case, rest, scored.classes, foreground=scored.foreground) for case, rest in rests.items()}


def _fitted_in(fitted: Path) -> tuple[Scored, TemperatureScaling]:
    """What the folder of a score says of its probabilities, and the temperature that was fitted to them."""
    about = fitted / SCORED
    if not about.is_file():
        raise ValueError(f"--fitted {fitted} holds no {SCORED}: {MEND}")
    scored = Scored(**read_whole(about, Scored, MEND))
    if scored.calibrate != "ts":
        what = "local temperatures, which need images" if scored.calibrate else "no calibrator"
        raise ValueError(f"--fitted {fitted} has {what}: {MEND}")
    return scored, load_temperature(fitted / "calibrator_ts.safetensors", about, MEND)


def _check_folders(fitted: Path, probs: Path, out: Path) -> None:
    """Raise ValueError if what is written would lie among what is read, or among the results of the score."""
    place = out.resolve()
    for name, folder in (("--probs", probs), ("--fitted", fitted)):
        among = [folder.resolve()] if name == "--probs" else [folder.resolve() / result for result in RESULTS]
        if place == folder.resolve() or any(one in (place, *place.parents) for one in among):
            raise ValueError(f"--out {out} lies in {name} {folder}: set another --out")
    if place in probs.resolve().parents:
        raise ValueError(f"--probs {probs} lies in --out {out}: set another --out")


def _found(case: str, files: Sequence[str], scored: Scored) -> Found:
    """What the headers of a case's files say; raise ValueError if they are stored in another way than those fitted."""
    stored = tuple(stored_in(file, logits=scored.logits) for file in files)
    channels = 1 if len(stored) > 1 else len(scored.classes) - scored.foreground
    fitting = [axes for axes in scored.axes if all(_fits(one, axes, channels) for one in stored)]
    if len({axes.find("c") for axes in fitting}) != 1 or len({_size(one, fitting[0]) for one in stored}) > 1:
        raise ValueError(
            f"{files[0]} is {stored[0].shape}; it must be as the files that the temperature was fitted to, with axes "
            f"{' or '.join(scored.axes)} and {channels} channel(s), and all files of a case must be of one size"
        )
    return Found(Pair(case, tuple(files), ""), stored, fitting[0], None, len(scored.classes))


def _fits(stored: Stored, axes: str, channels: int) -> bool:
    """Whether an array can have these axes, with this number of channels."""
    shape = stored.shape
    return len(shape) == len(axes) and (shape[axes.index("c")] if "c" in axes else 1) == channels


def _size(stored: Stored, axes: str) -> tuple[int, ...]:
    """The numbers of voxels along x, y and z."""
    sizes: Mapping[str, int] = dict(zip(axes, stored.shape, strict=True))
    return tuple(sizes.get(axis, 1) for axis in "xyz")


def _grid(found: Found) -> MetaTensor:
    """A label (1, X, Y, Z) of the size of the case, of whose voxels nothing is known."""
    return MetaTensor(torch.zeros(1).expand(1, *_size(found.stored[0], found.axes)))


def _written(stored: Stored, probs: Path, out: Path) -> Path:
    """Where the calibrated probabilities of a file are written."""
    return out / Path(stored.file).absolute().relative_to(probs.absolute())
