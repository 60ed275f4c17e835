"""What the log of an inference tells of volumes: a line for each case, and one for those with a note."""

from __future__ import annotations

import logging
from collections.abc import Mapping

logger = logging.getLogger(__name__)

MOST_SHOWN = 4  # structures of a case in its line
FAR_EXPECTED, FAR_POSSIBLE = 2, 4  # times the volume of the label
AS_INTEGER = 100  # volumes from here on are shown without decimals

Structure = Mapping[str, float | list[float] | str | None]


def doubt_of(volume: float, possible: float, expected: float, called: str = "volume") -> str:
    """Why the expected volume of a structure says little; "" if it says something.

    There are three reasons. The expected volume is less than half or more than twice the volume of the label. The
    possible volume is more than four times the volume of the label. The label is empty, and a volume is possible.

    Args:
        volume: volume of the structure's label, in any unit.
        possible: volume of the voxels with a probability above 0.05, in the same unit.
        expected: the sum of the probabilities, in the same unit.
        called: "volume", or "area" of a picture.
    """
    if volume == 0:
        return "the label is empty, but some voxels have a probability above 0.05" if possible > 0 else ""
    far = {f"the {called} with a probability above 0.05": possible} if possible > FAR_POSSIBLE * volume else {}
    if not volume / FAR_EXPECTED <= expected <= FAR_EXPECTED * volume:
        far[f"the expected {called}"] = expected
    return ", ".join(f"{name} is {value / volume:.1f} times the {called} of the label" for name, value in far.items())


class VolumeLog:
    """Tells the volumes of each case in a line, and at the end how many cases have a note on a volume.

    Args:
        calibrated: whether the probabilities come from a calibrator.
    """

    def __init__(self, *, calibrated: bool) -> None:
        self.calibrated = calibrated
        self.noted: dict[str, str] = {}
        self.called = "volume"

    def tell(self, case: str, unit: str, structures: Mapping[str, Structure], coverage: float | None = None) -> None:
        """Log the volumes of a case, and keep its first note.

        Args:
            case: the name of the case.
            unit: the key of the volumes, such as "volume_ml".
            structures: the numbers of each structure by name.
            coverage: the share of cases whose interval holds the true volume; None without intervals.
        """
        self.called, _, word = unit.partition("_")
        held = "" if coverage is None else f"true {self.called} in {100 * coverage:g} %: "
        shown = [
            f"{name} {_short(numbers[unit])} {word}{_in_brackets(held, numbers.get(f'{unit}_interval'))}"
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
            told = f"cases with a note on {'an' if self.called == 'area' else 'a'} {self.called}: {len(self.noted)}"
            logger.warning("%s, first %s, %s; %s", told, case, note, advice)


def _in_brackets(held: str, interval: object) -> str:
    """An interval in brackets after what it holds, "" without one."""
    return f" ({held}{' to '.join(map(_short, interval))})" if isinstance(interval, list) else ""


def _short(value: object) -> str:
    """A volume in three digits, or as an integer."""
    number = value if isinstance(value, int | float) else 0.0
    return f"{number:.0f}" if number >= AS_INTEGER else f"{number:.3g}"
