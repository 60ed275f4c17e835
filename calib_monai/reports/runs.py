"""Runs: the results of evaluations."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.bins import Bins
from calib_monai.intervals import nanmean, patients_of
from calib_monai.measures import Measure, measure_of
from calib_monai.regions import PLAUSIBLE
from calib_monai.reports.cases_file import columns_of
from calib_monai.reports.slice_files import Slice, read_slice

DICE = "dice_foreground"


@dataclass(frozen=True)
class LogitCounts:
    """Number of voxels by true class, class of the logit and bin of its value, (C, C, N), between N + 1 edges.

    `largest` has their number by true class and bin of their largest logit, (C, N), if it was kept.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    largest: NDArray[np.int64] | None = None


ON_THE_SAME = (
    "runs are compared on the same cases with the same labels: evaluate again, or give different data another name of "
    "the data set (--dataset of a score)"
)


@dataclass(frozen=True)
class Run:
    """The results of one evaluation.

    Attributes:
        name: the name of the bundle's folder or of the run's own folder. A calibrator is added, and the method if the
            folder does not name it.
        dataset: the name of the data set.
        method: the name of the training method.
        class_names: the names of the classes, the background first.
        folder: the folder of the run.
        metrics: the value of each metric over all cases.
        settings: the settings of each metric, if they were noted.
        disturbance: the steps of the transform that made the images worse; None if they were not noted.
        measures: title, unit and direction of each metric, if they were noted.
        cases: for each case its values, named by metric and class.
        region: the region whose voxels are in `bins`.
        bins: top-label bins of all cases together, (num_bins,).
        class_bins: bins of each class of all cases together, (C, num_bins).
        num_voxels: the number of all voxels of all cases, inside the region or not; NaN if it was not noted.
        case_bins: the top-label bins of each case; `bins` is their sum.
        case_voxels: the number of all voxels of each case, inside the region or not, where it was noted.
        case_labels: what is the same for equal labels, for each case, where it was noted.
        logits: histograms of the logits of all cases together, None if none were kept.
        suffix: the part of `name` after the folder.
        voxels: the number of voxels in all cases on which each metric was measured, if it was noted.
        model: path of the weights, or those of the members of an ensemble with commas between them.
        weights: what is the same for equal weights; "" if it was not noted.
        calibrator: the calibrator, "none" without one.
        fitted_patients: the number of patients that it was fitted to, if it was noted.
        trained_on: the name of the data set of the training.
        test_dir: the folder or JSON of other data that were measured; "" for cases of the training's split.
        part: of the split that was measured, "test" or "validation".
        aurc: the area under the risk-coverage curve by each order of the cases, as the evaluation noted it; empty for
            several evaluations together.
        cautions: what the evaluation found that must be known before the numbers are believed.
        patients: the patient of each case, where it is known.
        folder_of: the folder with the slice of a case, where it is not `folder`.
        network: the class of the network under "_target_", and its arguments; empty if the evaluation noted none.
    """

    name: str
    dataset: str
    method: str
    folder: Path
    class_names: list[str]
    metrics: dict[str, float]
    cases: dict[str, dict[str, float]]
    region: str
    bins: Bins
    class_bins: Bins
    logits: LogitCounts | None
    num_voxels: float = math.nan
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    disturbance: Sequence[Mapping[str, Any]] | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)
    case_bins: Mapping[str, Bins] = field(default_factory=dict)
    case_voxels: Mapping[str, float] = field(default_factory=dict)
    case_labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""
    voxels: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    weights: str = ""
    calibrator: str = "none"
    fitted_patients: int | None = None
    trained_on: str = ""
    test_dir: str = ""
    part: str = "test"
    aurc: Mapping[str, float] = field(default_factory=dict)
    cautions: Sequence[str] = ()
    patients: Mapping[str, str] = field(default_factory=dict)
    folder_of: Mapping[str, Path] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)

    def measure(self, name: str) -> Measure:
        """Title, unit and direction of a metric."""
        return self.measures.get(name) or measure_of(name)

    @property
    def patient_of_each(self) -> list[str]:
        """The patient of each of `cases`; a case without one is its own."""
        return patients_of(self.cases, self.patients)

    @property
    def share_of_voxels(self) -> float:
        """The share of all voxels that lies in the region of `bins`; NaN if it is not known."""
        return self.bins.total.item() / self.num_voxels if self.num_voxels else math.nan

    def share_of(self, name: str) -> float:
        """The share of all voxels on which a metric was measured; NaN where it is not known."""
        if name in self.voxels:
            return self.voxels[name] / self.num_voxels if self.num_voxels else math.nan
        usual = self.region in name.split("_") and self.settings.get(name, {}).get("at_least", PLAUSIBLE) == PLAUSIBLE
        return self.share_of_voxels if usual else math.nan

    @property
    def on_label_foreground(self) -> bool:
        """Whether `bins` hold only voxels whose label is foreground, as in the papers; none of them is background."""
        return self.region == "foreground"

    @property
    def ece(self) -> float:
        """ECE on the region of `bins`; NaN if it was not measured."""
        return self.metrics.get(f"ece_{self.region}", float("nan"))

    def ece_of(self, case: str) -> float:
        """ECE of one case on the region of `bins`."""
        return self.cases[case].get(f"ece_{self.region}", float("nan"))

    @property
    def dices(self) -> dict[str, float]:
        """Mean Dice of each case over its classes; NaN where it has none."""
        return means_of_known(self.columns(DICE)) or dict.fromkeys(self.cases, math.nan)

    def dice(self, case: str) -> float:
        """Mean Dice of a case over its classes; NaN where it has none."""
        row = self.cases[case]
        return mean_of_known(row[name] for name in columns_of(DICE, self.metrics, row))

    def columns(self, measure: str) -> dict[str, tuple[float, ...]]:
        """For each case the values in the columns of a measure; empty if it has no columns."""
        names = columns_of(measure, self.metrics, next(iter(self.cases.values())))
        if len(names) == 1:
            return {case: (row[names[0]],) for case, row in self.cases.items()}
        return dict(zip(self.cases, map(itemgetter(*names), self.cases.values()), strict=True)) if names else {}

    def of_case_bins(self, number: Callable[[Bins], Tensor]) -> dict[str, float]:
        """A number of the bins of each case, (cases, num_bins) to (cases,)."""
        of_cases = number(Bins.stack(self.case_bins.values())).tolist() if self.case_bins else []
        return dict(zip(self.case_bins, of_cases, strict=True))

    def slice_of(self, case: str) -> Slice:
        """The slice that was kept of a case.

        Raises:
            ValueError: none was kept of it, or its file is damaged or of an earlier version.
        """
        path = self.folder_of.get(case, self.folder) / "slices" / f"{case}.npz"
        if not path.is_file():
            raise ValueError(f"{path} is not there; {self.name} has the cases {', '.join(list(self.cases)[:5])} ...")
        return read_slice(path, len(self.class_names))


def shared_cases(runs: Sequence[Run]) -> list[str]:
    """Names of the cases of these runs, in order.

    Raises:
        ValueError: the runs have different classes or cases, whose means cannot be compared, or a case of one name has
            other numbers of voxels.
    """
    check_same_classes(runs)
    first = runs[0]
    for run in runs:
        both = run.cases.keys() & first.cases.keys()
        if len(both) < max(len(run.cases), len(first.cases)):
            raise ValueError(
                f"{first.folder} measured {len(first.cases)} case(s) and {run.folder} {len(run.cases)}, {len(both)} of "
                "them the same; runs are compared on the same cases, so train and evaluate them on one data set with "
                "the same --split_seed, --fold and other options of its cases (their split.json names them)"
            )
    check_same_cases(runs)
    return list(first.cases)


def check_same_cases(runs: Sequence[Run]) -> None:
    """Raise ValueError if two runs measured different cases of one name, by their numbers of voxels or their labels."""
    voxels: dict[str, tuple[float, Run]] = {}
    labels: dict[str, tuple[str, Run]] = {}
    for run in runs:
        for case, number in run.case_voxels.items():
            there, first = voxels.setdefault(case, (number, run))
            if there != number:
                raise ValueError(
                    f"{case} has {there:g} voxels in {first.folder} and {number:g} in {run.folder}; {ON_THE_SAME}"
                )
        for case, label in run.case_labels.items():
            known, first = labels.setdefault(case, (label, run))
            if known != label:
                raise ValueError(f"{case} has other labels in {first.folder} than in {run.folder}; {ON_THE_SAME}")


def check_same_classes(runs: Sequence[Run]) -> None:
    """Raise ValueError if runs have other classes than the first, or the same in another order."""
    first = runs[0]
    for run in runs:
        if run.class_names != first.class_names:
            raise ValueError(
                f"{first.folder} has the classes {', '.join(first.class_names)} and {run.folder} "
                f"{', '.join(run.class_names)}; runs are compared where their classes are the same, in one order"
            )


def worst_first(runs: Sequence[Run]) -> list[str]:
    """The cases of these runs by Dice in the first run, the lowest first; cases without a Dice come last."""
    dices = runs[0].dices
    return sorted(shared_cases(runs), key=lambda case: (math.isnan(dices[case]), dices[case]))


def case_bins_of(runs: Sequence[Run]) -> dict[str, Bins]:
    """By case the bins of all runs that measured it; in one bin if a run kept them so."""
    alike = len({bins.num_bins for run in runs for bins in run.case_bins.values()}) == 1
    found: dict[str, Bins] = {}
    for run in runs:
        for case, bins in run.case_bins.items():
            more = bins if alike else bins.in_one()
            found[case] = found[case] + more if case in found else more
    return found


def mean_of_known(values: Iterable[float]) -> float:
    """The mean of the values that are not NaN; NaN if there are none."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan


def sum_of_known(values: Iterable[float]) -> float:
    """The sum of the values that are not NaN."""
    return math.fsum(value for value in values if not math.isnan(value))


def means_of_known(rows: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """`mean_of_known` of each row; rows are equally long."""
    if not rows:
        return {}
    means = nanmean(np.array([*rows.values()], dtype=np.float64), axis=1)
    return dict(zip(rows, means.tolist(), strict=True))
