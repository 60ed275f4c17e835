"""Runs: scores a folder of probabilities from the first check to the last file."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calib_monai.checks import check_writable
from calib_monai.reports.report import by_dataset, in_markdown
from calib_monai.reports.results import results_tables
from calib_monai.reports.run_files import read_runs
from calib_monai.scoring.cases import Given, ScoredCases, scored_cases
from calib_monai.scoring.evaluation import Scoring, evaluate
from calib_monai.whole_files import write_json

SCORED = "scored.json"  # says what was scored, in the place of a model

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What a person wants.

    Attributes:
        out: folder of the results.
        cases: names of the cases to score; all where there are none.
        dataset: name of the data set, by default that of the folder that holds the labels' folder.
        method: name of what gave the probabilities, by default that of `out`.
        figures: whether the report is drawn.
        overwrite: whether results of other probabilities may be replaced.
    """

    out: Path
    cases: Sequence[str] = ()
    dataset: str = ""
    method: str = ""
    figures: bool = True
    overwrite: bool = False


def score(given: Given, options: Options) -> str:
    """Score a folder, and write a run as an evaluation of a bundle does.

    Returns:
        Where the results are.

    Raises:
        ValueError: input is wrong; the message is one line with the file, the value and the rule.
    """
    check_writable([str(options.out)])
    _check_out(given, options)
    cases = scored_cases(given, options.cases)
    logger.info("scoring %d case(s) of %d classes: %s", len(cases.found), len(cases.classes.names), told_first(cases))
    about = options.out / SCORED
    write_json(about, _about(given, cases))
    evaluate(scoring_of(cases, given, options), options.out, about, figures=options.figures, overwrite=True)
    return f"{tables_of([options.out])}\nThe results are in {options.out}"


def tables_of(runs: Sequence[Path]) -> str:
    """The tables of runs, as the command of the reports prints them."""
    groups = by_dataset(read_runs(runs))
    return in_markdown([table for group in groups for table in results_tables(group)], marked=False)


def scoring_of(cases: ScoredCases, given: Given, options: Options, *, with_logits: bool = False) -> Scoring:
    """What is scored, and how."""
    return Scoring(
        cases=cases.found,
        class_names=cases.classes.names,
        reading=cases.reading,
        ignore_index=cases.classes.ignore_index,
        dataset=options.dataset or given.labels.resolve().parent.name,
        method=options.method or options.out.resolve().name,
        with_logits=with_logits,
    )


def told_first(cases: ScoredCases) -> str:
    """The files of the first case in words, with the axes that were found."""
    case, found = next(iter(cases.found.items()))
    first = found.stored[0]
    more = f" and {len(found.stored) - 1} more" if len(found.stored) > 1 else ""
    return f"first {case}, {first.file}{more}, {first.shape} {first.dtype} as {found.axes}"


def _about(given: Given, cases: ScoredCases) -> dict[str, object]:
    """What a run was made of."""
    return {
        "probs": str(given.probs.resolve()),
        "labels": str(given.labels.resolve()),
        "classes": cases.classes.names,
        "ignore_label": cases.classes.ignore_index,
        "axes": sorted({found.axes for found in cases.found.values()}),
        "order": list(given.order),
        "logits": given.logits,
        "foreground": given.foreground,
    }


def _check_out(given: Given, options: Options) -> None:
    """Raise ValueError if a folder of results holds something else than those of these probabilities."""
    about = options.out / SCORED
    if options.overwrite or not options.out.is_dir():
        return
    before = None
    if about.is_file():
        try:
            before = json.loads(about.read_text(encoding="utf-8")).get("probs")
        except (ValueError, AttributeError):
            before = "something else"
    elif (options.out / "summary.json").is_file():
        before = "an evaluation"
    if before not in (None, str(given.probs.resolve())):
        raise ValueError(
            f"--out {options.out} holds results of {before}: set another --out, or replace them by --overwrite"
        )
