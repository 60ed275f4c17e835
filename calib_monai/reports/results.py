"""Results: tables with a row for each run and a column for each measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan, nan

from calib_monai.intervals import FEWEST
from calib_monai.measures import Measure, measure_of
from calib_monai.reports.alike import unlike_networks
from calib_monai.reports.case_values import Column, averaged_values, compared_values, marks_together
from calib_monai.reports.comparable import not_compared
from calib_monai.reports.runs import Run
from calib_monai.reports.table import BEST, Table, kinds_of, transposed

DICE = measure_of("dice_foreground")
ERROR = measure_of("ece_plausible")  # an ECE of any region is shown like this
SHARE = Measure("share", 1, more_is_better=None, factor=100.0)
AS_PAPERS = "As the papers measure"
ABOUT_PAPERS = (
    "Here the label chooses the voxels: most papers take label foreground, some its union with the prediction. Even "
    "exact probabilities have an error there, and a network that draws too much can have a smaller one. Compare with "
    "papers by these measures, and choose by NLL over all voxels."
)
ABOUT_CHOICE = "Choose between networks by NLL over all voxels."
OTHER_NETWORKS = "The networks differ, not only their training"
SCORE = "nll_all"


def shown_measures(runs: Sequence[Run]) -> dict[str, Measure]:
    """The measures of all runs; measures whose region depends on the label come last."""
    named = {name: run.measure(name) for run in runs for name in run.metrics}
    return {name: named[name] for name in sorted(named, key=lambda name: named[name].proper is False)}


def results_tables(runs: Sequence[Run], *, marked: bool = True) -> list[Table]:
    """The table of proper measures, and a second table "as the papers measure" if any run has such measures.

    Args:
        runs: runs of the same cases.
        marked: whether the best values are marked.
    """
    measures = shown_measures(runs)
    proper = {name: measure for name, measure in measures.items() if measure.proper is not False}
    papers = {name: measure for name, measure in measures.items() if measure.proper is False}
    marks = marks_of(measures, runs)
    shown = marks if marked else {name: [""] * len(runs) for name in measures}
    choice = [_choice(runs, shown[SCORE])] if SCORE in proper else []
    tables = [_table("", proper, runs, shown, [*choice, *why_unmarked(proper, runs, marks)], with_share=True)]
    if papers:
        tables.append(_table(AS_PAPERS, papers, runs, shown, [ABOUT_PAPERS, *why_unmarked(papers, runs, marks)]))
    return tables


def _choice(runs: Sequence[Run], marks: Sequence[str]) -> str:
    """By what to choose between runs and, if the marks of the score tell, which to choose."""
    best = [run.name for run, mark in zip(runs, marks, strict=True) if mark == BEST]
    return f"{ABOUT_CHOICE} Here it is lowest for {' or '.join(best)}." if best else ABOUT_CHOICE


def marks_of(measures: Mapping[str, Measure], runs: Sequence[Run]) -> dict[str, list[str]]:
    """For each measure the mark of each run: proper measures together, and those of the papers together."""
    if len(runs) == 1:
        return {name: [""] for name in measures}
    why_not = not_compared(measures, runs)
    marks: dict[str, list[str]] = {}
    for of_papers in (False, True):
        columns = {
            name: Column(
                measure,
                [run.metrics.get(name, nan) for run in runs],
                [compared_values(name, averaged_values(run, name)) for run in runs],
                compared=name not in why_not,
                patients=runs[0].patients,
            )
            for name, measure in measures.items()
            if (measure.proper is False) == of_papers
        }
        marks |= dict(zip(columns, marks_together(list(columns.values())), strict=True))
    return {name: marks[name] for name in measures}


def why_unmarked(measures: Mapping[str, Measure], runs: Sequence[Run], marks: Mapping[str, Sequence[str]]) -> list[str]:
    """Sentences that say why runs are not compared by some measures, have too few cases, or differ in their network.

    Args:
        measures: by name.
        runs: of the same cases.
        marks: from `marks_of`, of these measures at least.
    """
    unlike = unlike_networks(runs)
    networks = [f"{OTHER_NETWORKS}: {unlike}."] if unlike else []
    why_not = [*dict.fromkeys(not_compared(measures, runs).values()), *too_few(len(runs), runs[0].patient_of_each)]
    return [*networks, *(why_not or without_best(len(runs), [marks[name] for name in measures]))]


def without_best(rows: int, marks: Sequence[Sequence[str]]) -> list[str]:
    """A sentence that says why nothing is marked if enough cases of several rows were compared; otherwise none."""
    why = "Nothing is marked as best: in no measure is a run shown to be better than each worse one."
    return [why] if rows > 1 and not any(map(any, marks)) else []


def too_few(rows: int, patients: Iterable[str]) -> list[str]:
    """A sentence that says why nothing is marked if several rows have too few patients; otherwise none.

    Args:
        rows: their number.
        patients: the patient of each case.
    """
    why = f"Nothing is marked as best: in fewer than {FEWEST} patients chance may explain every difference."
    return [why] if rows > 1 and len(set(patients)) < FEWEST else []


def _table(
    title: str,
    measures: Mapping[str, Measure],
    runs: Sequence[Run],
    marks_by_measure: Mapping[str, Sequence[str]],
    notes: Sequence[str],
    *,
    with_share: bool = False,
) -> Table:
    """A table with a row for each run and a column for each measure.

    Two more columns are the number of cases and, `with_share`, the share of voxels in the region of the diagrams. No
    value is marked as best if `not_compared` names the measure, or if chance may explain the difference. The note says
    why not.
    """
    header = ["", *(measure.title for measure in measures.values())]
    kinds = ["", *kinds_of(measures.values())]
    columns = [[run.name for run in runs]]
    columns += [[measure.shown(run.metrics.get(name, nan)) for run in runs] for name, measure in measures.items()]
    marks = [[""] * len(runs), *(marks_by_measure[name] for name in measures)]
    shares = [run.share_of_voxels for run in runs]
    if with_share and not all(map(isnan, shares)):
        header.append(f"{runs[0].region} voxels (%)")
        columns.append([SHARE.shown(share) for share in shares])
    header.append("cases")
    columns.append([str(len(run.cases)) for run in runs])
    others = len(header) - len(kinds)
    marks += [[""] * len(runs)] * others
    kinds += [""] * others
    return Table(title, header, transposed(columns), transposed(marks), " ".join(notes), kinds)
