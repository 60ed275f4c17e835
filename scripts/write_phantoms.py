"""Write phantoms as a data set's folder, for the demo: `python scripts/write_phantoms.py DIR --cases 32`."""

from __future__ import annotations

from pathlib import Path

from calib_monai.command_lines import Parser
from calib_monai.datalists.hippocampus import write_hippocampus
from calib_monai.phantoms import make_phantoms


def main() -> None:
    """Write them."""
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--cases", type=int, default=32, help="number of cases")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other phantoms")
    options = parser.parse_args()
    write_hippocampus(str(options.folder), make_phantoms(options.cases, options.seed))


if __name__ == "__main__":
    main()
