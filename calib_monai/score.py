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

ABOUT = "Score the probabilities that any program saved against labels, by the measures of an evaluation."


def parser() -> Parser:
    """The options of the command line, by the names that they have in `GivenFiles` and `ScoreOptions`."""
    made = Parser(prog="python -m calib_monai.score", description=ABOUT)
    made.add_argument("--probs", type=Path, required=True, help="folder of probabilities: .nii.gz, .nii, .npz or .npy")
    made.add_argument("--labels", type=Path, required=True, help="folder of labels with the same case names")
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument(
        "--classes",
        nargs="+",
        default=[],
        metavar="NAME",
        help="names of the classes, background first; or a dataset.json",
    )
    made.add_argument("--order", nargs="+", default=[], metavar="NAME", help="the classes in the order of the channels")
    made.add_argument("--axes", default="", choices=AXES, help="axes of the arrays, if their shape fits in two ways")
    made.add_argument("--logits", action="store_true", help="the files hold logits, not probabilities")
    made.add_argument("--foreground", action="store_true", help="the files have no background channel")
    made.add_argument("--cases", nargs="+", default=[], metavar="CASE", help="cases to score; all by default")
    made.add_argument(
        "--patient", default="", metavar="PATTERN", help="which cases are of one patient, such as '{patient}_*'"
    )
    made.add_argument(
        "--ignore_label",
        type=int,
        dest="ignore_index",
        metavar="IGNORE_LABEL",
        help="label value whose voxels do not count",
    )
    made.add_argument(
        "--any_grid", action="store_true", help="accept headers that place probabilities and labels apart"
    )
    made.add_argument(
        "--any_fit", action="store_true", help="accept probabilities that fit better if turned or reordered"
    )
    made.add_argument("--images", type=Path, help="folder of images, to show them and for lts")
    made.add_argument(
        "--calibrate", default="", choices=KINDS, help="fit a calibrator to --fit, and score the other cases with it"
    )
    made.add_argument(
        "--fit", nargs="+", default=[], metavar="CASE", help="cases or patients to fit to, or a folder of other cases"
    )
    made.add_argument("--fit_labels", type=Path, help="folder of labels for the --fit folder; --labels by default")
    made.add_argument("--fit_images", type=Path, help="folder of images for the --fit folder; --images by default")
    made.add_argument(
        "--fit_region", default="all", help="region of voxels to fit to, such as plausible; all by default"
    )
    made.add_argument("--dataset", default="", help="name of the data set in the report")
    made.add_argument("--method", default="", help="name of the model in the report")
    made.add_argument("--no_figures", action="store_false", dest="figures", help="write numbers and no pictures")
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
