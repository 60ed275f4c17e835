"""Conformal fits: writes what validation cases gave, and tells which intervals and margins they allow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isfinite

from calib_monai.conformal import fewest_cases, fewest_for_miss_rate, least_miss_rate, most_coverage
from calib_monai.metrics.inputs import ProbsAndLabels
from calib_monai.posthoc import Conformal, ConformalFit, MarginFit, Margins, save_conformal
from calib_monai.posthoc.files import Folders

logger = logging.getLogger(__name__)


class ConformalFits:
    """The conformal fits of validation cases with each calibrator.

    Args:
        kinds: the calibrators, such as "none" and "ts"; the log tells of the last one.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self.fits = {kind: (ConformalFit(), MarginFit()) for kind in kinds}

    def add(self, kind: str, given: ProbsAndLabels, patient: str) -> None:
        """Add a case of a patient with a calibrator: probabilities, labels and ignored voxels."""
        for fit in self.fits[kind]:
            fit.add(*given, patients=[patient])

    def write(self, structures: Sequence[str], ckpt_dir: Folders, model: str) -> None:
        """Write what the cases gave beside the model, and log what it allows.

        Args:
            structures: the names of the classes but the background.
            ckpt_dir: folder of the model, or those of the members of an ensemble.
            model: name of the file of the weights.
        """
        for kind, (intervals, margins) in self.fits.items():
            path = save_conformal(intervals, margins, kind, ckpt_dir, model)
            logger.info("%s is written", path)
        kind, (intervals, margins) = list(self.fits.items())[-1]
        found = (
            Conformal(intervals.scores(), intervals.patients()),
            Margins(margins.missed(), margins.counts()),
        )
        for line in [*_told_intervals(found[0], structures), *_told_margins(found[1], structures)]:
            logger.info("%s: %s", kind.upper(), line)
        _warn_of_few(*found, structures)


def _warn_of_few(intervals: Conformal, margins: Margins, structures: Sequence[str]) -> None:
    """Warn of what too few patients do not allow, with the levels that they allow."""
    if intervals.patients < (needed := fewest_cases(intervals.coverage)):
        logger.warning(
            "an interval of a volume that covers %g needs %d validation patients, and there are %d: an inference "
            "writes none. Add patients, or lower the level there: %d allow --conformal#coverage %g",
            *(intervals.coverage, needed, intervals.patients, intervals.patients, most_coverage(intervals.patients)),
        )
    few = [
        f"{name} {patients}" + (f" (--conformal#miss_rate {least_miss_rate(patients):g})" if patients else "")
        for name, patients, promised in zip(structures, margins.counts, margins.promised, strict=True)
        if not promised
    ]
    if few:
        logger.warning(
            "a margin that misses %g needs %d validation patients that show the structure, and there are %s",
            *(margins.miss_rate, fewest_for_miss_rate(margins.miss_rate), ", ".join(few)),
        )


def _told_intervals(intervals: Conformal, structures: Sequence[str]) -> list[str]:
    """The intervals of volumes in words, if there are any."""
    if not all(map(isfinite, intervals.factors)):
        return []
    told = [f"{name} {factor:.2f}" for name, factor in zip(structures, intervals.factors, strict=True)]
    line = f"the interval that covers {intervals.coverage:g} of the volumes is the expected volume +- its spread times"
    return [f"{line} {', '.join(told)} (from {intervals.patients} validation patients)"]


def _told_margins(margins: Margins, structures: Sequence[str]) -> list[str]:
    """The thresholds of the margins in words, if there are any."""
    told = [
        f"{name} {threshold:.3g}"
        for name, threshold, promised in zip(structures, margins.thresholds, margins.promised, strict=True)
        if promised
    ]
    return [f"margins that miss {margins.miss_rate:g} on average have the thresholds {', '.join(told)}"] if told else []
