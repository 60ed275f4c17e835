"""Measures: title, unit and direction of the numbers of a metric, for reports and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import inf, isnan
from typing import Any

from calib_monai.regions import REGIONS, Everywhere, Foreground

NOT_MEASURED = "-"
MOST_DECIMALS = 15
EXACT = 9  # decimals of a value times its factor; what lies behind them is of the computer
OF_MEAN_COUNTS = 2  # decimals, so that one structure missed in several trainings is not shown as 0
ROUNDING = 1e-6  # by which a float32 may be beyond a limit
PER_1000 = 1000.0  # NLL and Brier over all voxels are small, because nearly all voxels are certain
ALWAYS, ALIKE, NEVER = "always", "alike", "never"  # of `Measure.compared`


@dataclass(frozen=True)
class Measure:
    """Title, unit and direction of the numbers of a metric.

    Attributes:
        title: title in a table.
        decimals: number of decimals that are shown.
        more_is_better: whether a higher value is better. If None, no value is marked as best, and none is ranked.
        counts: whether the value is a count over all cases; otherwise it is an average over cases.
        proper: for a measure of probabilities, whether its region is defined without the label
            (`calib_monai.regions.Region`); None for other measures.
        factor: the factor by which a shown value is multiplied.
        compared: whether it says which of two networks is better. "always" if both are measured on the same voxels. If
            each network chooses its voxels, "alike" (only if these are about equally many) or "never".
        tells_missed: whether its value of a case tells that a structure was missed or invented: a count above 0, or an
            average of 0.
    """

    title: str
    decimals: int = 3
    more_is_better: bool | None = False
    counts: bool = False
    proper: bool | None = None
    factor: float = 1.0
    compared: str = ALWAYS
    tells_missed: bool = False

    def shown(self, value: float, sign: str = "") -> str:
        """A value as text, "-" if it was not measured. With `sign` "+" every value has a sign, for differences."""
        return NOT_MEASURED if isnan(value) else f"{self._in_units(value):{sign}.{self._decimals_of(value)}f}"

    def rounded(self, values: Sequence[float]) -> list[float]:
        """Values rounded as they are shown, so that values that look equal are equal."""
        return [round(self._in_units(value), self._decimals_of(value)) for value in values]

    def _in_units(self, value: float) -> float:
        """A value times the factor: 1000 times 0.03945 is 39.45, and not a little less."""
        return round(value * self.factor, EXACT)

    def _decimals_of(self, value: float) -> int:
        """The number of decimals of a value: a count that is not whole, as a mean over trainings, has two or more."""
        whole = not self.counts or round(float(value * self.factor), MOST_DECIMALS // 2).is_integer()
        return self.decimals if whole else max(self.decimals, OF_MEAN_COUNTS)


TYPES: dict[str, tuple[type, ...]] = {
    "title": (str,),
    "decimals": (int,),
    "more_is_better": (bool, type(None)),
    "counts": (bool,),
    "proper": (bool, type(None)),
    "factor": (float, int),
    "compared": (str,),
    "tells_missed": (bool,),
}  # of the attributes of a measure
REGION_TITLES = {Foreground.name: "label foreground", Everywhere.name: "all voxels"}  # the others are their own
DISTANCES = ("hd95", "asd")  # first words of their names
COVERED, WIDTH = "covered_volumes", "interval_width"  # of conformal intervals
MISSED, SIZE = "miss_rate_margin", "margin_size"  # of margins
PROMISED = (COVERED, WIDTH, MISSED, SIZE)  # measured only if a calibration came before and had enough cases
LIMITS = {
    **dict.fromkeys((*DISTANCES, "nll", "interval", "margin"), (0.0, inf)),
    **dict.fromkeys(("dice", "ece", "cece", "tace", "covered", "miss"), (0.0, 1.0)),
    "brier": (0.0, 2.0),
}  # of the values of a case, by the first word of a name
KINDS = {"ece": "ECE", "cece": "CECE", "tace": "TACE", "brier": "Brier", "nll": "NLL"}
SCORES, ERRORS = (KINDS["nll"], KINDS["brier"]), (KINDS["ece"], KINDS["cece"], KINDS["tace"])
MEASURES = {
    "dice_foreground": Measure("Dice", more_is_better=True, tells_missed=True),
    "expected_dice": Measure("Dice, expected", more_is_better=None),
    "pairwise_dice": Measure("Dice between members", more_is_better=None),
    "hd95_mm": Measure("HD95 (mm)", 2),
    "asd_mm": Measure("ASD (mm)", 2),
    "hd95_pixels": Measure("HD95 (pixels)", 1),
    "asd_pixels": Measure("ASD (pixels)", 1),
    "hd95_voxels": Measure("HD95 (voxels)", 2),
    "dice_regions": Measure("Dice, regions", more_is_better=True, tells_missed=True),
    "hd95_mm_regions": Measure("HD95, regions (mm)", 2),
    "hd95_voxels_regions": Measure("HD95, regions (voxels)", 2),
    "volume_difference": Measure("volume difference (%)", 1, more_is_better=None, factor=100.0),
    COVERED: Measure("volumes in their interval (%)", 1, more_is_better=None, factor=100.0),
    WIDTH: Measure("width of the interval (% of the volume)", 1, more_is_better=None, factor=100.0),
    MISSED: Measure("missed by the margin (%)", 1, more_is_better=None, factor=100.0),
    SIZE: Measure("size of the margin (% of the volume)", 1, more_is_better=None, factor=100.0),
    "missed_structures": Measure("missed structures", 0, counts=True, tells_missed=True),
}  # of shapes; those of probabilities are named by kind and region


def measure_of(name: str) -> Measure:
    """The measure of a metric by its name, such as "dice_foreground", "ece_plausible" or "tace_foreground_0.01".

    An unknown name is its own title, and its direction is not known.
    """
    if name in MEASURES:
        return MEASURES[name]
    if _is_of_probabilities(name):
        kind, *words = name.split("_")
        return measure_of_probabilities(KINDS[kind], words)
    return Measure(name.replace("_", " "), more_is_better=None)


def _is_of_probabilities(name: str) -> bool:
    """Whether the name of a metric has a kind and a region."""
    kind, *words = name.split("_")
    return kind in KINDS and any(word in REGIONS for word in words)


def is_of_cases(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a metric is one of this package whose value is the mean of its values of the cases, or a count their sum.

    The value of a pooled or debiased error is that of all cases together. A metric of somebody else may be anything.

    Args:
        name: of the metric.
        settings: of the metric; MONAI's may have another reduction than the mean.
    """
    known = (name in MEASURES and name not in PROMISED) or _is_of_probabilities(name)
    usual = settings.get("reduction") in (None, "mean", "mean_batch")
    return known and usual and not {"pooled", "debiased"} & set(name.split("_"))


def is_distance(name: str) -> bool:
    """Whether a metric of this name is a distance, which has no value where prediction and label are both empty."""
    return name.split("_", maxsplit=1)[0] in DISTANCES


def limits_of(name: str) -> tuple[float, float]:
    """Between what the values of a metric of this name must lie; infinite where that is not known."""
    least, most = LIMITS.get(name.removeprefix("expected_").removeprefix("pairwise_").split("_")[0], (-inf, inf))
    return (-most if "debiased" in name else least), most  # what chance adds may be more than there is


def check_limits(name: str, value: float | None, place: str = "") -> None:
    """Raise ValueError if a metric of this package cannot have this value; one of somebody else may have any.

    Args:
        name: of the metric.
        value: None where it has none.
        place: where the value is, for the message; by default the name.
    """
    least, most = limits_of(name)
    if (
        value is not None
        and (name in MEASURES or _is_of_probabilities(name))
        and not least - ROUNDING <= value <= most + ROUNDING
    ):
        raise ValueError(f"{place or name} is {value:g}; it must lie between {least:g} and {most:g}")


def measure_of_probabilities(title: str, words: Sequence[str], *, more_is_better: bool | None = False) -> Measure:
    """The measure of a metric on a region.

    Args:
        title: the title of the metric.
        words: the region's name and further words of the metric's name: "pooled", "0.01".
        more_is_better: as in `Measure`.
    """
    [region] = [REGIONS[word] for word in words if word in REGIONS]
    score, of_network = title in SCORES, region.of_network
    told = [REGION_TITLES.get(word, word) for word in words if not (score and word == Everywhere.name)]
    return Measure(
        ", ".join([f"{title} (per 1000 voxels)" if score else title, *told]),
        1 if score else 3,
        more_is_better=more_is_better,
        proper=region.proper,
        factor=PER_1000 if score else 1.0,
        compared=(ALIKE if title in ERRORS else NEVER) if of_network else ALWAYS,
    )


def measure_from(name: str, attributes: Mapping[str, Any]) -> Measure:
    """A measure of its attributes, as `dataclasses.asdict` gives them.

    If `compared` or `tells_missed` is not among them, it is that of a known metric of this name.

    Raises:
        ValueError: attributes that a measure has not, of another type, or no title.
    """
    known = [field.name for field in fields(Measure)]
    if not isinstance(attributes, Mapping) or "title" not in attributes or attributes.keys() - set(known):
        raise ValueError(f"measure {name} is {attributes!r}; it must have a title and may have {', '.join(known[1:])}")
    for attribute, value in attributes.items():
        if type(value) not in TYPES[attribute]:
            types = " or ".join("None" if one is type(None) else one.__name__ for one in TYPES[attribute])
            raise ValueError(f"measure {name} has {attribute} {value!r}; it must be {types}")
    by_name = {key: getattr(measure_of(name), key) for key in ("compared", "tells_missed")}
    measure = Measure(**{**by_name, **attributes})
    for attribute, holds, rule in (
        ("title", bool(measure.title.strip()), "a word"),
        ("decimals", 0 <= measure.decimals <= MOST_DECIMALS, f"0 to {MOST_DECIMALS}"),
        ("factor", 0 < measure.factor < inf, "finite and above 0"),
        ("compared", measure.compared in (ALWAYS, ALIKE, NEVER), f"{ALWAYS}, {ALIKE} or {NEVER}"),
    ):
        if not holds:
            raise ValueError(f"measure {name} has {attribute} {getattr(measure, attribute)!r}; it must be {rule}")
    return measure


def check_measures(measures: Any) -> None:
    """Raise ValueError if measures, by the names of metrics, are not such as `measure_from` takes."""
    if not isinstance(measures, Mapping):
        example = "{'sensitivity': {'title': 'Sensitivity', 'more_is_better': True}}"
        raise ValueError(f"measures is {measures!r}; it must be a dictionary, as {example}")  # noqa: TRY004 - of a setting
    for name, attributes in measures.items():
        measure_from(str(name), attributes)
