"""The common way: one other way in which nearly all predictions fit their labels better, as in mirrored files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from calib_monai.other_ways import Neighbor, Shift, Way

LEAST_CASES = 5  # by chance, four of them prefer the same one of a dozen ways in fewer than 1 % of the runs
NEARLY_ALL = 0.8  # of the cases, that must prefer the same way
LEAST_GAIN = 0.03  # of the median Dice
ALIKE = 0.02  # a difference of the Dice of two ways that decides nothing


class CommonWay(NamedTuple):
    """Another way, which nearly all cases prefer.

    Attributes:
        way: turned, moved, or beside the label of a neighbor.
        preferring: the number of the cases that prefer it.
        cases: that of the cases that have the way.
        here: the median Dice of these as they are.
        there: the same in the way.
    """

    way: Way
    preferring: int
    cases: int
    here: float
    there: float

    def __str__(self) -> str:
        """What is found, and what may be the cause."""
        better, cause = told(self.way)
        return (
            f"in {self.preferring} of {self.cases} cases the predictions fit {better}, with a median Dice of "
            f"{self.there:.2f} instead of {self.here:.2f}: are the files {cause}?"
        )


def common_way(cases: Sequence[Mapping[Way, float]]) -> CommonWay | None:
    """The other way that nearly all cases prefer, if there are enough of them and their median Dice rises by enough.

    If there are several, it is the one with the highest median Dice. Cases without a right voxel in any way do not
    count.

    Args:
        cases: the Dice of each by way, as `WaysInOrder` gives it; the first way leaves a prediction as it is.
    """
    shown = [dice for dice in cases if max(dice.values()) > 0]
    preferring = Counter(way for dice in shown for way in preferred(dice))
    found = []
    for way, count in preferring.items():
        having = [dice for dice in shown if way in dice] if isinstance(way, Neighbor) else shown
        own = [next(iter(dice.values())) for dice in having]
        there = [dice.get(way, 0.0) for dice in having]
        gain = median(other - here for here, other in zip(own, there, strict=True))
        if len(having) >= LEAST_CASES and count >= NEARLY_ALL * len(having) and gain >= LEAST_GAIN:
            found.append(CommonWay(way, count, len(having), median(own), median(there)))
    return max(found, key=lambda common: common.there, default=None)


def preferred(dice: Mapping[Way, float]) -> list[Way]:
    """The ways in which a case fits best, of those that are clearly better than the first one, as it is."""
    here, best = next(iter(dice.values())), max(dice.values())
    return [way for way, value in dice.items() if value >= best - ALIKE and value > here + ALIKE]


def told(way: Way) -> tuple[str, str]:
    """What predictions fit better in a way, and what may have been done to the files, in words."""
    if isinstance(way, Neighbor):
        return f"the label of {way} better than their own", "renumbered"
    if isinstance(way, Shift):
        return f"the labels better if they are {way}", "shifted"
    return f"the labels better with {way}", "mirrored" if any(way.backwards) else "stored with axes exchanged"
