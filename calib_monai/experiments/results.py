"""Results: one JSON file with all numbers of an experiment's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite
from pathlib import Path
from typing import Any

from calib_monai.experiments.comparison import MARGINS, Comparison
from calib_monai.experiments.trials import Row, Trial
from calib_monai.measures import Measure

PLACES = ("--dataset_dir", "--ckpt_dir", "--output_dir")  # options that say where, not what
OTHERS = "--test_dir"  # of which the last part says what
OF_TRIALS = ("--seed", "--fold")  # those that differ between the trials of a row
DIGITS = 6


def experiment_results(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> dict[str, Any]:
    """The settings, versions and results of an experiment; a missing value is `None`, because JSON has no NaN."""
    trials = [trial for row in rows for trial in row.trials]
    found = {
        "dataset": trials[0].run.dataset,
        "num_cases": len(rows[0].cases),
        "seeds": rows[0].seeds,
        "folds": sorted({trial.fold for trial in trials}),
        "conditions": _conditions(trials),
        "measures": {name: asdict(measure) for name, measure in measures.items()},
        "rows": {row.name: _row(row, measures, compared) for row in rows},
        "patients": dict(zip(rows[0].cases, rows[0].patients, strict=True)),
        "ranked_measures": compared.ranked,
        "not_compared": compared.not_compared,
        "friedman": {
            name: {
                "p_value": test.p_value,
                "statistic": test.statistic,
                "mean_ranks": dict(zip((row.name for row in rows), test.mean_ranks.tolist(), strict=True)),
                "posthoc_p_values": test.posthoc.tolist(),
            }
            for name, test in compared.friedman.items()
        },
    }
    whole: dict[str, Any] = without_nan(found)
    return whole


def _row(row: Row, measures: Mapping[str, Measure], compared: Comparison) -> dict[str, Any]:
    """The results of a row."""
    return {
        "options": {name: value for name, value in _options(row.trials[0]).items() if name not in OF_TRIALS},
        "train_seconds": [_seconds(trial.records["train"]) for trial in row.trials],
        "sum_rank": compared.sum_ranks.get(row.name),
        "mean_case_rank": compared.case_ranks.get(row.name),
        "measures": {
            name: {
                "mean": row.value(name),
                "seed_deviation": row.deviation(name),
                "interval": compared.intervals[row.name].get(name),
                "trials": [trial.run.metrics.get(name) for trial in row.trials],
                "structures": row.columns(name),
                "difference": _difference(row.name, name, compared),
            }
            for name in measures
        },
        "trials": [
            {"seed": trial.seed, "fold": trial.fold, "cases": _cases(replace(row, trials=[trial]), measures)}
            for trial in row.trials
        ],
    }


def _difference(row: str, measure: str, compared: Comparison) -> dict[str, Any] | None:
    """The difference of a row from its reference; None where they are not compared."""
    found = compared.differences.get(row, {}).get(measure)
    if found is None:
        return None
    margin = MARGINS.get(measure)
    return {
        "from": compared.references[row],
        "value": found.value,
        "interval": found.interval(),
        "effect_size": found.effect,
        "p_value": found.p_value,
        "p_value_holm": compared.corrected[row][measure],
        "margin": margin,
        "as_good": None if margin is None else found.is_within(margin),
    }


def _cases(row: Row, measures: Mapping[str, Measure]) -> dict[str, dict[str, float]]:
    """For each case of a trial, its values by measure."""
    values = {name: row.by_case(name) for name in measures}
    return {case: {name: of_cases[case] for name, of_cases in values.items()} for case in row.cases}


def _options(trial: Trial) -> dict[str, Any]:
    """The options of training and evaluation that say what was run."""
    both = {**trial.records["train"]["options"], **trial.records["evaluate"]["options"]}
    return shortened({name: value for name, value in both.items() if name not in PLACES})


def shortened(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options; of those that are paths, the last part."""
    return {name: Path(str(value)).name if name in (*PLACES, OTHERS) else value for name, value in options.items()}


def _conditions(trials: Sequence[Trial]) -> dict[str, Any]:
    """Versions and hardware of the trainings, with all values that occurred."""
    trainings = {(trial.method, trial.network, trial.seed, trial.fold): trial.records["train"] for trial in trials}
    records = list(trainings.values())
    hardware, seconds = [record["hardware"] for record in records], [_seconds(record) for record in records]
    averaged = any(trial.averages for trial in trials)  # others were trained, too
    return {
        "versions": _distinct([record["versions"] for record in records]),
        "commits": _distinct([record.get("commit") for record in records]),
        "hardware": _distinct(hardware),
        "data": _distinct([Path(str(record["options"].get("--dataset_dir", ""))).name for record in records]),
        "started": min(record["started"] for record in records),
        "train_hours": None if averaged or None in seconds else round(sum(filter(None, seconds)) / 3600, 2),
    }


def _seconds(record: Mapping[str, Any]) -> float | None:
    """The seconds that a training took; None if it was stopped and resumed."""
    return None if record.get("resumed") else float(record["seconds"])


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Values without their repetitions, in their order."""
    return [value for index, value in enumerate(values) if value not in values[:index]]


def without_nan(content: Any) -> Any:
    """JSON content with rounded numbers, and None for NaN, which JSON does not have."""
    if isinstance(content, float):
        return None if not isfinite(content) else round(content, DIGITS)
    if isinstance(content, dict):
        return {name: without_nan(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    return content
