"""Copy labeled cases that the trained network in `results` never saw: `python scripts/real_cases.py DIR [--data DIR]`.

Without `--data`, MONAI downloads the hippocampus of the Medical Segmentation Decathlon: 27 MB, under CC BY-SA 4.0.
"""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

from monai.apps import DecathlonDataset, check_hash, extractall
from torch.hub import download_url_to_file

from calib_monai.command_lines import Parser
from calib_monai.refusals import tell_in_one_line

TASK = "Task04_Hippocampus"
SPLIT = Path(__file__).parents[1] / "results" / "hippocampus" / "volumes" / "soft_dice_seed0" / "split.json"
PATIENCE = 30  # seconds without an answer


def downloaded(folder: Path) -> Path:
    """The data set, after it was downloaded to a folder; what was downloaded before is there still.

    Raises:
        ValueError: it cannot be had.
    """
    socket.setdefaulttimeout(PATIENCE)
    archive, address = folder / f"{TASK}.tar", DecathlonDataset.resource[TASK]
    try:
        if not archive.is_file():
            download_url_to_file(address, str(archive), progress=False)  # MONAI's needs a further package
    except OSError as error:
        raise ValueError(f"{address} cannot be downloaded: {error}") from None
    if not check_hash(archive, DecathlonDataset.md5[TASK]):
        raise ValueError(f"{archive} is not the data set: remove it and try again")
    extractall(archive, folder)
    return folder / TASK


def copy_cases(data: Path, folder: Path, count: int) -> list[str]:
    """Copy images and labels of the first test cases of the trained network; give their names.

    Args:
        data: the folder of the data set.
        folder: where they go, in its layout.
        count: their number.

    Raises:
        ValueError: a file is not in `data`.
    """
    cases: list[str] = json.loads(SPLIT.read_text(encoding="utf-8"))["test"][:count]
    for kind in ("imagesTr", "labelsTr"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for case in cases:
            file = data / kind / f"{case}.nii.gz"
            if not file.is_file():
                raise ValueError(f"{file} is not there; {data} must be the folder {TASK} of the Decathlon")
            shutil.copy(file, folder / kind)
    return cases


def main() -> None:
    """Copy them."""
    parser = Parser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--data", type=Path, help=f"the folder {TASK}, if it is here already")
    parser.add_argument("--cases", type=int, default=8, help="number of cases")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    cases = copy_cases(options.data or downloaded(options.folder), options.folder / "cases", options.cases)
    print(f"{len(cases)} cases in {options.folder / 'cases'}: {', '.join(cases)}")  # noqa: T201 - a program's answer


if __name__ == "__main__":
    tell_in_one_line()
    main()
