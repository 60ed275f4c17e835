"""Command line: `python -m calib_monai.reports RUN [RUN ...] --out DIR`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from calib_monai.command_lines import Parser
from calib_monai.path_options import check_writable
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.outside import inside_and_outside, outside_table
from calib_monai.reports.report import by_dataset, in_markdown, write_report
from calib_monai.reports.results import results_tables
from calib_monai.reports.run_files import read_runs


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the table is printed and the page and figures written."""
    parser = Parser(prog="python -m calib_monai.reports", description="Write one page that compares evaluations.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="output_dir of an evaluation")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--case", nargs="+", help="the cases to draw; the worst and the middle one by default")
    options = parser.parse_args(arguments)
    check_writable([str(options.out)])
    runs = read_runs(options.runs)
    written = write_report(runs, options.out, options.case)
    both = inside_and_outside(runs)
    shown = [outside_table(both)] if both else []
    shown += [table for group in by_dataset(runs) for table in results_tables(group, marked=False)]
    tables = in_markdown(shown, marked=False)
    sys.stdout.write(f"\n{tables}\n" + "".join(f"{path}\n" for path in written))
    return 0


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
