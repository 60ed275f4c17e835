"""Command line: `python -m calib_monai.apply --fitted RUN --probs FOLDER --out FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from calib_monai.command_lines import Parser, log_to_output
from calib_monai.refusals import tell_in_one_line
from calib_monai.scoring.unlabeled import calibrate_files

ABOUT = "Calibrate saved probabilities of new cases by a temperature that calib_monai.score has fitted."


def parser() -> Parser:
    """The options of the command line."""
    made = Parser(prog="python -m calib_monai.apply", description=ABOUT)
    made.add_argument(
        "--fitted", type=Path, required=True, help="--out folder of calib_monai.score with --calibrate ts"
    )
    made.add_argument("--probs", type=Path, required=True, help="folder of new probabilities of the same model")
    made.add_argument("--out", type=Path, required=True, help="folder for the calibrated probabilities")
    made.add_argument("--overwrite", action="store_true", help="replace files of the same names")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the files are written."""
    options = parser().parse_args(arguments)
    log_to_output()
    told = calibrate_files(options.fitted, options.probs, options.out, overwrite=options.overwrite)
    sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
