"""Earlier results: refuses to replace those of another kind, which are there to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calib_monai.stored import Told, read_stored

MEND = "set another --output_dir, or replace it by --overwrite True"


def check_calibrator(files: Iterable[Path], calibrator: str, what: str) -> None:
    """Raise ValueError if one of these files was written with another calibrator: a run with this one would replace it.

    Args:
        files: JSON; one that does not name its calibrator had none.
        calibrator: of this run.
        what: a file is of.
    """
    for file in files:
        before = _content(file).calibrator
        if before != calibrator:
            raise ValueError(
                f"{file} is of {what} with the calibrator {before}, and this one is with {calibrator}: {MEND}"
            )


def check_data(file: Path, test_dir: str, part: str = "test") -> None:
    """Raise ValueError if a file is of an evaluation of other cases: a run on these would replace it.

    Args:
        file: the summary of an evaluation; one that names no data has the test cases of the training.
        test_dir: the folder or JSON file of this run's data, "" for cases of the training's split.
        part: of the split.
    """
    if not file.is_file():
        return
    before = _content(file)
    there = (before.elsewhere.test_dir if before.elsewhere else "") or _inside(before.part)
    here = test_dir or _inside(part)
    if there != here:
        raise ValueError(f"{file} is of an evaluation of {there}, and this one is of {here}: {MEND}")


def _inside(part: str) -> str:
    """The cases of a part of the split, in words."""
    return f"the {part} cases of the training"


def check_members(file: Path, models: Sequence[str]) -> None:
    """Raise ValueError if a file is of an evaluation of another ensemble than these models, or of a single network.

    Args:
        file: the summary of an evaluation; one that names no members has a single network.
        models: the models of this run's ensemble, none if it has a single network.
    """
    now = [str(Path(model).resolve()) for model in models]
    before = _content(file).members if file.is_file() else now
    if before != now:
        there, here = (
            f"the ensemble of {', '.join(names)}" if names else "a single network" for names in (before, now)
        )
        raise ValueError(f"{file} is of an evaluation of {there}, and this one is of {here}: {MEND}")


def check_model(file: Path, model: Path) -> None:
    """Raise ValueError if a file is of an evaluation of another single network: of another path and another time.

    Args:
        file: the summary of an evaluation; `check_members` knows that it is of no ensemble.
        model: the weights of this run. They may have been moved, with the evaluation.
    """
    before = _content(file).model if file.is_file() else None
    if before is None or not model.is_file():
        return
    if before.path != str(model) and before.modified != model.stat().st_mtime:
        raise ValueError(f"{file} is of an evaluation of {before.path}, and this one is of {model}: {MEND}")


def check_disturbance(file: Path, steps: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError if a file is of an evaluation of images that were changed in another way.

    Args:
        file: the summary of an evaluation; one that does not tell has images as they are.
        steps: of the transform that changes the images of this run, none if they stay as they are.
    """
    before = (_content(file).disturbance or []) if file.is_file() else steps
    if list(before) != list(steps):
        there, here = (f"images changed by {changed}" if changed else "unchanged images" for changed in (before, steps))
        raise ValueError(f"{file} is of an evaluation of {there}, and this one is of {here}: {MEND}")


def _content(file: Path) -> Told:
    """What a JSON file tells; of one that is damaged, which may be replaced, what it would tell if it were empty."""
    try:
        return read_stored(file, Told, MEND)
    except ValueError:
        return Told()
