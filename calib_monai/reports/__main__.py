"""Command line: `python -m calib_monai.reports RUN [RUN ...] --out DIR`."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from calib_monai.reports.case_figure import case_figure
from calib_monai.reports.page import html_page
from calib_monai.reports.reliability import class_reliability_figure, reliability_figure
from calib_monai.reports.runs import Run, read_run, worst_first
from calib_monai.reports.table import results_table

DPI = 150


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the table is printed and the page and figures written."""
    parser = argparse.ArgumentParser(prog="python -m calib_monai.reports", description="Compare evaluated runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="output_dir of an evaluation")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--case", nargs="+", help="the cases to draw; the worst and the middle one by default")
    options = parser.parse_args(arguments)
    try:
        runs = [read_run(folder) for folder in options.runs]
        written = write_report(runs, options.out, options.case or worst_and_middle(runs))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    sys.stdout.write("\n" + results_table(runs) + "\n" + "".join(f"{path}\n" for path in written))
    return 0


def write_report(runs: Sequence[Run], out: Path, cases: Sequence[str]) -> list[Path]:
    """Paths of the files written: the page, the table, and the figures, which the page holds too.

    Raises:
        ValueError: a run kept no slice of a case.
    """
    figures = {
        "reliability": reliability_figure(runs),
        "classes": class_reliability_figure(runs),
        **{case: case_figure(runs, case) for case in cases},
    }
    pngs = {}
    for name, figure in figures.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI)
        pngs[name] = buffer.getvalue()
    out.mkdir(parents=True, exist_ok=True)
    contents = {
        "report.html": html_page(runs, pngs, cases).encode(),
        "results.md": results_table(runs).encode(),
        **{f"{name}.png": png for name, png in pngs.items()},
    }
    for name, content in contents.items():
        (out / name).write_bytes(content)
    return [out / name for name in contents]


def worst_and_middle(runs: Sequence[Run]) -> list[str]:
    """The cases of the lowest and of the median Dice in the first run.

    Raises:
        ValueError: the runs measured different cases.
    """
    ordered = worst_first(runs)
    return list(dict.fromkeys([ordered[0], ordered[len(ordered) // 2]]))


if __name__ == "__main__":
    raise SystemExit(main())
