"""Earlier results: refuses to replace those of another kind, which are there to be compared."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib_monai.stored import Told, read_stored

MEND = "set another --output_dir, or replace it by --overwrite True"

logger = logging.getLogger(__name__)


class Earlier:
    """What a file tells of an earlier run, which this run would replace.

    Args:
        file: JSON of results. One that is damaged may be replaced: it tells what an empty one would tell.
        what: "evaluation" or "inference".
    """

    def __init__(self, file: Path, what: str = "evaluation") -> None:
        self.file = file
        self.what = what
        try:
            self.told = read_stored(file, Told, MEND)
        except ValueError:
            self.told = Told()

    def check_calibrator(self, calibrator: str) -> None:
        """Raise ValueError if it had another calibrator; a file that does not name it had none."""
        before = self.told.calibrator
        if before != calibrator:
            raise ValueError(
                f"{self.file} is of an {self.what} with the calibrator {before}, and this one is with {calibrator}: "
                f"{MEND}"
            )

    def check_data(self, test_dir: str, part: str = "test") -> None:
        """Raise ValueError if it measured other cases; a file that names no data has the test cases of the training.

        Args:
            test_dir: the folder or JSON file of this run's data, "" for cases of the training's split.
            part: of the split.
        """
        elsewhere = self.told.elsewhere.test_dir if self.told.elsewhere else ""
        self._check_same(elsewhere or _inside(self.told.part), test_dir or _inside(part))

    def check_models(self, now: Mapping[str, Any]) -> None:
        """Raise ValueError if it had another network: another ensemble, or weights of another path and another time.

        Args:
            now: what `about_models` says of this run. A new training at the same path replaces the results of the old
                one.
        """
        before = self.told.model
        if before is None:
            return
        if self.told.members != now["members"]:
            self._check_same(_ensemble(self.told.members), _ensemble(now["members"]))
        elif before.modified != now["model"]["modified"]:  # the same file may have been moved, with the results
            self._check_same(before.path, now["model"]["path"])

    def check_disturbance(self, steps: Sequence[Mapping[str, Any]]) -> None:
        """Raise ValueError if its images were changed in another way.

        Args:
            steps: of the transform that changes the images of this run, none if they stay as they are.
        """
        self._check_same(_images(self.told.disturbance or []), _images(steps))

    def is_of(self, now: Mapping[str, Any]) -> bool:
        """Whether it had the weights and the calibrator of this run, as far as it tells.

        Args:
            now: what this run notes: "model" and "members" as `about_models` says, "calibrator", and
                "calibrator_file" as `about_file` says, if it has one.
        """
        files = [(self.told.model, now.get("model")), (self.told.calibrator_file, now.get("calibrator_file"))]
        same = [there.modified == here["modified"] for there, here in files if there and here]
        kinds = (self.told.calibrator, self.told.members) == (now["calibrator"], now.get("members", []))
        return kinds and all(same)

    def _check_same(self, there: str, here: str) -> None:
        if there != here:
            raise ValueError(f"{self.file} is of an {self.what} of {there}, and this one is of {here}: {MEND}")


def tell_left(files: Sequence[Path], now: Mapping[str, Any]) -> None:
    """Warn, in one line, of results that stay beside those of this run and are of other weights or another calibrator.

    Args:
        files: JSON of each case that this run does not have.
        now: as in `Earlier.is_of`.
    """
    others = [file for file in files if not Earlier(file, "inference").is_of(now)]
    if others:
        logger.warning(
            "%s holds %d case(s), first %s, that were predicted with another model or calibrator, or before its file "
            "changed: predict them anew, or remove them",
            others[0].parent.parent,
            len(others),
            others[0].parent.name,
        )


def about_models(models: Sequence[Path]) -> dict[str, Any]:
    """What results note of their network: the file of the weights, or of the first ones, and an ensemble's members."""
    return {
        "model": about_file(models[0]),
        "members": [str(model.resolve()) for model in models] if len(models) > 1 else [],
    }


def about_file(file: Path) -> dict[str, Any]:
    """What results note of a file, so that a report can see whether it has changed."""
    return {"path": str(file.resolve()), "modified": file.stat().st_mtime}


def _inside(part: str) -> str:
    """The cases of a part of the split, in words."""
    return f"the {part} cases of the training"


def _images(steps: Sequence[Any]) -> str:
    """Images that these steps changed, in words."""
    return f"images changed by {list(steps)}" if steps else "unchanged images"


def _ensemble(models: Sequence[str]) -> str:
    """The members of an ensemble, in words; none are those of a single network."""
    return f"the ensemble of {', '.join(models)}" if models else "a single network"
