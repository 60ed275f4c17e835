"""Conformal scores on disk: written beside the model and the calibrator that they are of, and read only with these."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from calib_monai.conformal import (
    LEVELS,
    conformal_levels,
    fewest_cases,
    fewest_for_miss_rate,
    least_miss_rate,
    most_coverage,
)
from calib_monai.posthoc.conformal import Conformal, ConformalFit
from calib_monai.posthoc.files import (
    CONTROL,
    MODEL,
    NONE,
    CalibratorOrShift,
    Folders,
    calibrator_path,
    check_kind,
    check_readable,
    digest_of_files,
    how_to_fit,
    load_measured,
    model_files,
)
from calib_monai.posthoc.margins import THRESHOLDS, MarginFit, Margins
from calib_monai.whole_files import whole_file

TABLE = 2  # axes

logger = logging.getLogger(__name__)


def save_conformal(
    intervals: ConformalFit, margins: MarginFit, kind: str, ckpt_dir: Folders, model: str = MODEL
) -> Path:
    """Write what the validation cases gave beside their model, whole or not at all.

    Args:
        intervals: the fit of intervals of volumes.
        margins: the fit of margins to the same cases.
        kind: the calibrator of the probabilities, "none", "ts" or "lts"; its file must be there.
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        model: name of the file of the weights.

    Returns:
        The file.
    """
    path = conformal_path(kind, ckpt_dir)
    tensors = {"scores": intervals.scores(), "patients": intervals.patients()}
    tensors |= {"missed": margins.missed(), "counts": margins.counts()}
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    with whole_file(path) as file:
        file.write(safetensors.torch.save(tensors, _made_with(kind, ckpt_dir, model)))
    return path


class Promises(NamedTuple):
    """What is promised of cases like the validation cases.

    Attributes:
        intervals: of volumes; None if there are too few patients.
        margins: masks; None if too few patients have any structure.
        why_no_intervals: why there are none; "" if there are some, or if none were asked for.
        why_no_margins: the same of margins.
    """

    intervals: Conformal | None
    margins: Margins | None
    why_no_intervals: str = ""
    why_no_margins: str = ""


def load_conformal(
    kind: str, ckpt_dir: Folders, conformal: Mapping[str, float] | None = None, *, needed: bool = False
) -> Promises | None:
    """What follows from the file of `save_conformal`; None if there is no such file.

    Without a calibrator, a file of other weights is passed over unless the run asks for a promise: a training that went
    on, or another ensemble with the same first member, must not keep a run from working that asked for none.

    Args:
        kind: the calibrator, "none", "ts" or "lts".
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        conformal: the levels that are promised, as `calib_monai.conformal.conformal_levels`: {"coverage": 0.9}. Levels
            that are not `LEVELS` ask for a promise.
        needed: whether the run asks for a promise in another way.

    Raises:
        ValueError: with one line that names the file, where it is damaged, or where it is of another model or another
            calibrator; or as `conformal_levels`.
    """
    levels = conformal_levels(conformal or {})
    check_kind(kind, or_none=True)
    path = conformal_path(kind, ckpt_dir)
    if not path.is_file():
        return None
    for file in (*model_files(ckpt_dir), *_calibrators(kind, ckpt_dir)):
        if not file.is_file():
            raise ValueError(f"there is no {file}, which {path} belongs to: {_fit(kind)}")
    kept, fitted_to = _read(path, kind)
    made_with = _made_with(kind, ckpt_dir)
    for name in ("model", "calibrator"):
        if fitted_to.get(name) != made_with.get(name):
            if kind == NONE and not needed and levels == LEVELS:
                return None
            for model in model_files(ckpt_dir):
                check_readable(model)
            raise ValueError(f"{path} was fitted to {_other(name, kind, ckpt_dir)}: {_fit(kind)}")
    if not _are_fitted(kept):
        raise ValueError(f"{path} holds values that no fit gives: {_fit(kind)}")
    intervals = Conformal(kept.scores, kept.patients, levels["coverage"])
    return _promised(intervals, Margins(kept.missed, kept.counts, levels["miss_rate"]))


class _Kept(NamedTuple):
    """What a file holds: `ConformalFit.scores` and `patients`, `MarginFit.missed` and `counts`."""

    scores: Tensor
    patients: Tensor
    missed: Tensor
    counts: Tensor


def _read(path: Path, kind: str) -> tuple[_Kept, dict[str, str]]:
    """What a file holds, and what it was fitted to.

    Raises:
        ValueError: it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            former = "patients" not in file.keys()  # noqa: SIM118 - it has no other way
            scores, missed = file.get_tensor("scores"), file.get_tensor("missed")
            patients = torch.arange(scores.shape[-1]) if former else file.get_tensor("patients")
            kept = _Kept(scores, patients, missed, file.get_tensor("cases" if former else "counts"))
            fitted_to = file.metadata() or {}
    except Exception:  # noqa: BLE001 - each broken file has an error of its own
        raise ValueError(f"{path} is damaged: {_fit(kind)}") from None
    if former:
        logger.warning("%s is of an earlier version, which counted each case as a patient: fit it again", path)
    return kept, fitted_to


def conformal_path(kind: str, ckpt_dir: Folders) -> Path:
    """The path of the scores with a calibrator; those of an ensemble lie beside its first member."""
    path = calibrator_path(kind, ckpt_dir)
    return path.with_name(path.name.replace("calibrator", "conformal", 1))


def _made_with(kind: str, ckpt_dir: Folders, model: str = MODEL) -> dict[str, str]:
    """The checksums of the model and of the calibrator, if there is one."""
    files = {"model": model_files(ckpt_dir, model), "calibrator": _calibrators(kind, ckpt_dir)}
    return {name: digest_of_files(of_name) for name, of_name in files.items() if of_name}


def _other(name: str, kind: str, ckpt_dir: Folders) -> str:
    """What scores were fitted to if it is not what is there: another model, or another calibrator."""
    if name == "model":
        return f"another {MODEL}" if isinstance(ckpt_dir, str) else "other members than those of ckpt_dirs"
    return "a calibrator" if kind == NONE else f"another {calibrator_path(kind, ckpt_dir).name}"


def _calibrators(kind: str, ckpt_dir: Folders) -> list[Path]:
    """The file of the calibrator, none without one."""
    return [] if kind == NONE else [calibrator_path(kind, ckpt_dir)]


def _fit(kind: str) -> str:
    """The end of a message: what is promised without a calibrator is fitted with any, and nobody has to have it."""
    return f"remove it, or {how_to_fit('ts')}" if kind == NONE else how_to_fit(kind)


class Fitted(NamedTuple):
    """What was fitted to a model.

    Attributes:
        calibrator: the calibrator, whose temperature is 1 for "none"; or the control of the model.
        promises: intervals and margins with this calibrator.
    """

    calibrator: CalibratorOrShift
    promises: Promises


def load_fitted(kind: str, ckpt_dir: Folders, conformal: Mapping[str, float] | None = None) -> Fitted:
    """A calibrator, and the intervals and margins with it. If there are none, the log says why.

    Args:
        kind: the calibrator, "none", "ts" or "lts"; or "control", which has no promises.
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        conformal: as in `load_conformal`; None for no promises, such as for the cases that they were fitted to.

    Raises:
        ValueError: as `load_calibrator` and `load_conformal`.
    """
    measured = load_measured(kind, ckpt_dir)  # first, because the promises belong to it
    unpromised = conformal is None or kind == CONTROL
    return Fitted(measured, Promises(None, None) if unpromised else promises_of(kind, ckpt_dir, conformal))


def promises_of(
    kind: str, ckpt_dir: Folders, conformal: Mapping[str, float] | None = None, *, needed: bool = False
) -> Promises:
    """What `load_conformal` gives, and the log says what is missing: without a file there are no promises."""
    found = load_conformal(kind, ckpt_dir, conformal, needed=needed)
    if found is not None:
        return found
    why = f"calibrate.json, which writes {conformal_path(kind, ckpt_dir)}, has not run for this model and calibrator"
    logger.info("volumes have no intervals: %s", why)
    return Promises(None, None, why, why)


def _promised(intervals: Conformal, margins: Margins) -> Promises:
    """Both, without those that have too few patients. Of intervals this is logged; margins are written on demand."""
    why, needed = "", fewest_cases(intervals.coverage)
    if intervals.patients < needed:
        why = (
            f"a coverage of {intervals.coverage:g} needs {needed} validation patients, and the fit had "
            f"{intervals.patients}, which allow --conformal#coverage {most_coverage(intervals.patients):g}"
        )
        logger.warning("volumes have no intervals: %s", why)
    if any(margins.promised):
        return Promises(None if why else intervals, margins, why)
    most = max(margins.counts)
    why_no_margins = (
        f"a miss_rate of {margins.miss_rate:g} needs {fewest_for_miss_rate(margins.miss_rate)} validation patients "
        f"with a structure, and the fit had {most} at most"
    ) + (f", which allow --conformal#miss_rate {least_miss_rate(most):g}" if most else "")
    return Promises(None if why else intervals, None, why, why_no_margins)


def _are_fitted(kept: _Kept) -> bool:
    """Whether a fit may have given these values."""
    scores, patients, missed, counts = kept
    shapes = scores.ndim == TABLE and scores.numel() and missed.shape == (len(scores), len(THRESHOLDS))
    if not (shapes and counts.shape == scores.shape[:1] and patients.shape == scores.shape[1:]):
        return False
    if patients.is_floating_point() or counts.is_floating_point():
        return False
    rising = (missed.diff() >= 0).all() and (missed[:, 0] == 0).all() and (missed[:, -1] <= counts).all()
    return bool((scores.isfinite() & (scores >= 0)).all() and rising)
