"""Trial files: reads a trial from the folder that the workflow wrote."""

from __future__ import annotations

import re
from pathlib import Path

from calib_monai.experiments.trials import Trial
from calib_monai.reports.run_files import read_run
from calib_monai.stored import Record, read_whole

FOLDER = re.compile(r"seed(?P<seed>\d+)_fold(?P<fold>\d+)")
PLAIN = "eval"


def read_trial(folder: Path) -> Trial:
    """The trial in `NETWORK/METHOD/seedS_foldF/EVALUATION`, as the workflow writes it.

    Raises:
        ValueError: a folder of another name, or one that lacks what the workflow writes.
    """
    where = folder.resolve()
    found = FOLDER.fullmatch(where.parent.name)
    if not found or not where.name.startswith(PLAIN):
        raise ValueError(f"{folder} is no trial; it must be NETWORK/METHOD/seedS_foldF/{PLAIN}...")
    records = {}
    for path in (folder.parent / "train.json", folder / "evaluate.json"):
        if not path.is_file():
            raise ValueError(f"{path} is not there; the workflow writes it when a run has ended")
        records[path.stem] = read_whole(path, Record, "remove it and start the workflow again")
    return Trial(
        method=where.parents[1].name,
        network=where.parents[2].name,
        evaluation=where.name.removeprefix(PLAIN).removeprefix("_"),
        seed=int(found["seed"]),
        fold=int(found["fold"]),
        run=read_run(folder),
        records=records,
    )
