"""What the log of an inference tells of volumes: a line for each case, and one for those with a note."""

from __future__ import annotations

import logging
from collections.abc import Mapping

logger = logging.getLogger(__name__)

MOST_SHOWN = 4  # structures of a case in its line
FAR_EXPECTED, FAR_HIGH = 2, 4  # times the volume of the label
AS_INTEGER = 100  # volumes from here on are shown without decimals

Structure = Mapping[str, float | str | None]


def doubt_of(volume: float, high: float, expected: float) -> str:
    """Why the bounds or the expected volume of a structure say little; "" if they say something.

    That is so if the expected volume is less than half or more than twice the volume of the label, if the upper bound
    is more than four times this volume, or if the label is empty and the upper bound is not 0.

    Args:
        volume: volume of the structure's label, in any unit.
        high: the upper bound, in the same unit.
        expected: the sum of the probabilities, in the same unit.
    """
    if volume == 0:
        return "the label is empty, but high is not 0" if high > 0 else ""
    far = {"high": high} if high > FAR_HIGH * volume else {}
    if not volume / FAR_EXPECTED <= expected <= FAR_EXPECTED * volume:
        far["expected"] = expected
    said = ", ".join(f"{name} is {value / volume:.1f} times the volume of the label" for name, value in far.items())
    return said and f"bounds and expected volume say little: {said}"


class ToldVolumes:
    """Tells the volumes of each case in a line, and at the end how many cases have a note on a volume.

    Args:
        calibrated: whether the probabilities come from a calibrator.
    """

    def __init__(self, *, calibrated: bool) -> None:
        self.calibrated = calibrated
        self.noted: dict[str, str] = {}

    def tell(self, case: str, unit: str, structures: Mapping[str, Structure]) -> None:
        """Log the volumes of a case, and keep its first note.

        Args:
            case: the name of the case.
            unit: the key of the volumes, such as "volume_ml".
            structures: the numbers of each structure by name.
        """
        word = unit.rpartition("_")[2]
        shown = [
            f"{name} {_short(numbers[unit])} {word} ({_short(numbers[f'{unit}_low'])} to "
            f"{_short(numbers[f'{unit}_high'])})"
            for name, numbers in list(structures.items())[:MOST_SHOWN]
        ]
        more = len(structures) - len(shown)
        logger.info("%s: %s%s", case, ", ".join(shown), f", and {more} more in the file" if more else "")
        for name, numbers in structures.items():
            if "note" in numbers:
                self.noted.setdefault(case, f"{name}: {numbers['note']}")

    def end(self) -> None:
        """Log how many cases have a note, and that of the first."""
        if self.noted:
            case, note = next(iter(self.noted.items()))
            advice = "look at these images" if self.calibrated else "calibrate the network first (docs/calibrate.md)"
            logger.warning("cases with a note on a volume: %d, first %s, %s; %s", len(self.noted), case, note, advice)


def _short(value: float | str | None) -> str:
    """A volume in three digits, or as an integer."""
    number = float(value or 0)
    return f"{number:.0f}" if number >= AS_INTEGER else f"{number:.3g}"
