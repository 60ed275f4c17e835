"""Compare what the demo measured with what docs/get_started.md says of it: `python scripts/check_demo.py DEMO`."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path

import torch

from calib_monai.command_lines import Parser
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.run_files import read_run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "get_started.md"
MEASURES = "ece_foreground", "ece_plausible"  # in the order of the page
MOST = 0.01  # what another processor may change


def check_demo(demo: Path) -> None:
    """Raise ValueError if the demo's figures are others than those of the page; a GPU may change them more.

    Args:
        demo: the folder that `scripts/demo.sh` wrote.
    """
    nacl, dice_ce = (read_run(demo / f"hippocampus_{method}").metrics for method in ("nacl", "dice_ce"))
    told = re.findall(r"ECE \((0\.\d+); CE\+Dice (0\.\d+)\)", " ".join(PAGE.read_text(encoding="utf-8").split()))
    most = inf if torch.cuda.is_available() else MOST
    for measure, shown in zip(MEASURES, told, strict=True):
        found = nacl[measure], dice_ce[measure]
        if any(abs(value - float(text)) > most for value, text in zip(found, shown, strict=True)):
            raise ValueError(
                f"{measure} of NACL and CE+Dice is {found[0]:.3f} and {found[1]:.3f} in {demo}; {PAGE} says "
                f"{' and '.join(shown)}"
            )
    if nacl["nll_all"] <= dice_ce["nll_all"]:
        raise ValueError(f"NACL has the better likelihood in {demo}; {PAGE} says that it is worse")


def main() -> None:
    """Check a demo."""
    parser = Parser(description=__doc__)
    parser.add_argument("demo", type=Path, help="the folder of the demo")
    check_demo(parser.parse_args().demo)
    print("docs/get_started.md explains these figures")  # noqa: T201 - a program's answer


if __name__ == "__main__":
    tell_in_one_line()
    main()
