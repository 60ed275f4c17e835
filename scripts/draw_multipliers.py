"""Draw how CRaC's multipliers moved: `python scripts/draw_multipliers.py OUTPUT_DIR [--out multipliers.png]`.

It reads what a training with CRaC wrote to `tensorboard` in its output folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from calib_monai.lagrangian import REGIONS
from calib_monai.reports.colors import class_color

TITLES = {"multiplier": "multiplier", "violation": "mean violation (logits)"}


def main() -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output_dir", type=Path, help="of the training")
    parser.add_argument("--out", type=Path, help="the picture to write, OUTPUT_DIR/multipliers.png by default")
    arguments = parser.parse_args()
    if not (arguments.output_dir / "tensorboard").is_dir():
        raise SystemExit(f"error: {arguments.output_dir} has no folder tensorboard; needed is a training's output_dir")
    events = EventAccumulator(str(arguments.output_dir / "tensorboard"))
    events.Reload()
    names = [tag.split("/")[2] for tag in events.Tags()["scalars"] if tag.startswith(f"multiplier/{REGIONS[0]}/")]
    if not names:
        raise SystemExit(f"error: {arguments.output_dir}/tensorboard shows no multipliers: was CRaC trained there?")
    figure = Figure(figsize=(9, 6), layout="constrained")
    for row, (quantity, title) in zip(figure.subplots(2, 2, sharex=True), TITLES.items(), strict=True):
        for axes, region in zip(row, REGIONS, strict=True):
            for k, name in enumerate(names):
                points = events.Scalars(f"{quantity}/{region}/{name}")
                axes.plot([point.step for point in points], [point.value for point in points], color=class_color(k))
            axes.set(
                title=f"{region} region: {title}", xlabel="epoch" if quantity == "violation" else "", ylim=(0, None)
            )
    figure.legend(labels=names, loc="outside lower center", ncols=len(names), frameon=False)
    out = arguments.out or arguments.output_dir / "multipliers.png"
    figure.savefig(out, dpi=120)
    sys.stdout.write(f"{out}\n")


if __name__ == "__main__":
    main()
