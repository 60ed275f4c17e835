"""Comparison: intervals for the means of an experiment, and differences between its rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from calib_monai.estimates import Estimate, difference, estimate, mean_over_trainings
from calib_monai.experiments.trials import Row
from calib_monai.intervals import FEWEST, LEVEL, places_of_patients
from calib_monai.measures import Measure
from calib_monai.ranks import (
    METHODS_OF_FRIEDMAN,
    METHODS_TO_RANK,
    Floats,
    Friedman,
    friedman,
    holm,
    mean_case_rank,
    sum_rank,
)
from calib_monai.reports.alike import unlike_images
from calib_monai.reports.case_intervals import any_missed, num_known, within_limits
from calib_monai.reports.comparable import not_compared

# What a conclusion may rest on; all other measures are shown with intervals and without tests.
PRIMARY = ("dice_foreground", "nll_all", "ece_plausible")
MARGINS = {"dice_foreground": 0.01, "ece_plausible": 0.01}  # within which a row is as good as another

# As MbLS and NACL rank, with NLL, and with the errors of a proper region where networks have about equally much of it.
RANKED = ("dice_foreground", "hd95_mm", "hd95_pixels", "nll_all", "ece_plausible", "cece_plausible")


@dataclass(frozen=True)
class Comparison:
    """Intervals, differences and ranks of the rows of an experiment, by measure.

    Attributes:
        intervals: of each row by name: 95 % interval of its mean, by measure.
        not_compared: the measures by which no row is better than another, and why.
        known: by measure, the number of patients with a value in the row that has the fewest.
        references: for each row but the first, the row that it is compared with.
        differences: of each of these rows: its mean minus that of its reference, by measure, where they are compared.
        corrected: p-values of the differences by the measures in `PRIMARY`, corrected for the number of all of them
            (Holm); NaN for other measures, and with fewer than `FEWEST` patients.
        friedman: over patients, by measure; fewer than three rows have none.
        ranked: the measures that the ranks below are over.
        sum_ranks: mean over `ranked` of the rank of each row's mean.
        case_ranks: mean over `ranked` and cases of its rank.
    """

    intervals: dict[str, dict[str, tuple[float, float]]]
    not_compared: dict[str, str]
    known: dict[str, int]
    references: dict[str, str]
    differences: dict[str, dict[str, Estimate]]
    corrected: dict[str, dict[str, float]]
    friedman: dict[str, Friedman]
    ranked: list[str]
    sum_ranks: dict[str, float]
    case_ranks: dict[str, float]


def compare(rows: Sequence[Row], measures: Mapping[str, Measure]) -> Comparison:
    """Compare the rows over cases and trainings.

    Each row is compared with one that differs from it in one thing: an evaluation with the plain one of the same
    training, a variant with its method, a method with the first row. If images were disturbed differently, there are no
    ranks, and rows are compared only if their networks are the same or their images are.

    Args:
        rows: rows of the same cases.
        measures: the measures to compare, with their directions; those that `not_compared` names have intervals only.
    """
    runs, names = [row.run for row in rows], [row.name for row in rows]
    unlike, untested = not_compared(measures, runs), not_compared(measures, runs, despite_images=True)
    shown = [name for name in measures if not measures[name].counts]
    values = {name: np.array([list(row.by_case(name).values()) for row in rows]) for name in shown}
    paired = {name: np.array([mean_over_trainings(row.by_seed(name, compared=True)) for row in rows]) for name in shown}
    patients = rows[0].patients
    references = {row.name: reference_of(row, rows) for row in rows[1:]}
    of_name, tested = dict(zip(names, rows, strict=True)), [name for name in shown if name not in untested]
    differences = {row.name: _differences(row, of_name[references[row.name]], tested) for row in rows[1:]}
    known = {name: min(num_known(patients, of_row) for of_row in array) for name, array in values.items()}
    may_rank = len(rows) >= METHODS_TO_RANK
    ranked = [name for name in RANKED if may_rank and known.get(name) and name not in unlike]
    of_means, of_cases = (
        np.stack([arrays[name] for name in ranked], axis=-1) if ranked else np.empty((len(rows), 0, 0))
        for arrays in (values, paired)
    )
    directions = [not measures[name].more_is_better for name in ranked]
    blocks = {name: _over_patients(array, patients) for name, array in paired.items() if name not in unlike}
    return Comparison(
        intervals={row.name: {name: _interval(row, name) for name in shown} for row in rows},
        not_compared=unlike,
        known=known,
        references=references,
        differences=differences,
        corrected=_corrected(differences),
        friedman=_friedman_tests(blocks, measures),
        ranked=ranked,
        sum_ranks=dict(zip(names, sum_rank(of_means, directions).tolist(), strict=True)) if ranked else {},
        case_ranks=dict(zip(names, mean_case_rank(of_cases, directions).tolist(), strict=True)) if ranked else {},
    )


def _differences(row: Row, reference: Row, measures: Sequence[str]) -> dict[str, Estimate]:
    """The difference of a row from its reference by each measure; none if both networks and images differ."""
    return {} if _differ_twice(reference, row) else {name: difference_of(row, reference, name) for name in measures}


def _friedman_tests(blocks: Mapping[str, Floats], measures: Mapping[str, Measure]) -> dict[str, Friedman]:
    """Friedman's test by each measure that has a direction and enough rows and patients.

    Args:
        blocks: by measure, the value of each row for each patient, (rows, patients).
        measures: with their directions.
    """
    return {
        name: friedman(array, lower_is_better=not measures[name].more_is_better)
        for name, array in blocks.items()
        if measures[name].more_is_better is not None
        and len(array) >= METHODS_OF_FRIEDMAN
        and (~np.isnan(array).any(axis=0)).sum() > 1
    }


def reference_of(row: Row, rows: Sequence[Row]) -> str:
    """The name of the row that a row is compared with: the first of those that differ from it in one thing."""
    own = row.trials[0]
    for other in rows:
        trial = other.trials[0]
        same = trial.bundle_method == own.bundle_method and trial.network == own.network
        of_evaluation = own.evaluation and not trial.evaluation and trial.variant == own.variant
        of_variant = own.variant and not trial.variant and trial.evaluation == own.evaluation
        if same and other is not row and (of_evaluation or of_variant):
            return other.name
    return rows[0].name


def difference_of(row: Row, reference: Row, measure: str, column: str = "") -> Estimate:
    """The mean of a row minus that of another, by a measure or one of its columns.

    It has no error if the cases with both values contradict the means that are shown, which other cases decide.
    """
    pair, (one, other) = (row, reference), (row.trials[0], reference.trials[0])
    first, second = (each.by_seed(measure, column, compared=True) for each in pair)
    same = (one.method, one.network) == (other.method, other.network)
    found = difference(first, second, row.patients, same_trainings=same)
    shown = np.stack([mean_over_trainings(each.by_seed(measure, column)) for each in pair])
    if found.patients and np.isnan(shown).any():
        means = [values[~np.isnan(values)].mean() for values in shown]
        if found.value * (means[0] - means[1]) < 0:
            return Estimate(found.value, nan, nan, nan, found.patients)
    return found


def is_sure(found: Estimate, level: float = LEVEL) -> bool:
    """Whether a difference is surely not 0: its interval says so, and there are at least `FEWEST` patients."""
    low, high = found.interval(level)
    return found.patients >= FEWEST and (low > 0 or high < 0)


def _interval(row: Row, measure: str) -> tuple[float, float]:
    """The 95 % interval of the mean of a row."""
    shown = row.by_seed(measure)
    missed = any(any_missed(trial.run) for trial in row.trials)
    return within_limits(measure, estimate(shown, row.patients).interval(), shown, missed=missed)


def _corrected(differences: Mapping[str, Mapping[str, Estimate]]) -> dict[str, dict[str, float]]:
    """The p-values of the primary measures, corrected for the number of all of them."""
    cells = [(row, name) for row, of_row in differences.items() for name in of_row if name in PRIMARY]
    found = [differences[row][name] for row, name in cells]
    p_values = holm([one.p_value if one.patients >= FEWEST else nan for one in found]).tolist() if cells else []
    by_cell = dict(zip(cells, p_values, strict=True))
    return {row: {name: by_cell.get((row, name), nan) for name in of_row} for row, of_row in differences.items()}


def _over_patients(values: Floats, patients: Sequence[Hashable]) -> Floats:
    """The mean of each patient's cases, (rows, patients); NaN where one of them has no value."""
    return np.stack([values[:, places].mean(axis=1) for places in places_of_patients(patients)], axis=1)


def _differ_twice(first: Row, other: Row) -> bool:
    """Whether two rows differ in their networks, and their images were disturbed differently, too."""
    networks = {(row.trials[0].method, row.trials[0].network) for row in (first, other)}
    return len(networks) > 1 and bool(unlike_images([first.run, other.run]))
