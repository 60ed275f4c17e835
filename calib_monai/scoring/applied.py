"""Applied temperatures: a note beside calibrated probabilities, so that none is applied to them twice."""

from __future__ import annotations

import logging
from pathlib import Path

from calib_monai.posthoc.files import digest_of_files
from calib_monai.reports.effects import effect_of
from calib_monai.reports.run_files import read_runs
from calib_monai.stored import Stored, read_stored
from calib_monai.whole_files import write_json

FILE = "calibrated.json"
ABOUT = "the probabilities in this folder are calibrated; checksums of the calibrators that did it"

logger = logging.getLogger(__name__)


class Applied(Stored):
    """What the note says."""

    calibrators: list[str]


def warn_of_no_help(fitted: Path) -> None:
    """Warn if the cases on which the temperature in the folder of a score was measured do not show that it helps."""
    folders = [fitted / name for name in ("eval", "eval_ts")]
    try:
        runs = read_runs([folder for folder in folders if folder.is_dir()])
    except ValueError:  # of an earlier version, or damaged
        return
    effect = effect_of(runs[-1], runs) if runs else None
    if effect and not effect.is_shown:
        logger.warning("%s: %s", folders[-1], effect.told(runs[-1]))


def note_applied(folder: Path, calibrator: Path) -> None:
    """Note in a folder that a calibrator, in a file, was applied to what it holds."""
    known = {*_calibrators_in(folder), digest_of_files([calibrator])}
    write_json(folder / FILE, {"about": ABOUT, "calibrators": sorted(known)})


def check_not_applied(probs: Path, calibrator: Path, fitted_to: Path) -> None:
    """Raise ValueError if a note in the folder of probabilities, above or below, says that they are calibrated.

    Args:
        probs: the folder of probabilities.
        calibrator: the file of the calibrator that is to be applied.
        fitted_to: the folder of those that it was fitted to. What was applied to these may be applied to `probs`, too.
    """
    notes = _notes_around(probs)
    if not notes:
        return
    own = digest_of_files([calibrator])
    before = {digest for applied in _notes_around(fitted_to).values() for digest in applied} - {own}
    for folder, applied in notes.items():
        if not before.issuperset(applied):
            which = "this" if own in applied else "another"
            raise ValueError(
                f"--probs {probs} are calibrated by {which} temperature already, as {folder / FILE} says: give the "
                "probabilities of the model, or remove that file if these are others"
            )


def _notes_around(place: Path) -> dict[Path, list[str]]:
    """The checksums in the notes of a folder, and of those above and below; folders without a note are left out."""
    here = place.resolve()
    folders = (here, *here.parents, *(note.parent for note in here.rglob(FILE)))
    return {folder: applied for folder in folders if (applied := _calibrators_in(folder))}


def _calibrators_in(folder: Path) -> list[str]:
    """The checksums in the note of a folder; none if there is no note, or another file of its name."""
    try:
        return read_stored(folder / FILE, Applied, "").calibrators if (folder / FILE).is_file() else []
    except ValueError:
        return []
