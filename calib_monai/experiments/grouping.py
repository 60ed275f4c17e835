"""Grouping: trials of one data set become rows that can be compared."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from calib_monai.experiments.results import OF_TRIALS, PLACES
from calib_monai.experiments.trials import Row, Trial, row_name
from calib_monai.measures import PROMISED
from calib_monai.reports.alike import unlike_images, unlike_settings
from calib_monai.reports.runs import check_same_cases, check_same_classes

# Options that differ between the trials of a row, or that change no weight.
MAY_DIFFER = (*OF_TRIALS, *PLACES, "--num_workers", "--resume")

logger = logging.getLogger(__name__)


def rows_of(trials: Sequence[Trial]) -> list[Row]:
    """The trials over seeds and folds, one row for each method, network and evaluation, in their order.

    Measures of conformal promises are left out unless all trials have them: whether an evaluation without a calibrator
    has them depends on when the calibration ran.

    Raises:
        ValueError: trials of several data sets, of other classes, of validation and of test cases, with other patients,
            or that were measured with other settings, two trials of one training, rows of other seeds, folds or cases
            than the first, or trials of one setting whose images were disturbed differently: their means cannot be
            compared.
    """
    datasets = sorted({trial.run.dataset for trial in trials})
    if len(datasets) != 1:
        raise ValueError(f"there are trials of {', '.join(datasets) or 'no data set'}; they must be of one")
    if len(parts := sorted({trial.run.part for trial in trials})) > 1:
        raise ValueError(f"there are trials of the {' and of the '.join(parts)} cases; they must be of one set")
    check_patients(trials)
    trials = _with_same_promises(_with_known_patients(trials))
    runs = [trial.run for trial in trials]
    check_same_classes(runs)
    check_same_cases(runs)
    for name in runs[0].metrics:
        unlike = unlike_settings(name, runs)
        if unlike:
            raise ValueError(f"{name} was not measured alike, and cannot be compared: {unlike}; evaluate again")
    several = len({trial.network for trial in trials}) > 1
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        grouped.setdefault(row_name(trial, several=several), []).append(trial)
    rows = [Row(name, _with_same_measures(name, group)) for name, group in grouped.items()]
    for row in rows:
        check_no_trial_twice(row)
        here, first = (
            {(trial.seed, trial.fold): trial.run.cases.keys() for trial in one.trials} for one in (row, rows[0])
        )
        if here != first:
            raise ValueError(
                f"{row.name} has other seeds, folds or cases than {rows[0].name}; rows are compared on the same ones"
            )
    check_images_alike(rows)
    return rows


def _with_known_patients(trials: Sequence[Trial]) -> list[Trial]:
    """The trials with the patient of each case that any of them has: cases of one name are the same."""
    known = {case: patient for trial in trials for case, patient in trial.run.patients.items()}
    of_each = [{case: known[case] for case in trial.run.cases if case in known} for trial in trials]
    return [
        replace(trial, run=replace(trial.run, patients=patients))
        for trial, patients in zip(trials, of_each, strict=True)
    ]


def _with_same_promises(trials: Sequence[Trial]) -> list[Trial]:
    """The trials without the measures of promises that some of them lack."""
    dropped = {name for name in PROMISED if not all(name in trial.run.metrics for trial in trials)}
    return _without(dropped, trials)


def _with_same_measures(name: str, trials: Sequence[Trial]) -> list[Trial]:
    """The trials of a row without the measures that only some of them have: their mean would be of fewer trainings.

    Args:
        name: of the row; a warning tells what is left out.
        trials: of the row.
    """
    of_all = set.intersection(*(set(trial.run.metrics) for trial in trials))
    partly = dict.fromkeys(one for trial in trials for one in trial.run.metrics if one not in of_all)
    if partly:
        logger.warning("%s is without %s, which only some of its trainings have", name, ", ".join(partly))
    return _without(partly, trials)


def _without(dropped: Collection[str], trials: Sequence[Trial]) -> list[Trial]:
    """The trials without some measures."""
    kept = [{name: value for name, value in trial.run.metrics.items() if name not in dropped} for trial in trials]
    return [
        replace(trial, run=replace(trial.run, metrics=metrics)) for trial, metrics in zip(trials, kept, strict=True)
    ]


def check_images_alike(rows: Sequence[Row]) -> None:
    """Raise ValueError if trials of one setting had images that were disturbed differently: no name would tell it."""
    for setting in dict.fromkeys(row.setting for row in rows):
        trials = [trial for row in rows if row.setting == setting for trial in row.trials]
        unlike = unlike_images([replace(trial.run, name=str(trial.run.folder)) for trial in trials])
        if unlike:
            raise ValueError(f"images were disturbed differently, and cannot be compared: {unlike}; evaluate again")


def check_trained_alike(trials: Sequence[Trial]) -> None:
    """Warn if the trainings of a row had other options than its first, for their mean is of no method."""
    of_row: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for trial in trials:
        options = {
            name: str(value) for name, value in trial.records["train"]["options"].items() if name not in MAY_DIFFER
        }
        first = of_row.setdefault((trial.method, trial.network, trial.evaluation), options)
        if differing := [name for name in {**first, **options} if first.get(name) != options.get(name)]:
            told = [f"{name} {first.get(name, 'not given')} and {options.get(name, 'not given')}" for name in differing]
            logger.warning("trainings of %s had other options: %s", trial.method, ", ".join(told))


def check_patients(trials: Sequence[Trial]) -> None:
    """Raise ValueError if a case is of one patient in one trial and of another in another."""
    known: dict[str, tuple[str, Path]] = {}
    for trial in trials:
        for case, patient in trial.run.patients.items():
            before, folder = known.setdefault(case, (patient, trial.run.folder))
            if before != patient:
                raise ValueError(f"{case} is of patient {before} in {folder} and of {patient} in {trial.run.folder}")


def check_no_trial_twice(row: Row) -> None:
    """Raise ValueError if two trials of a row have one seed and fold, or the same weights, and count twice."""
    seen: dict[tuple[int, int], Path] = {}
    weights: dict[str, Trial] = {}
    for trial in row.trials:
        run = trial.run
        first = weights.setdefault(run.weights, trial)
        here, there = ((one.run.folder, one.seed, one.fold) for one in (trial, first))
        if run.weights and here != there:
            seeds = "" if first.run.folder != run.folder else f", as seed {first.seed} and seed {trial.seed},"
            raise ValueError(
                f"{first.run.folder} and {run.folder}{seeds} measured the same weights; a training counts once, so "
                "give one"
            )
        before = seen.get((trial.seed, trial.fold))
        if before is not None:
            raise ValueError(
                f"{before} and {trial.run.folder} are both {row.name} with seed {trial.seed} and fold {trial.fold}; "
                "a training counts once, so give one folder"
            )
        seen[trial.seed, trial.fold] = trial.run.folder
