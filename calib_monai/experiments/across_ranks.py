"""Ranks of the rows of an experiment over several data sets and measures, as papers rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from calib_monai.experiments.comparison import RANKED
from calib_monai.experiments.published import Published
from calib_monai.measures import Measure, measure_from, measure_of
from calib_monai.ranks import METHODS_OF_FRIEDMAN, METHODS_TO_RANK, friedman, mean_case_rank, method_ranks
from calib_monai.reports.case_values import compared_values
from calib_monai.reports.runs import mean_of_known
from calib_monai.whole_files import number, read_json

HD95, TACE = "hd95", "tace"
NAMES = {
    HD95: ("hd95_mm", "hd95_pixels", "hd95_voxels"),
    TACE: ("tace_foreground", "tace_foreground_width"),
}  # of which a data set has one: distances by unit, TACE by how its bins are made
RANKINGS = {
    "measures of proper regions": ("dice_foreground", HD95, "nll_all", "ece_plausible", "cece_plausible"),
    "as MbLS and NACL rank": ("dice_foreground", HD95, "ece_foreground", "cece_foreground"),
    "as CRaC ranks": ("dice_foreground", HD95, "ece_foreground", TACE),
}


@dataclass(frozen=True)
class OnDataset:
    """The results of several rows on one data set.

    Attributes:
        dataset: its name.
        measures: the measures that every row has.
        means: of each row, its value by measure.
        cases: of each row, by measure the value of each case; empty if only means are known.
        refused: the measures by which its own table ranks no rows, and why.
    """

    dataset: str
    measures: Mapping[str, Measure]
    means: Mapping[str, Mapping[str, float]]
    cases: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, measure: str) -> str | None:
        """The name of a measure here, where "hd95" and "tace" have several; None if it was not measured."""
        return next((name for name in NAMES.get(measure, (measure,)) if name in self.measures), None)

    def of_rows(self, rows: Sequence[str]) -> OnDataset:
        """The results of these rows, in this order.

        Raises:
            ValueError: a row that is not there.
        """
        unknown = [row for row in rows if row not in self.means]
        if unknown:
            raise ValueError(f"{self.dataset} has no row {unknown[0]}; it has {', '.join(self.means)}")
        cases = {row: self.cases[row] for row in rows} if self.cases else {}
        return replace(self, means={row: self.means[row] for row in rows}, cases=cases)

    def value(self, row: str, measure: str) -> float:
        """The mean of a row; NaN if it was not measured."""
        return self.means[row].get(self.name_of(measure) or "", nan)


@dataclass(frozen=True)
class Ranks:
    """Ranks of rows over the measures of several data sets, 1 the best.

    Attributes:
        rows: their names.
        blocks: data set and measure of each ranked column.
        sums: sum over the blocks of the rank of each row's mean; equal means share the mean of their ranks.
        friedman_ranks: mean over the blocks, where equal means share the best of their ranks, as CRaC prints.
        case_ranks: mean over data sets of the mean-case-rank; NaN where cases are not known.
        p_value: of Friedman's test over the blocks; NaN for fewer than 3 rows.
        left_out: the measures of the ranking that are in no block, and why, as `left_out` gives them.
    """

    rows: list[str]
    blocks: list[tuple[str, str]]
    sums: list[float]
    friedman_ranks: list[float]
    case_ranks: list[float]
    p_value: float
    left_out: dict[str, str] = field(default_factory=dict)


def read_results(path: Path) -> OnDataset:
    """The results in the `results.json` of an experiment.

    Raises:
        ValueError: the file is not there, or holds something else.
    """
    try:
        content = read_json(path)
        measures = {name: measure_from(name, of) for name, of in content["measures"].items()}
        rows: dict[str, Any] = content["rows"]
        means = {
            row: {name: number(found["measures"][name]["mean"]) for name in measures} for row, found in rows.items()
        }
        cases = {row: _cases(found.get("trials", []), measures) for row, found in rows.items()}
        refused = _refused(content, measures)
        return OnDataset(content["dataset"], measures, means, cases if all(cases.values()) else {}, refused)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} must be the results.json of an experiment: {error}") from None


def from_published(tables: Sequence[Published]) -> list[OnDataset]:
    """The printed values of each data set; tables of one data set become one. Those of a structure are left out.

    Raises:
        ValueError: two tables of one data set have a measure in common.
    """
    found: dict[str, OnDataset] = {}
    for table in [one for one in tables if not one.structure]:
        before = found.get(table.dataset, OnDataset(table.dataset, {}, {row: {} for row in table.rows}))
        twice = before.measures.keys() & set(table.measures)
        if twice:
            raise ValueError(f"{' and '.join(sorted(twice))} of {table.dataset} was printed twice: choose one source")
        measures = {**before.measures, **{name: measure_of(name) for name in table.measures}}
        means = {
            row: {**before.means[row], **dict(zip(table.measures, values, strict=True))}
            for row, values in table.rows.items()
            if row in before.means
        }
        found[table.dataset] = OnDataset(table.dataset, measures, means)
    return list(found.values())


def rows_in_all(results: Sequence[OnDataset]) -> list[str]:
    """The rows that every data set has.

    Raises:
        ValueError: fewer than 2 data sets, a data set that is given twice, or fewer than 2 such rows.
    """
    datasets = [one.dataset for one in results]
    if len(set(datasets)) < len(datasets) or len(datasets) <= 1:
        raise ValueError(f"there are results of {', '.join(datasets)}; ranks are over 2 or more data sets, each once")
    rows = [row for row in results[0].means if all(row in one.means for one in results)]
    if len(rows) < METHODS_TO_RANK:
        raise ValueError(f"{', '.join(datasets)} share the rows {rows}; there must be 2 or more to rank")
    return rows


def in_all(results: Sequence[OnDataset], measures: Sequence[str]) -> bool:
    """Whether every data set has all of these measures."""
    return all(one.name_of(measure) for one in results for measure in measures)


def left_out(results: Sequence[OnDataset], measures: Sequence[str]) -> dict[str, str]:
    """Those of these measures by which the table of a data set ranks no rows, and why: nor are they ranked together."""
    found = {}
    for measure in measures:
        named = [(one, one.name_of(measure) or "") for one in results]
        told = [f"{one.dataset}: {one.refused[name]}" for one, name in named if name in one.refused]
        if told:
            found[measure] = "; ".join(told)
    return found


def ranks_across(results: Sequence[OnDataset], measures: Sequence[str]) -> Ranks | None:
    """The ranks of the rows that all data sets have; None if a data set lacks one of the measures, or all are left out.

    Args:
        results: of 2 or more data sets.
        measures: names, with "hd95" for a distance in any unit, and "tace" for any bins.

    Raises:
        ValueError: as `rows_in_all`, or a measure without a direction.
    """
    rows = rows_in_all(results)
    unranked = left_out(results, measures)
    kept = [measure for measure in measures if measure not in unranked]
    if not in_all(results, measures) or not kept:
        return None
    named = [(one, name) for one in results for measure in kept if (name := one.name_of(measure))]
    undirected = [name for one, name in named if one.measures[name].more_is_better is None]
    if undirected:
        raise ValueError(f"{undirected[0]} has no better direction; it cannot be ranked")
    signs = [-1 if one.measures[name].more_is_better else 1 for one, name in named]
    values = np.array([[one.means[row][name] for one, name in named] for row in rows])
    costs = values * signs  # (rows, blocks), less is better
    averaged, shared = (method_ranks(costs, lower_is_better=True, ties=ties) for ties in ("average", "min"))
    tested = len(rows) >= METHODS_OF_FRIEDMAN and (~np.isnan(costs).any(axis=0)).sum() > 1
    return Ranks(
        rows=rows,
        blocks=[(one.dataset, name) for one, name in named],
        sums=averaged.sum(axis=1).tolist(),
        friedman_ranks=shared.mean(axis=1).tolist(),
        case_ranks=_case_ranks(results, rows, kept),
        p_value=friedman(costs, lower_is_better=True).p_value if tested else nan,
        left_out=unranked,
    )


def _refused(content: Mapping[str, Any], measures: Mapping[str, Measure]) -> dict[str, str]:
    """The measures by which the table in a `results.json` ranks no rows, and why; earlier files do not tell it.

    A table that ranks by nothing has images that were disturbed differently: then no measure can be ranked.
    """
    if "ranked_measures" not in content:
        return {}
    ranked: list[str] = content["ranked_measures"]
    reasons: dict[str, str] = content.get("not_compared", {})
    may_be_ranked = [name for name in measures if name in RANKED or name in reasons or not ranked]
    return {
        name: reasons.get(name, "its table does not rank by this").partition(":")[0].rstrip(".")
        for name in may_be_ranked
        if name not in ranked
    }


def _case_ranks(results: Sequence[OnDataset], rows: Sequence[str], measures: Sequence[str]) -> list[float]:
    """The mean over data sets of each row's mean-case-rank; NaN if a data set has no cases."""
    if not all(one.cases for one in results):
        return [nan] * len(rows)
    of_datasets = []
    for one in results:
        names = [name for measure in measures if (name := one.name_of(measure))]
        values = [[one.cases[row][name] for name in names] for row in rows]
        shared = list(values[0][0])
        array = np.array([[[of.get(case, nan) for of in of_row] for case in shared] for of_row in values])
        of_datasets.append(mean_case_rank(array, [not one.measures[name].more_is_better for name in names]))
    means: list[float] = np.mean(of_datasets, axis=0).tolist()
    return means


def _cases(trials: Sequence[Mapping[str, Any]], measures: Mapping[str, Measure]) -> dict[str, dict[str, float]]:
    """By measure the value of each case, the mean over the trials that tested it; empty without cases."""
    tested: dict[str, list[Mapping[str, Any]]] = {}
    for trial in trials:
        for case, values in trial["cases"].items():
            tested.setdefault(case, []).append(values)
    if not tested:
        return {}
    return {
        name: compared_values(
            name, {case: mean_of_known(number(one.get(name)) for one in of) for case, of in tested.items()}
        )
        for name in measures
    }
