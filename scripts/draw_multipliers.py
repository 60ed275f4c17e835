"""Draw CRaC's multipliers over epochs: `python scripts/draw_multipliers.py OUTPUT_DIR [--out multipliers.png]`.

It reads `history.csv`, which a training with CRaC wrote to its output folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.command_lines import Parser
from calib_monai.handlers.history import FILE
from calib_monai.lagrangian import AREAS
from calib_monai.refusals import tell_in_one_line
from calib_monai.whole_files import read_csv

TITLES = {"multiplier": "multiplier", "violation": "mean violation (logits)"}


def main() -> None:
    """Read, draw, write."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output_dir", type=Path, help="of the training")
    parser.add_argument("--out", type=Path, help="the picture to write, OUTPUT_DIR/multipliers.png by default")
    arguments = parser.parse_args()
    history = arguments.output_dir / FILE
    if not history.is_file():
        raise ValueError(f"{history} is not there; needed is the output_dir of a training")
    rows = read_csv(history.read_text(encoding="utf-8"))
    first = f"crac/multiplier/{AREAS[0]}/"
    names = [column.removeprefix(first) for column in next(iter(rows), {}) if column.startswith(first)]
    if not names:
        raise ValueError(f"{history} has no multipliers: was CRaC trained there?")
    figure = Figure(figsize=(9, 6), layout="constrained")
    for row, (quantity, title) in zip(figure.subplots(2, 2, sharex=True), TITLES.items(), strict=True):
        for axes, region in zip(row, AREAS, strict=True):
            for k, name in enumerate(names):
                column = f"crac/{quantity}/{region}/{name}"
                points = [(int(row["epoch"]), float(row[column])) for row in rows if row[column]]
                axes.plot(*zip(*points, strict=True), color=class_color(k))
            axes.set(
                title=f"{region} region: {title}", xlabel="epoch" if quantity == "violation" else "", ylim=(0, None)
            )
    figure.legend(labels=names, loc="outside lower center", ncols=len(names), frameon=False)
    out = arguments.out or arguments.output_dir / "multipliers.png"
    figure.savefig(out, dpi=120)
    sys.stdout.write(f"{out}\n")


if __name__ == "__main__":
    tell_in_one_line()
    main()
