"""Results: tables with a row for each run and a column for each measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

from calib_monai.measures import Measure, measure_of
from calib_monai.reports.alike import unlike_images, unlike_settings
from calib_monai.reports.case_values import averaged_values, sure_marks
from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, kinds_of, transposed

DICE = measure_of("dice_foreground")
ERROR = measure_of("ece_plausible")  # an ECE of any region is shown like this
AS_PAPERS = "As the papers measure"
ABOUT_PAPERS = (
    "The papers measure calibration where the label is foreground. There even exact probabilities have an error, and a "
    "network that segments too much can have a smaller one. Compare with papers here; choose by the other columns."
)


def shown_measures(runs: Sequence[Run]) -> dict[str, Measure]:
    """The measures of all runs; measures whose region depends on the label come last."""
    named = {name: run.measure(name) for run in runs for name in run.metrics}
    return {name: named[name] for name in sorted(named, key=lambda name: named[name].proper is False)}


def results_tables(runs: Sequence[Run]) -> list[Table]:
    """The table of proper measures, and a second table "as the papers measure" if any run has such measures."""
    measures = shown_measures(runs)
    proper = {name: measure for name, measure in measures.items() if measure.proper is not False}
    papers = {name: measure for name, measure in measures.items() if measure.proper is False}
    tables = [_table("", proper, runs)]
    return [*tables, _table(AS_PAPERS, papers, runs, ABOUT_PAPERS)] if papers else tables


def _table(title: str, measures: Mapping[str, Measure], runs: Sequence[Run], note: str = "") -> Table:
    """A table with a row for each run, a column for each measure, and the number of cases.

    No value is marked as best if runs measured with different settings or on images that were disturbed differently, or
    if chance may explain the difference.
    """
    columns, marks, notes = [[run.name for run in runs]], [[""] * len(runs)], [note] if note else []
    other_images = unlike_images(runs)
    notes += (
        [f"The images were disturbed differently, and nothing is compared: {other_images}."] if other_images else []
    )
    for name, measure in measures.items():
        values = [run.metrics.get(name, nan) for run in runs]
        unlike = unlike_settings(name, runs)
        columns.append([measure.shown(value) for value in values])
        of_cases = [averaged_values(run, name) for run in runs]
        marks.append([""] * len(runs) if unlike or other_images else sure_marks(values, measure, of_cases))
        notes += [f"{measure.title} has different settings and is not compared: {unlike}."] if unlike else []
    columns.append([str(len(run.cases)) for run in runs])
    marks.append([""] * len(runs))
    header = ["", *(measure.title for measure in measures.values()), "cases"]
    kinds = ["", *kinds_of(measures.values()), ""]
    return Table(title, header, transposed(columns), transposed(marks), " ".join(notes), kinds)
