"""Tables of an experiment: means, structures, intervals, tests, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from calib_monai.experiments.comparison import Comparison
from calib_monai.experiments.trials import Row
from calib_monai.measures import NOT_MEASURED, Measure
from calib_monai.reports.case_intervals import ABOUT_NONE, about_intervals
from calib_monai.reports.case_values import Column, compared_values, marks_together
from calib_monai.reports.results import ABOUT_CHOICE, ABOUT_PAPERS, SCORE, too_few
from calib_monai.reports.table import NOTABLE, PAPERS, Table, kinds_of, transposed, unmarked

SIGNIFICANT = 0.05
ABOUT_MEANS = (
    "A value is the mean over cases of each case's mean over trials. Deviations, intervals, structures and tests are "
    "about the same mean. A value that is not made of cases is the mean over trials."
)
OF_STRUCTURES = (
    *("dice_foreground", "hd95_mm", "hd95_pixels", "asd_mm", "asd_pixels"),
    *("cece_plausible", "cece_foreground"),
)
RANK = Measure("rank", 2)


def experiment_tables(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> list[Table]:
    """All that can be made of these rows, of one or of several."""
    of_cases = {name: measure for name, measure in measures.items() if name in compared.intervals[rows[0].name]}
    tables = [
        _means(rows, measures, compared),
        *_structures(rows, measures, compared),
        _intervals(rows, of_cases, compared),
    ]
    if len(rows) > 1:
        tables.append(_differences(of_cases, compared))
    return [*tables, _ranks(measures, compared)] if compared.ranked else tables


def _means(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """Mean of each row in each measure, with the deviation between seeds where there are several."""
    columns = [[with_deviation(row, name, measure) for row in rows] for name, measure in measures.items()]
    marks = marks_together(
        [
            Column(
                measure,
                [row.value(name) for row in rows],
                [compared_values(name, row.by_case(name)) for row in rows],
                compared=name not in compared.not_compared,
            )
            for name, measure in measures.items()
        ]
    )
    about = [_origin(rows)]
    if SCORE in measures:
        about.append(ABOUT_CHOICE)
    if PAPERS in kinds_of(measures.values()):
        about.append(ABOUT_PAPERS)
    return _table(
        "Means",
        {row.name: line for row, line in zip(rows, transposed(columns), strict=True)},
        list(measures.values()),
        transposed(marks),
        " ".join(dict.fromkeys([*about, *compared.not_compared.values(), *too_few(len(rows), len(rows[0].cases))])),
    )


def _origin(rows: Sequence[Row]) -> str:
    """The cases, seeds and folds of the means, and the epochs of the trainings."""
    trials = [trial for row in rows for trial in row.trials]
    seeds, folds = (sorted({getattr(trial, name) for trial in trials}) for name in ("seed", "fold"))
    epochs = dict.fromkeys(str(trial.records["train"]["options"].get("--epochs", "?")) for trial in trials)
    deviation = ", ± the standard deviation between seeds" if len(seeds) > 1 else ""
    others = any(seed.cases.keys() != row.cases.keys() for row in rows for seed in row.of_seeds)
    different = " Seeds tested different cases: it is between cases, too." if deviation and others else ""
    return (
        f"{len(rows[0].cases)} case(s); seed(s) {', '.join(map(str, seeds))}; fold(s) {', '.join(map(str, folds))}; "
        f"{' and '.join(epochs)} epoch(s){deviation}.{different} {ABOUT_MEANS}"
    )


def _structures(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> list[Table]:
    """Means of each structure, a table for each measure that tells them apart."""
    tables = []
    for name in OF_STRUCTURES:
        if name not in measures or not rows[0].columns(name):
            continue
        measure, of_rows = measures[name], [row.columns(name) for row in rows]
        structures = list(of_rows[0])
        of_structures = []
        for structure in structures:
            column = f"{name}_{structure}"
            of_cases = [
                compared_values(name, {case: of_case.get(column, nan) for case, of_case in row.cases.items()})
                for row in rows
            ]
            values = [of_row.get(structure, nan) for of_row in of_rows]
            of_structures.append(Column(measure, values, of_cases, compared=name not in compared.not_compared))
        shown = {
            row.name: [measure.shown(values.get(structure, nan)) for structure in structures]
            for row, values in zip(rows, of_rows, strict=True)
        }
        tables.append(
            _table(f"{measure.title} of each structure", shown, structures, transposed(marks_together(of_structures)))
        )
    return tables


def _intervals(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """95 % intervals of the means over cases."""
    shown = {
        row.name: [
            " to ".join(dict.fromkeys(map(measure.shown, compared.intervals[row.name][name])))
            for name, measure in measures.items()
        ]
        for row in rows
    }
    note = f"Each case counts once, with its mean over trials. {about_intervals(measures, compared.known)}"
    if not all(compared.known[name] for name in measures):
        note = f"{note} {ABOUT_NONE}"
    return _table("95 % intervals of the means", shown, list(measures.values()), note=note)


def _differences(measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """p-values against the reference."""
    values = {name: [of_row[measure] for measure in measures] for name, of_row in compared.corrected.items()}
    marks = [[NOTABLE if value < SIGNIFICANT else "" for value in line] for line in values.values()]
    note = (
        "Two-sided paired permutation tests over cases, each with its mean over trials; in each column corrected for "
        f"their number (Holm). Values below {SIGNIFICANT} are marked. They hold for other cases, not other trainings. "
        f"A {NOT_MEASURED} stands where rows are not compared, as where both network and disturbance of the images "
        "differ, or where the cases that both have contradict the means."
    )
    shown = {name: list(map(_p_value, line)) for name, line in values.items()}
    return _table(f"Differences from {compared.reference}: p-values", shown, list(measures.values()), marks, note)


def _ranks(measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """Sum-rank, mean-case-rank, and the mean ranks of Friedman's tests."""
    tested = [name for name in compared.ranked if name in compared.friedman]
    columns = [list(compared.sum_ranks.values()), list(compared.case_ranks.values())]
    columns += [compared.friedman[name].mean_ranks.tolist() for name in tested]
    lines = transposed([list(map(RANK.shown, column)) for column in columns])
    over = ", ".join(measures[name].title for name in compared.ranked)
    found = ", ".join(f"{measures[name].title} {_p_value(compared.friedman[name].p_value)}" for name in tested)
    return _table(
        "Ranks",
        dict(zip(compared.sum_ranks, lines, strict=True)),
        ["sum-rank", "mean-case-rank", *(f"by case, {measures[name].title}" for name in tested)],
        note=f"1 is the best. Sum-rank: of the means, averaged over {over}. Mean-case-rank: in each case, averaged "
        "over cases and over these. A case without a value is left out; a distance that is rightly empty ranks as 0."
        + (f" Friedman's test, p: {found}." if tested else ""),
    )


def _table(
    title: str,
    lines: Mapping[str, Sequence[str]],
    columns: Sequence[str | Measure],
    marks: Sequence[Sequence[str]] | None = None,
    note: str = "",
) -> Table:
    """A table of lines by the name of their row; `columns` are measures or titles, `marks` are those of the lines."""
    cells = [[name, *line] for name, line in lines.items()]
    header = [column.title if isinstance(column, Measure) else column for column in columns]
    kinds = [*kinds_of(column for column in columns if isinstance(column, Measure))] or [""] * len(columns)
    marked = unmarked(cells) if marks is None else [["", *of_line] for of_line in marks]
    return Table(title, ["", *header], cells, marked, note, ["", *kinds])


def with_deviation(row: Row, name: str, measure: Measure) -> str:
    """A mean and its deviation between seeds."""
    deviation = row.deviation(name)
    mean = measure.shown(row.value(name))
    return mean if isnan(deviation) else f"{mean} ± {measure.shown(deviation)}"


def _p_value(value: float) -> str:
    """A p-value as it is shown."""
    return NOT_MEASURED if isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004 - the digits shown
