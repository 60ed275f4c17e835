"""Conformal: whether intervals of volumes and margins of structures kept what they promise, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from statistics import median

from calib_monai.conformal import coverage_range
from calib_monai.intervals import mean_interval, places_of_patients
from calib_monai.measures import COVERED, MISSED, SIZE, WIDTH, measure_of
from calib_monai.reports.case_intervals import interval_of
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.reports.table import Table, unmarked

INTERVALS, MARGINS = "Conformal intervals of volumes", "Conformal margins of structures"
OF_INTERVALS = ("", "covered (%)", "of cases", "promised (%)", "expected (%)", "median width (% of the volume)")
OF_MARGINS = ("", "missed (%)", "of cases", "promised at most (%)", "median size (% of the volume)")
ONCE = "If a patient has several cases, it counts once, with their mean."
WHO_CHOSE = (
    "The validation cases also chose the best epoch and fitted the calibrator, so new cases may fare a little worse."
)
ABOUT_INTERVALS = (
    "A conformal interval holds the true volume in the promised share of cases, if their patients are exchangeable "
    "with the validation patients that it was fitted to. 'Expected' is where the covered share then lies in 95 of 100 "
    "evaluations of as many cases (a beta-binomial distribution). It is known only if no patient has two cases, "
    f"neither here nor in the fit. {ONCE} {WHO_CHOSE}"
)
ABOUT_MARGINS = (
    "A margin misses at most the promised share of a structure's voxels on average over patients, if these are "
    "exchangeable with the validation patients that it was fitted to. A single case may miss more. Brackets hold the "
    f"95 % interval of the mean over such patients. Cases without the structure do not count. {ONCE} {WHO_CHOSE}"
)
WHY_MORE = "These cases differ in kind, or the validation cases were easier by chance."


def intervals_of_volumes(runs: Sequence[Run]) -> Table | None:
    """A table with a row for each run and structure: how often its interval held the true volume, and its width.

    None if no run has conformal intervals.
    """
    cells, told = [], []
    for run in (one for one in runs if COVERED in one.metrics):
        coverage = float(run.settings[COVERED]["coverage"])
        for name, covered, widths in _structures(run, COVERED, WIDTH):
            known = [one for one in covered if not isnan(one)]
            of_patients = _means_of_patients(run, covered)
            share = mean_of_known(of_patients)
            low, high = _expected(run, known)
            shown = [*map(measure_of(COVERED).shown, (share, coverage, low, high))]
            expected = "-" if isnan(low) else f"{shown[2]} to {shown[3]}"
            width = measure_of(WIDTH).shown(_median(widths))
            cells.append([f"{run.name}: {name}", shown[0], str(len(known)), shown[1], expected, width])
            if share < low or share > high:
                less = "fewer" if share < low else "more"
                told.append(f"{run.name}: {name} is covered in {less} cases than chance explains: they differ in kind.")
            elif isnan(low) and mean_interval(of_patients)[1] < coverage:
                told.append(f"{run.name}: {name} is covered less often than promised. {WHY_MORE}")
    return Table(INTERVALS, OF_INTERVALS, cells, unmarked(cells), ABOUT_INTERVALS, listed=told) if cells else None


def _expected(run: Run, covered: Sequence[float]) -> tuple[float, float]:
    """The range of the covered share, (NaN, NaN) if it is not known: without cases, or with several of one patient."""
    settings = run.settings[COVERED]
    fitted = int(settings["validation_cases"])
    in_fit = fitted - int(settings.get("validation_patients", fitted))  # which earlier versions did not know
    if not covered or in_fit or len(set(run.patient_of_each)) < len(run.cases):
        return nan, nan
    return coverage_range(fitted, len(covered), float(settings["coverage"]))


def _means_of_patients(run: Run, values: Sequence[float]) -> list[float]:
    """The mean of the known values of each patient's cases; none of a patient without one.

    Args:
        run: says whose cases these are.
        values: of each case.
    """
    means = (mean_of_known(values[place] for place in places) for places in places_of_patients(run.patient_of_each))
    return [mean for mean in means if not isnan(mean)]


def margins_of_structures(runs: Sequence[Run]) -> Table | None:
    """A table with a row for each run and structure: the share that its margin missed, and the margin's size.

    None if no run has margins.
    """
    cells, told = [], []
    for run in (one for one in runs if MISSED in one.metrics):
        miss_rate, measure = float(run.settings[MISSED]["miss_rate"]), measure_of(MISSED)
        for name, missed, sizes in _structures(run, MISSED, SIZE):
            of_patients = _means_of_patients(run, missed)
            low, high = interval_of(MISSED, of_patients, missed=False)
            interval = "" if isnan(low) else f" ({measure.shown(low)} to {measure.shown(high)})"
            known = [one for one in missed if not isnan(one)]
            mean = measure.shown(mean_of_known(of_patients)) + interval
            size = measure_of(SIZE).shown(_median(sizes))
            cells.append([f"{run.name}: {name}", mean, str(len(known)), measure.shown(miss_rate), size])
            if low > miss_rate:
                told.append(f"{run.name}: the margin of {name} misses more than it promises. {WHY_MORE}")
    return Table(MARGINS, OF_MARGINS, cells, unmarked(cells), ABOUT_MARGINS, listed=told) if cells else None


def _structures(run: Run, first: str, second: str) -> list[tuple[str, list[float], list[float]]]:
    """For each structure its name, and the values of two measures in each case."""
    columns = (list(zip(*run.columns(name).values(), strict=True)) for name in (first, second))
    return [(name, list(one), list(other)) for name, one, other in zip(run.class_names[1:], *columns, strict=True)]


def _median(values: Sequence[float]) -> float:
    """The median of the values that are known, NaN if there are none."""
    known = [value for value in values if not isnan(value)]
    return median(known) if known else nan
