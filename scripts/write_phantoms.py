"""Write phantoms as a data set's folder, for the demo: `python scripts/write_phantoms.py DIR --cases 32`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from calib_monai.arguments import check_whole
from calib_monai.command_lines import Parser
from calib_monai.datalists.hippocampus import write_hippocampus
from calib_monai.path_options import check_writable
from calib_monai.phantoms import make_phantoms
from calib_monai.refusals import tell_in_one_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Write them, and print the variables with which the commands of the pages take them."""
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--cases", type=int, default=32, help="number of cases")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other phantoms")
    options = parser.parse_args(arguments)
    check_whole("--seed", options.seed, 0)
    phantoms = make_phantoms(options.cases, options.seed)
    check_writable([str(options.folder)])
    check_alone(options.folder, phantoms)
    write_hippocampus(str(options.folder), phantoms)
    image = min(file for file in (options.folder / "imagesTr").iterdir() if not file.name.startswith("."))
    sys.stdout.write(f"DATA={shlex.quote(str(options.folder))}\nIMAGE={shlex.quote(str(image))}\n")


def check_alone(folder: Path, names: Collection[str]) -> None:
    """Raise ValueError if a folder holds other cases than those of these names: a training would take all of them."""
    shown = [file for file in folder.glob("*Tr/*.nii*") if not file.name.startswith(".")]
    others = sorted(file for file in shown if file.name.partition(".")[0] not in names)
    if others:
        raise ValueError(f"{folder} holds other cases, first {others[0]}: phantoms need a folder of their own")


if __name__ == "__main__":
    tell_in_one_line()
    main()
