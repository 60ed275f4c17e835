"""Command line: `python -m calib_monai.score --probs FOLDER --labels FOLDER --out RUN`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from calib_monai.command_lines import Parser, log_to_output
from calib_monai.refusals import tell_in_one_line
from calib_monai.scoring.axes import AXES
from calib_monai.scoring.cases import GivenFiles
from calib_monai.scoring.earlier import KINDS
from calib_monai.scoring.runs import ScoreOptions, score

ABOUT = "Measure probabilities that any program has written against labels, as an evaluation does."


def parser() -> Parser:
    """The options of the command line, by the names that they have in `GivenFiles` and `ScoreOptions`."""
    made = Parser(prog="python -m calib_monai.score", description=ABOUT)
    made.add_argument("--probs", type=Path, required=True, help="folder of .nii.gz, .nii, .npz or .npy")
    made.add_argument("--labels", type=Path, required=True, help="folder of labels, named as the probabilities are")
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument("--classes", nargs="+", default=[], metavar="NAME", help="background first; or a dataset.json")
    made.add_argument("--order", nargs="+", default=[], metavar="NAME", help="the classes as the channels are")
    made.add_argument("--axes", default="", choices=AXES, help="of the arrays, where the shape fits several")
    made.add_argument("--logits", action="store_true", help="the files hold logits")
    made.add_argument("--foreground", action="store_true", help="no channel is of the background")
    made.add_argument("--cases", nargs="+", default=[], metavar="CASE", help="only these; all by default")
    made.add_argument(
        "--ignore_label",
        type=int,
        dest="ignore_index",
        metavar="IGNORE_LABEL",
        help="label of voxels that do not count",
    )
    made.add_argument("--any_grid", action="store_true", help="headers may place probabilities elsewhere than labels")
    made.add_argument("--any_fit", action="store_true", help="probabilities may fit better turned or as other classes")
    made.add_argument("--images", type=Path, help="folder of images, for pictures and for lts")
    made.add_argument("--calibrate", default="", choices=KINDS, help="fit a calibrator, and measure with it")
    made.add_argument("--fit", nargs="+", default=[], metavar="CASE", help="cases to fit to, or a folder of others")
    made.add_argument("--fit_labels", type=Path, help="folder of the labels of that folder; --labels by default")
    made.add_argument("--fit_images", type=Path, help="folder of its images; --images by default")
    made.add_argument("--fit_region", default="all", help="voxels to fit to, such as plausible; all by default")
    made.add_argument("--dataset", default="", help="name of the data set in the report")
    made.add_argument("--method", default="", help="name of the model in the report")
    made.add_argument("--no_figures", action="store_false", dest="figures", help="write numbers only")
    made.add_argument("--overwrite", action="store_true", help="replace results of other probabilities or labels")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the results are written."""
    options = vars(parser().parse_args(arguments))
    log_to_output()
    logging.getLogger("ignite").setLevel(logging.CRITICAL)  # which tells each error twice
    given, wanted = ({field.name: options[field.name] for field in fields(kind)} for kind in (GivenFiles, ScoreOptions))
    told = score(GivenFiles(**given), ScoreOptions(**wanted))
    sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
