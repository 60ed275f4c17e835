"""Trials: the trainings of an experiment and their results, with one row for each method over seeds and folds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from math import isnan, nan
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib_monai.intervals import patients_of
from calib_monai.reports.case_values import averaged_values, compared_values
from calib_monai.reports.cases_file import columns_of
from calib_monai.reports.names import with_calibrator
from calib_monai.reports.runs import LogitCounts, Run, case_bins_of, mean_of_known, sum_of_known

CALIBRATORS = ("ts", "lts", "control")


@dataclass(frozen=True)
class Trial:
    """One training, evaluated once.

    Attributes:
        method: the bundle's, or the name of its variant: "nacl", "nacl-gaussian".
        network: that was trained.
        evaluation: "" for the plain one, else what it did differently: "ts", "noise_0.01".
        seed: of weights, order and augmentation.
        fold: of the split.
        run: what was measured.
        records: of training and evaluation: options, versions, hardware, seconds.
    """

    method: str
    network: str
    evaluation: str
    seed: int
    fold: int
    run: Run
    records: Mapping[str, Mapping[str, Any]]

    @property
    def bundle_method(self) -> str:
        """The bundle's method, whatever the variant."""
        return self.method.partition("-")[0]

    @property
    def variant(self) -> str:
        """The name of the variant, "" for the bundle as it stands."""
        return self.method.partition("-")[2]

    @property
    def averages(self) -> bool:
        """Whether the networks of several trainings were averaged."""
        return "--ckpt_dirs" in self.records.get("evaluate", {}).get("options", {})


@dataclass(frozen=True)
class Row:
    """The trials of one method over seeds and folds.

    Attributes:
        name: of the method, and of variant, network and evaluation where they tell rows apart.
        trials: at least one.
    """

    name: str
    trials: Sequence[Trial]

    @property
    def setting(self) -> str:
        """The options of training or evaluation that differ from the plain ones, as "noise_0.02"; "" if none do."""
        return "_".join(filter(None, (self.trials[0].variant, self.trials[0].evaluation)))

    @property
    def label(self) -> str:
        """The method and network, whatever the setting."""
        return f"{self.trials[0].bundle_method}, {self.trials[0].network}"

    @property
    def name_of_method(self) -> str:
        """The name without the network."""
        return row_name(self.trials[0], several=False)

    @property
    def seeds(self) -> list[int]:
        """The seeds that it was trained with."""
        return sorted({trial.seed for trial in self.trials})

    def value(self, measure: str) -> float:
        """The mean over cases of each case's mean over trials; the sum over cases of what is counted.

        If the value of a trial is not made of its cases, it is the mean over trials. NaN if it was not measured.
        """
        if not self._is_of_cases(measure):
            return mean_of_known(trial.run.metrics.get(measure, nan) for trial in self.trials)
        if self.trials[0].run.measure(measure).counts:
            return sum_of_known(row.get(name, nan) for row in self.cases.values() for name in self._columns(measure))
        return mean_of_known(self.by_case(measure).values())

    def deviation(self, measure: str) -> float:
        """Standard deviation between the values of the seeds; NaN of one seed."""
        values = [row.value(measure) for row in self.of_seeds]
        return statistics.stdev(values) if len(values) > 1 and not any(map(isnan, values)) else nan

    @cached_property
    def of_seeds(self) -> list[Row]:
        """The trials of each seed, as a row of their own."""
        return [Row(self.name, [trial for trial in self.trials if trial.seed == seed]) for seed in self.seeds]

    def columns(self, measure: str) -> dict[str, float]:
        """The mean of each structure that the measure tells apart, or the sum of what is counted, by its name."""
        over_cases = sum_of_known if self.trials[0].run.measure(measure).counts else mean_of_known
        return {
            name.removeprefix(f"{measure}_"): over_cases(case.get(name, nan) for case in self.cases.values())
            for name in self._columns(measure)
            if name != measure
        }

    def by_case(self, measure: str) -> dict[str, float]:
        """For each case the mean over structures and trials; NaN if the value over all cases is not their mean."""
        names = self._columns(measure) if self._is_of_cases(measure) else []
        return {case: mean_of_known(row.get(name, nan) for name in names) for case, row in self.cases.items()}

    def by_seed(self, measure: str, column: str = "", *, compared: bool = False) -> NDArray[np.float64]:
        """The values of a measure, (seeds, cases) in the order of `cases`; NaN where a seed has none.

        All are NaN if the value of one trial is not the mean of its cases: those of the other seeds have another mean.

        Args:
            measure: its name.
            column: one of its columns, such as that of a structure; without one the mean over structures.
            compared: whether to give the values that are compared with other rows, as `compared_values` says.
        """
        rows, whole = [], self._is_of_cases(measure)
        for seed in self.of_seeds:
            of_column = {case: of_case.get(column, nan) for case, of_case in seed.cases.items()}
            values = of_column if column else seed.by_case(measure) if whole else {}
            values = compared_values(measure, values) if compared else values
            rows.append([values.get(case, nan) for case in self.cases])
        return np.array(rows)

    @property
    def patients(self) -> list[str]:
        """The patient of each of `cases`; a case without one is its own."""
        return patients_of(self.cases, self._known_patients)

    @property
    def _known_patients(self) -> dict[str, str]:
        """The patient of each case, where a trial has it."""
        return {case: patient for trial in self.trials for case, patient in trial.run.patients.items()}

    @cached_property
    def cases(self) -> dict[str, dict[str, float]]:
        """For each case its values, as in `Run.cases`, averaged over the trials that tested it."""
        tested: dict[str, list[dict[str, float]]] = {}
        for trial in self.trials:
            for case, row in trial.run.cases.items():
                tested.setdefault(case, []).append(row)
        return {
            case: {name: mean_of_known(row.get(name, nan) for row in rows) for name in dict.fromkeys(chain(*rows))}
            for case, rows in sorted(tested.items())
        }

    @cached_property
    def run(self) -> Run:
        """All trials as one run: values are means, bins and logits those of all; a slice is the first of its case."""
        first = self.trials[0].run
        runs = [trial.run for trial in self.trials]
        counts = [run.logits for run in runs if run.logits is not None]
        fitted = [run.fitted_patients for run in runs if run.fitted_patients is not None]
        whole = len(counts) == len(runs) and all(np.array_equal(counts[0].edges, one.edges) for one in counts)
        return Run(
            name=self.name,
            dataset=first.dataset,
            method=first.method,
            folder=first.folder,
            class_names=first.class_names,
            metrics={measure: self.value(measure) for measure in first.metrics},
            cases=self.cases,
            region=first.region,
            bins=reduce(add, (run.bins for run in runs)),
            class_bins=reduce(add, (run.class_bins for run in runs)),
            num_voxels=sum(run.num_voxels for run in runs),
            voxels={name: sum(run.voxels.get(name, nan) for run in runs) for name in first.voxels},
            case_bins=case_bins_of(runs) if all(run.case_bins for run in runs) else {},
            logits=_together(counts) if whole else None,
            settings=first.settings,
            disturbance=next((run.disturbance for run in runs if run.disturbance is not None), None),
            measures=first.measures,
            fitted_patients=min(fitted, default=None),
            patients=self._known_patients,
            folder_of={case: run.folder for run in reversed(runs) for case in run.cases},
        )

    def _is_of_cases(self, measure: str) -> bool:
        """Whether the value of every trial is made of the values of its cases."""
        return all(averaged_values(trial.run, measure) for trial in self.trials)

    def _columns(self, measure: str) -> list[str]:
        """The names in `cases` of this measure."""
        return columns_of(measure, self.trials[0].run.metrics, next(iter(self.cases.values())))


def _together(counts: Sequence[LogitCounts]) -> LogitCounts:
    """The histograms of several trials as one; the largest logits only if each trial has them."""
    largest = [one.largest for one in counts if one.largest is not None]
    whole = np.sum(largest, axis=0) if len(largest) == len(counts) else None
    return LogitCounts(counts[0].edges, np.sum([one.count for one in counts], axis=0), whole)


def row_name(trial: Trial, *, several: bool) -> str:
    """The name of a trial's row; if there are `several` networks, it names the network."""
    parts = [trial.bundle_method, *filter(None, [trial.variant.replace("_", " ")])]
    if several:
        parts.append(trial.network)
    before, _, calibrator = trial.evaluation.rpartition("_")
    if calibrator in CALIBRATORS:
        return with_calibrator(" ".join([*parts, *filter(None, [before.replace("_", " ")])]), calibrator)
    return " ".join([*parts, *filter(None, [trial.evaluation.replace("_", " ")])])
