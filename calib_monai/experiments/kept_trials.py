"""Kept trials: the trials of a table in one file, from which the table can be made again, together with others.

The file has all numbers of a table. It has no slices or logits, and the voxels of each case in one bin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import nan
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, NonNegativeFloat, NonNegativeInt

from calib_monai.bins import Bins
from calib_monai.experiments.results import shortened
from calib_monai.experiments.trials import Trial
from calib_monai.measures import measure_from
from calib_monai.reports.run_files import check_values, contradicting
from calib_monai.reports.runs import Run
from calib_monai.stored import CaseName, ClassBins, ClassNames, Digest, Record, Step, Stored, TopLabelBins, read_whole
from calib_monai.whole_files import number, or_null, write_json

FILE = "trials.json"
MEND = "make its table again"
AS_THEY_ARE = ("name", "dataset", "method", "class_names", "region", "calibrator", "trained_on", "test_dir", "part")
NOTED = ("settings", "disturbance", "patients", "voxels")
OF_CASES = ("weights", "case_voxels", "case_labels")  # what tells trials and cases apart; earlier files lack it


class KeptRun(Stored):
    """What was measured."""

    name: str
    dataset: str
    method: str
    class_names: ClassNames
    region: str
    calibrator: str
    trained_on: str
    test_dir: str
    part: str
    metrics: dict[str, float | None]
    measures: dict[str, dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    disturbance: list[Step] | None
    patients: dict[CaseName, str]
    voxels: dict[str, NonNegativeFloat]
    num_voxels: NonNegativeFloat | None
    cases: list[CaseName] = Field(min_length=1)
    columns: dict[str, list[float | None]]
    bins: TopLabelBins
    class_bins: ClassBins
    fitted_patients: NonNegativeInt | None = Field(
        None, validation_alias=AliasChoices("fitted_patients", "fitted_cases")
    )
    case_bins: ClassBins | None = None
    weights: str = ""
    case_voxels: dict[CaseName, NonNegativeFloat] = Field(default_factory=dict)
    case_labels: dict[CaseName, Digest] = Field(default_factory=dict)


class KeptRecords(Stored):
    """The records of training and evaluation."""

    train: Record
    evaluate: Record


class KeptTrial(Stored):
    """A trial."""

    method: str
    network: str
    evaluation: str
    seed: NonNegativeInt
    fold: NonNegativeInt
    records: KeptRecords
    run: KeptRun


class KeptTrials(Stored):
    """The content of the file."""

    trials: list[KeptTrial] = Field(min_length=1)


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write trials to a file that `read_trials` reads."""
    write_json(path, {"trials": [kept(trial) for trial in trials]}, indent=None)


def kept(trial: Trial) -> dict[str, Any]:
    """A trial as JSON content, which is equal for equal trials."""
    run = trial.run
    names = list(dict.fromkeys(name for of_case in run.cases.values() for name in of_case))
    return {
        **{name: getattr(trial, name) for name in ("method", "network", "evaluation", "seed", "fold")},
        "records": {
            step: {**record, "options": shortened(record.get("options", {}))} for step, record in trial.records.items()
        },
        "run": {
            **{name: getattr(run, name) for name in (*AS_THEY_ARE, *NOTED, *OF_CASES)},
            "test_dir": Path(run.test_dir).name,
            "metrics": {name: or_null(value) for name, value in run.metrics.items()},
            "measures": {name: asdict(run.measure(name)) for name in run.metrics},
            "num_voxels": or_null(run.num_voxels),
            "cases": list(run.cases),
            "columns": {name: [or_null(of_case.get(name, nan)) for of_case in run.cases.values()] for name in names},
            "bins": run.bins.to_dict(),
            "class_bins": run.class_bins.to_dict(),
            "fitted_patients": run.fitted_patients,
            "case_bins": _in_one_bin(run),
        },
    }


def numbers_of(trial: Trial) -> str:
    """A text that is equal for trials of equal numbers, also where an earlier file lacks what tells trials apart."""
    content = kept(trial)
    return repr(content | {"run": {name: value for name, value in content["run"].items() if name not in OF_CASES}})


def read_trials(path: Path) -> list[Trial]:
    """The trials in a file of `write_trials`.

    Raises:
        ValueError: the file is damaged, or a value is none that its measure can have; the message is one line.
    """
    content = read_whole(path, KeptTrials, MEND)
    try:
        return [_trial(path, one) for one in content["trials"]]
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): {MEND}") from None


def _trial(path: Path, content: Mapping[str, Any]) -> Trial:
    """A trial of its content, which has been checked."""
    of_run = content["run"]
    names, columns = of_run["cases"], of_run["columns"]
    if wrong := [name for name, column in columns.items() if len(column) != len(names)]:
        raise ValueError(f"{wrong[0]} has {len(columns[wrong[0]])} value(s) of {len(names)} case(s)")
    if len(set(names)) < len(names):
        raise ValueError("a name of a case stands twice in cases")
    rows = zip(*columns.values(), strict=True) if columns else ((),) * len(names)
    run = Run(
        **{name: of_run[name] for name in (*AS_THEY_ARE, *NOTED, *OF_CASES) if name in of_run},
        folder=path,
        metrics={name: number(value) for name, value in of_run["metrics"].items()},
        measures={name: measure_from(name, measure) for name, measure in of_run["measures"].items()},
        num_voxels=number(of_run["num_voxels"]),
        cases={name: dict(zip(columns, map(number, row), strict=True)) for name, row in zip(names, rows, strict=True)},
        bins=_bins("bins", of_run["bins"]),
        class_bins=_bins("class_bins", of_run["class_bins"], [len(of_run["class_names"])]),
        fitted_patients=of_run.get("fitted_patients", of_run.get("fitted_cases")),
        case_bins=_of_one_bin(names, of_run.get("case_bins")),
        logits=None,
    )
    check_values(run.metrics, run.cases)
    return Trial(run=run, **{name: value for name, value in content.items() if name != "run"})


def _bins(name: str, content: Mapping[str, Any], size: Sequence[int] = ()) -> Bins:
    """The bins of a trial, (*size, num_bins).

    Raises:
        ValueError: they have another shape, or numbers of voxels that contradict each other.
    """
    bins = Bins.from_dict(content)
    wanted = (*size, bins.num_bins)
    if {bins.count.shape, bins.confidence.shape, bins.correctness.shape} != {wanted} or bins.total.shape != wanted[:-1]:
        raise ValueError(f"{name} has sums of other shapes than {wanted}")
    if contradicting(bins).any():
        raise ValueError(f"{name} has numbers of voxels that contradict each other")
    return bins


def _in_one_bin(run: Run) -> dict[str, list[Any]] | None:
    """The sums over the bins of each case, (cases, 1); None without bins."""
    if not run.case_bins:
        return None
    return Bins.stack(run.case_bins[case] for case in run.cases).in_one().to_dict()


def _of_one_bin(cases: Sequence[str], content: Mapping[str, Any] | None) -> dict[str, Bins]:
    """The bins of each case from what `_in_one_bin` gave; empty where there were none, as in earlier versions.

    Raises:
        ValueError: there are bins of more or fewer cases, or as `_bins`.
    """
    if content is None:
        return {}
    if {len(part) for part in content.values()} != {len(cases)}:
        raise ValueError(f"case_bins has {len(content['total'])} case(s) of {len(cases)}")
    bins = _bins("case_bins", content, [len(cases)])
    return {case: bins[place] for place, case in enumerate(cases)}
