"""Effects: whether a calibrator has lowered the NLL of the measured cases."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import fmean
from typing import NamedTuple

from calib_monai.intervals import FEWEST, known_differences, mean_interval, patients_of
from calib_monai.reports.alike import unlike_images, unlike_settings
from calib_monai.reports.case_values import averaged_values
from calib_monai.reports.results import SCORE
from calib_monai.reports.runs import Run

NONE, FITTED = "none", ("ts", "lts")  # the calibrators of runs: without one, and with one


class Effect(NamedTuple):
    """The change of a run's NLL by its calibrator.

    Attributes:
        mean: of the cases' changes, in nats per voxel; below 0 the calibrator has helped.
        low: the lower end of its 95 % interval.
        high: the upper end.
        cases: their number.
        patients: the number of their patients.
    """

    mean: float
    low: float
    high: float
    cases: int
    patients: int

    @property
    def is_shown(self) -> bool:
        """Whether the cases show that NLL has fallen."""
        return self.patients >= FEWEST and self.high < 0

    def told(self, run: Run) -> str:
        """The effect in a sentence, and what follows from it."""
        shown = run.measure(SCORE).shown
        mean, low, high = map(shown, (self.mean, self.low, self.high))
        if shown(abs(self.mean)) == shown(0.0):
            return "Its calibrator hardly changes NLL."
        if self.patients < FEWEST:
            number = f"{self.cases} case(s) of {self.patients} patient(s)"
            return f"Its calibrator changes NLL by {mean} per 1000 voxels in {number}, which are too few to tell."
        told = f"Its calibrator changes NLL by {mean} per 1000 voxels ({low} to {high})"
        if self.is_shown:
            return f"{told}: it helps in cases like these."
        if self.low > 0:
            return f"{told}: do not use it."
        return f"{told}, so it is not shown to help{': there is no reason to use it' if self.mean >= 0 else ''}."


def effect_of(run: Run, runs: Sequence[Run]) -> Effect | None:
    """The effect of a run's calibrator; None without one, or if no run measured the same model in this way without it.

    Args:
        run: of a group.
        runs: the group, which measured the same cases.
    """
    before = [one for one in runs if _is_without(one, run)]
    if run.calibrator not in FITTED or not before:
        return None
    here, there = (averaged_values(one, SCORE) for one in (run, before[0]))
    known = {case: change for case, change in known_differences(here, there).items() if isfinite(change)}
    if not known:
        return None
    of_patients = patients_of(known, run.patients)
    low, high = mean_interval([*known.values()], patients=of_patients)
    return Effect(fmean(known.values()), low, high, len(known), len(set(of_patients)))


def _is_without(one: Run, run: Run) -> bool:
    """Whether a run measured the model of another one in the same way, without a calibrator."""
    same = (one.calibrator, one.model, one.part) == (NONE, run.model, run.part) and not is_retrained(one, run)
    return same and not unlike_images([one, run]) and not unlike_settings(SCORE, [one, run])


def is_retrained(one: Run, run: Run) -> bool:
    """Whether the weights of one path and method changed between two runs, as far as they were noted."""
    noted = one.weights and run.weights and one.weights != run.weights
    return bool(noted) and (one.model, one.method) == (run.model, run.method)
