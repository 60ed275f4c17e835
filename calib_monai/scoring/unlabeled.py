"""Unlabeled cases: applies a temperature that was fitted to saved probabilities to those of other cases."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from monai.data import MetaTensor
from pydantic import Field

from calib_monai.datalists.folders import files_below, held, tell_passed_over
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.headers import check_fits, is_nifti
from calib_monai.path_options import check_writable
from calib_monai.posthoc import TemperatureScaling
from calib_monai.posthoc.files import load_temperature
from calib_monai.scoring.applied import check_not_applied, note_applied, warn_of_no_help
from calib_monai.scoring.arrays import StoredArray, stored_in
from calib_monai.scoring.cases import BYTES_OF_PROB, order_of
from calib_monai.scoring.earlier import RESULTS, SCORED
from calib_monai.scoring.evaluation import SavedOutputs, Scoring
from calib_monai.scoring.fits import SaveProbsd
from calib_monai.scoring.names import OF_CLASS, PROB_SUFFIXES, PROBS, stem_of
from calib_monai.scoring.pairs import Pair, chosen_of, files_by_case
from calib_monai.scoring.probs import FoundProbs, Reading, check_alike
from calib_monai.scoring.values import accept_soft, softmax_in_place
from calib_monai.stored import ClassNames, Stored, read_stored
from calib_monai.whole_files import UNFINISHED

BEFORE = r"(?:(.+?)[_\-. ])??"  # the name of the case, unless that is the name of the folder
COPIES = 3  # of the values of a case, that are held at once
TEMPERATURE = "calibrator_ts.safetensors"
MEND = "--fitted must be the --out of python -m calib_monai.score with --calibrate ts"

logger = logging.getLogger(__name__)


class Scored(Stored):
    """What the file of a score with a fitted calibrator says of the probabilities that it was fitted to."""

    probs: str
    classes: ClassNames
    axes: list[str]
    order: list[str]
    logits: bool
    foreground: bool
    calibrate: str = ""
    fitted_to: list[str] = Field(default_factory=list)


def calibrate_files(fitted: Path, probs: Path, out: Path, *, overwrite: bool = False) -> str:
    """Calibrate all probabilities of a folder, and write them into another one as files of the same names and formats.

    All files are written, or none: they are put into `out` after the last one was calibrated.

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
    check_not_applied(probs, fitted / TEMPERATURE, Path(scored.probs))
    cases = {case: _found(case, files, scored) for case, files in files_of_cases(probs, scored).items()}
    reading = Reading(
        logits=scored.logits,
        foreground=scored.foreground,
        order=order_of(scored.order, scored.classes, foreground=scored.foreground),
        same_grid=False,
    )
    scoring = Scoring(cases, scored.classes, reading, None, "", "", with_logits=True)
    written = SaveProbsd(scoring, probs, out).paths_of
    there = [path for found in cases.values() for path in written(found) if os.path.lexists(path)]
    if there and not overwrite:
        raise ValueError(f"--out {out} holds {len(there)} of these names, first {there[0]}; --overwrite replaces them")
    warn_of_no_help(fitted)
    if known := sorted(set(cases) & set(scored.fitted_to)):
        logger.warning("the temperature was fitted to %d of these cases, first %s", len(known), known[0])
    network = SavedOutputs(scoring)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=UNFINISHED, dir=out) as folder, torch.inference_mode():
        aside = Path(folder)
        saving = SaveProbsd(scoring, probs, aside)
        for case, found in cases.items():
            try:
                values = calibrator(network(torch.empty(0), case, _grid(found)[None]).as_tensor())[0]
                softmax_in_place(values)
                if scored.logits:
                    accept_soft(found.pair.probs[0], values)
            except ValueError as error:
                raise _as_stored(error, scored) from None
            saving({"case": case, "prob": values})
        note_applied(out, fitted / TEMPERATURE)
        for file in (file for file in aside.rglob("*") if file.is_file()):
            place = out / file.relative_to(aside)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
    return f"{len(cases)} case(s) with the temperature {calibrator.temperature.item():.3g} are in {out}"


def files_of_cases(probs: Path, scored: Scored) -> dict[str, tuple[str, ...]]:
    """The files of each case of a folder, by the name of the case; the log tells which files are of none.

    The names of the cases follow from those of the files, and then the files of a case are chosen as in a score.

    Raises:
        ValueError: a folder that is none, or holds no probabilities, or as `chosen_of`.
    """
    if not probs.is_dir():
        raise ValueError(f"--probs {probs} is not a folder")
    files = [file for file in files_below(probs)[0] if file.name.lower().endswith(PROB_SUFFIXES)]
    by_case, _ = files_by_case(files, probs, _names_of_cases(files, probs, scored))
    try:
        chosen = {
            case: chosen_of(case, rests, scored.classes, foreground=scored.foreground)
            for case, rests in by_case.items()
        }
    except ValueError as error:
        raise _as_stored(error, scored) from None
    found = {case: files_of for case, files_of in sorted(chosen.items()) if files_of}
    if not found:
        raise ValueError(f"--probs {probs} holds no probabilities, {', '.join(PROB_SUFFIXES)}; {held(probs)}")
    used = {file for files_of in found.values() for file in files_of}
    tell_passed_over(probs, {"without probabilities": [file for file in files if file not in used]})
    return {case: tuple(map(str, files_of)) for case, files_of in found.items()}


def _names_of_cases(files: Sequence[Path], root: Path, scored: Scored) -> set[str]:
    """The names of cases: what stands before the name of a class or a word such as `_probs`, or the whole name.

    A volume may be a segmentation. Its number is that of a class only if all classes are there, and if no other file
    says that the name with the number is that of a case. In the name of a file with all classes no class is looked for.
    """
    classes = "|".join(re.escape(name).replace(r"\ ", "[ _]") for name in scored.classes)
    words = rf"(?:{classes})(?:[_\-. ]{PROBS})?|{PROBS}(?:[_\-. ](?:{classes}))?"
    told = re.compile(rf"{BEFORE}(?:{words})", re.IGNORECASE)
    whole = re.compile(rf"{BEFORE}{PROBS}", re.IGNORECASE)
    numbered = re.compile(rf"{BEFORE}{OF_CLASS.pattern}", re.IGNORECASE)
    single = scored.foreground and len(scored.classes) == 2  # noqa: PLR2004 - one structure, whose volume has its values
    names: set[str] = set()
    numbers: dict[str, dict[int, Path]] = {}
    for file in files:
        stem, above = stem_of(file), "" if file.parent == root else file.parent.name
        stored = stored_in(str(file), logits=scored.logits)
        if match := (whole if _has_all(stored, scored) else told).fullmatch(stem):
            names.add(match[1] or above or stem)
        elif (single and is_nifti(str(file))) or len(stored.shape) > SPATIAL_DIMS:
            names.add(stem)
        else:
            match = numbered.fullmatch(stem)
            name, number = (match[1] or above or stem, int(match[2])) if match else (stem, -1)
            numbers.setdefault(name, {})[number] = file
    wanted = {*range(int(scored.foreground), len(scored.classes))}
    for name, of_class in numbers.items():
        stems = {stem_of(file) for file in of_class.values()}
        if wanted <= of_class.keys() and not names & stems:
            names.add(name)
        else:  # segmentations, which are passed over; arrays are none, and are refused by their shape
            names |= {stem_of(file) for file in of_class.values() if not is_nifti(str(file))}
    return names


def _has_all(stored: StoredArray, scored: Scored) -> bool:
    """Whether a file has a channel for each of several classes, whatever its name says."""
    channels = len(scored.classes) - scored.foreground
    if channels > 1 and any("c" in axes and _fits(stored, axes, channels) for axes in scored.axes):
        return True
    return len(stored.shape) > SPATIAL_DIMS and min(stored.shape) > 1


def _fitted_in(fitted: Path) -> tuple[Scored, TemperatureScaling]:
    """What the folder of a score says of its probabilities, and the temperature that was fitted to them."""
    about = fitted / SCORED
    if not about.is_file():
        raise ValueError(f"--fitted {fitted} holds no {SCORED}: {MEND}")
    scored = read_stored(about, Scored, MEND)
    if scored.calibrate != "ts":
        what = "local temperatures, which need images" if scored.calibrate else "no calibrator"
        raise ValueError(f"--fitted {fitted} has {what}: {MEND}")
    return scored, load_temperature(fitted / TEMPERATURE, about, MEND)


def _check_folders(fitted: Path, probs: Path, out: Path) -> None:
    """Raise ValueError if what is written would lie among what is read, or if the score has calibrated what is read."""
    check_writable([str(out)])
    place, read = out.resolve(), probs.resolve()
    results = [fitted.resolve() / name for name in RESULTS]
    if read in (place, *place.parents):
        raise ValueError(f"--out {out} lies in --probs {probs}: set another --out")
    if place in read.parents:
        raise ValueError(f"--probs {probs} lies in --out {out}: set another --out")
    if place == fitted.resolve() or any(one in (place, *place.parents) for one in results):
        raise ValueError(f"--out {out} lies in --fitted {fitted}: set another --out")
    if any(one in (read, *read.parents) for one in results):
        raise ValueError(f"--probs {probs} lies in --fitted {fitted}: these are calibrated already")


def _found(case: str, files: Sequence[str], scored: Scored) -> FoundProbs:
    """What the headers of a case's files say; raise ValueError if they are stored in another way than those fitted."""
    stored = tuple(stored_in(file, logits=scored.logits) for file in files)
    if len(stored) > 1 and not scored.logits:
        check_alike(stored)
    channels = 1 if len(stored) > 1 else len(scored.classes) - scored.foreground
    for one in stored:
        fitting = [axes for axes in scored.axes if _fits(one, axes, channels)]
        if len({axes.find("c") for axes in fitting}) != 1:
            fit = "fits several of these" if fitting else "does not fit"
            raise ValueError(
                f"{one.file} is {one.shape}, which {fit}: it must be stored as the files that the temperature was "
                f"fitted to, with {channels} channel(s) and the axes {' or '.join(scored.axes)}"
            )
        if _size(one, fitting[0]) != _size(stored[0], fitting[0]):
            raise ValueError(f"{stored[0].file} is {stored[0].shape} and {one.file} {one.shape}; they must be equal")
    count = prod(stored[0].shape) * len(scored.classes) // channels
    check_fits(f"{files[0]} takes", BYTES_OF_PROB * count * COPIES)
    return FoundProbs(Pair(case, tuple(files), ""), stored, fitting[0], None, len(scored.classes))


def _as_stored(error: ValueError, scored: Scored) -> ValueError:
    """An error of a score; one that names its options says how the files were stored that the temperature suits."""
    if "--" not in str(error):
        return error
    background = "lack" if scored.foreground else "hold"
    return ValueError(
        f"{error}; this temperature was fitted to files of {'logits' if scored.logits else 'probabilities'} that "
        f"{background} the background: store these alike"
    )


def _fits(stored: StoredArray, axes: str, channels: int) -> bool:
    """Whether an array can have these axes, with this number of channels."""
    shape = stored.shape
    return len(shape) == len(axes) and (shape[axes.index("c")] if "c" in axes else 1) == channels


def _size(stored: StoredArray, axes: str) -> tuple[int, ...]:
    """The numbers of voxels along x, y and z."""
    sizes: Mapping[str, int] = dict(zip(axes, stored.shape, strict=True))
    return tuple(sizes.get(axis, 1) for axis in "xyz")


def _grid(found: FoundProbs) -> MetaTensor:
    """A label (1, X, Y, Z) of the size of the case, of whose voxels nothing is known."""
    return MetaTensor(torch.zeros(1).expand(1, *_size(found.stored[0], found.axes)))
