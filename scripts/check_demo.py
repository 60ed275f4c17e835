"""Check that the demo shows what docs/get_started.md says of it: `python scripts/check_demo.py DEMO`."""

from __future__ import annotations

from pathlib import Path

from calib_monai.command_lines import Parser
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.run_files import read_run

DICE, PAPERS, NLL = "dice_foreground", "ece_foreground", "nll_all"
ALIKE = 0.03  # the difference of two Dice that the page calls about equal


def check_demo(demo: Path) -> None:
    """Raise ValueError if a sentence of the page does not hold.

    The figures themselves depend on the processor: rounding decides which of ten epochs is the best.

    Args:
        demo: the folder that `scripts/demo.sh` wrote.
    """
    nacl, dice_ce = (read_run(demo / f"hippocampus_{method}").metrics for method in ("nacl", "dice_ce"))
    sentences = {
        "Dice is about equal": (DICE, abs(nacl[DICE] - dice_ce[DICE]) <= ALIKE),
        "There NACL has the smaller ECE": (PAPERS, nacl[PAPERS] < dice_ce[PAPERS]),
        "Its likelihood is worse": (NLL, nacl[NLL] > dice_ce[NLL]),
    }
    for sentence, (measure, holds) in sentences.items():
        if not holds:
            raise ValueError(
                f"'{sentence}', says docs/get_started.md; in {demo} {measure} of NACL is {nacl[measure]:.3f}, "
                f"of CE+Dice {dice_ce[measure]:.3f}"
            )


def main() -> None:
    """Check a demo."""
    parser = Parser(description=__doc__)
    parser.add_argument("demo", type=Path, help="the folder of the demo")
    check_demo(parser.parse_args().demo)
    print("docs/get_started.md explains these figures")  # noqa: T201 - a program's answer


if __name__ == "__main__":
    tell_in_one_line()
    main()
