"""Tables of an experiment: means, structures, intervals, tests, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from calib_monai.estimates import Estimate
from calib_monai.experiments.comparison import MARGINS, PRIMARY, Comparison
from calib_monai.experiments.marks import Column, marks_of
from calib_monai.experiments.trials import Row
from calib_monai.intervals import FEWEST
from calib_monai.measures import NOT_MEASURED, Measure
from calib_monai.reports.case_intervals import ABOUT_NONE, about_intervals
from calib_monai.reports.results import ABOUT_CHOICE, ABOUT_PAPERS, SCORE, too_few
from calib_monai.reports.table import NOTABLE, PAPERS, Table, kinds_of, transposed, unmarked

SIGNIFICANT = 0.05
ABOUT_MEANS = (
    "A value is the mean over cases of each case's mean over trials. Deviations, intervals, structures and tests are "
    "about the same mean. A value that is not made of cases is the mean over trials."
)
ABOUT_MARKS = (
    "Bold values cannot be distinguished from the best of their column. Where a column has none, no row is shown to "
    "be worse."
)
ABOUT_PATIENTS = "Cases of a patient count as one, where the patients are known."
ABOUT_TRAININGS = f"{ABOUT_PATIENTS} The intervals count the variance of seeds, too: they hold for other trainings."
ABOUT_ONE_SEED = (
    f"{ABOUT_PATIENTS} There is one seed: the intervals hold for other cases, but only for these trainings."
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
        tables += [_differences(of_cases, compared), _tests(of_cases, compared)]
    return [*tables, _ranks(measures, compared)] if compared.ranked else tables


def _means(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """Mean of each row in each measure, with the deviation between seeds where there are several."""
    columns = [[with_deviation(row, name, measure) for row in rows] for name, measure in measures.items()]
    marks = marks_of(
        rows,
        [
            Column(name, measure, [row.value(name) for row in rows], compared=name not in compared.not_compared)
            for name, measure in measures.items()
        ],
    )
    about = [_origin(rows), *[ABOUT_MARKS] * any(map(any, marks))]
    if SCORE in measures:
        about.append(ABOUT_CHOICE)
    if PAPERS in kinds_of(measures.values()):
        about.append(ABOUT_PAPERS)
    return _table(
        "Means",
        {row.name: line for row, line in zip(rows, transposed(columns), strict=True)},
        list(measures.values()),
        transposed(marks),
        " ".join(dict.fromkeys([*about, *compared.not_compared.values(), *too_few(len(rows), rows[0].patients)])),
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
        structures, is_compared = list(of_rows[0]), name not in compared.not_compared
        columns = [
            Column(name, measure, [of_row.get(one, nan) for of_row in of_rows], f"{name}_{one}", is_compared)
            for one in structures
        ]
        shown = {
            row.name: [measure.shown(values.get(structure, nan)) for structure in structures]
            for row, values in zip(rows, of_rows, strict=True)
        }
        marks = marks_of(rows, columns)
        note = ABOUT_MARKS if any(map(any, marks)) else ""
        tables.append(_table(f"{measure.title} of each structure", shown, structures, transposed(marks), note))
    return tables


def _intervals(rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """95 % intervals of the means over cases and trainings."""
    shown = {
        row.name: [
            " to ".join(dict.fromkeys(map(measure.shown, compared.intervals[row.name][name])))
            for name, measure in measures.items()
        ]
        for row in rows
    }
    note = about_intervals(measures, compared.known, ABOUT_TRAININGS if len(rows[0].seeds) > 1 else ABOUT_ONE_SEED)
    if not all(compared.known[name] for name in measures):
        note = f"{note} {ABOUT_NONE}"
    return _table("95 % intervals of the means", shown, list(measures.values()), note=note)


def _differences(measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """The differences of rows from their references, with intervals."""
    shown, marks = {}, []
    for row, of_row in compared.differences.items():
        cells = [_difference(of_row.get(name), measure) for name, measure in measures.items()]
        sure = [compared.corrected[row].get(name, nan) < SIGNIFICANT for name in measures]
        shown[f"{row} - {compared.references[row]}"] = cells
        marks.append([NOTABLE if of_cell else "" for of_cell in sure])
    primary = ", ".join(measure.title for name, measure in measures.items() if name in PRIMARY)
    note = (
        f"Differences of means, with 95 % intervals. Tests are of {primary}, whose marked differences have p below "
        f"{SIGNIFICANT} after Holm's correction for all of them together. Other columns are not tested: each of their "
        f"intervals is wrong in 5 of 100. A {NOT_MEASURED} stands where rows are not compared, as where both network "
        "and disturbance of the images differ."
    )
    return _table("Differences", shown, list(measures.values()), marks, note)


def _difference(found: Estimate | None, measure: Measure) -> str:
    """A difference as it is shown, with its interval."""
    if found is None or isnan(found.value):
        return NOT_MEASURED
    shown = measure.shown(found.value, "+")
    if isnan(found.error):
        return f"{shown} ({NOT_MEASURED})"
    return f"{shown} ({' to '.join(measure.shown(end, '+') for end in found.interval())})"


def _tests(measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """p-values of the primary measures, effect sizes, and whether rows are equally good."""
    tested = {name: measure for name, measure in measures.items() if name in PRIMARY}
    header = [
        f"{measure.title}: {what}"
        for name, measure in tested.items()
        for what in ("p", "d", *["as good"] * (name in MARGINS))
    ]
    shown = {}
    for row, of_row in compared.differences.items():
        cells: list[str] = []
        for name in tested:
            found = of_row.get(name)
            cells += [p_value_cell(compared.corrected[row].get(name, nan)), _effect(found)]
            if name in MARGINS:
                cells.append(
                    NOT_MEASURED if found is None else "yes" if found.is_within(MARGINS[name]) else "not shown"
                )
        shown[f"{row} - {compared.references[row]}"] = cells
    within = ", ".join(f"{tested[name].title} {margin}" for name, margin in MARGINS.items() if name in tested)
    note = (
        f"p: two-sided, after Holm's correction for all p-values of this table; none with fewer than {FEWEST} "
        "patients. d: the difference in standard deviations between cases. As good: two one-sided tests at 5 % say "
        f'that the difference is smaller than {within}. "Not shown" does not say that the rows differ.'
    )
    return _table("Tests of the differences", shown, header, note=note)


def _effect(found: Estimate | None) -> str:
    """The effect size of a difference as it is shown."""
    return NOT_MEASURED if found is None or isnan(found.effect) else f"{found.effect:+.2f}"


def _ranks(measures: Mapping[str, Measure], compared: Comparison) -> Table:
    """Sum-rank, mean-case-rank, and the mean ranks of Friedman's tests."""
    tested = [name for name in compared.ranked if name in compared.friedman]
    columns = [list(compared.sum_ranks.values()), list(compared.case_ranks.values())]
    columns += [compared.friedman[name].mean_ranks.tolist() for name in tested]
    lines = transposed([list(map(RANK.shown, column)) for column in columns])
    over = ", ".join(measures[name].title for name in compared.ranked)
    found = ", ".join(f"{measures[name].title} {p_value_cell(compared.friedman[name].p_value)}" for name in tested)
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


def p_value_cell(value: float) -> str:
    """A p-value as it is shown."""
    return NOT_MEASURED if isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004 - the digits shown
