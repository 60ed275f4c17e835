"""Which cases of hippocampus are both sides of one scan: `python tests/reliability/sides.py Task04_Hippocampus`.

The intensities of a scan that was scaled have one smallest step. Printed are how many neighboring files share it, an
odd number and the next one or an even number and the next one, and the part of the split in which the other side of
each test case of the committed network lies, with the Dice and NLL of these cases.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import mean

import nibabel
import numpy as np

RESULTS = Path(__file__).parents[2] / "results" / "hippocampus" / "volumes"


def step_of(path: Path) -> float:
    """The smallest difference between two intensities of an image."""
    return float(np.diff(np.unique(np.asarray(nibabel.load(path).dataobj, dtype=np.float64))).min())


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder Task04_Hippocampus")
    files = sorted(parser.parse_args().data.glob("imagesTr/hippocampus_*.nii.gz"))
    steps = {int(path.name[12:15]): step_of(path) for path in files}
    telling = {number: step for number, step in steps.items() if abs(step - round(step)) > 1e-3}
    for name, first in (("odd and next", 1), ("even and next", 0)):
        pairs = [number for number in telling if number % 2 == first and number + 1 in telling]
        alike = sum(bool(np.isclose(telling[number], telling[number + 1], rtol=1e-4)) for number in pairs)
        print(f"{name}: {alike} of {len(pairs)} pairs have one step")  # noqa: T201
    split = json.loads((RESULTS / "soft_dice_seed0" / "split.json").read_text(encoding="utf-8"))
    part_of = {int(case[-3:]): part for part in ("training", "validation", "test") for case in split[part]}
    rows = json.loads((RESULTS / "results.json").read_text(encoding="utf-8"))["rows"]
    [trial] = rows["soft_dice"]["trials"]
    found = defaultdict(list)
    for case, values in trial["cases"].items():
        number = int(case[-3:])
        found[part_of.get(number + 1 if number % 2 else number - 1, "not there")].append(values)
    for part, cases in found.items():
        dice, nll = (mean(case[name] for case in cases) for name in ("dice_foreground", "nll_all"))
        print(f"other side in {part}: {len(cases)} test cases, Dice {dice:.3f}, NLL {1000 * nll:.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
