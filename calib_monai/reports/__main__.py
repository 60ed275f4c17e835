"""Command line: `python -m calib_monai.reports RUN [RUN ...] --out DIR`."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from calib_monai.reports.case_figure import case_figure
from calib_monai.reports.reliability import reliability_figure
from calib_monai.reports.runs import Run, read_run, shared_cases
from calib_monai.reports.table import results_table

DPI = 150


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the table is printed and the figures written."""
    parser = argparse.ArgumentParser(prog="python -m calib_monai.reports", description="Compare evaluated runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="output_dir of an evaluation")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--case", help="the case to draw; the one of median Dice by default")
    options = parser.parse_args(arguments)
    try:
        runs = [read_run(folder) for folder in options.runs]
        written = write_report(runs, options.out, options.case or median_case(runs))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write("\n" + results_table(runs) + "\n" + "".join(f"{path}\n" for path in written))
    return 0


def write_report(runs: Sequence[Run], out: Path, case: str) -> list[Path]:
    """Paths of the files written: the table, the reliability diagrams, the figure of a case.

    Raises:
        ValueError: a run kept no slice of this case.
    """
    figures = {"reliability.png": reliability_figure(runs), f"{case}.png": case_figure(runs, case)}
    out.mkdir(parents=True, exist_ok=True)
    table = out / "results.md"
    table.write_text(results_table(runs), encoding="utf-8")
    for name, figure in figures.items():
        figure.savefig(out / name, dpi=DPI)
    return [table, *(out / name for name in figures)]


def median_case(runs: Sequence[Run]) -> str:
    """The case whose Dice in the first run is the median of those that all runs have.

    Raises:
        ValueError: the runs have no case in common.
    """
    run = runs[0]

    def dice(case: str) -> float:
        values = [value for name, value in run.cases[case].items() if name.startswith("dice")]
        return statistics.fmean(values) if values else 0.0

    ordered = sorted(shared_cases(runs), key=dice)
    return ordered[len(ordered) // 2]


if __name__ == "__main__":
    raise SystemExit(main())
