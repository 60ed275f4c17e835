"""Sentences: what each measure says, in which unit, and which direction is better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calib_monai.measures import KINDS, MEASURES, Measure
from calib_monai.regions import PLAUSIBLE, REGIONS, Band

SHAPES = {
    "dice_foreground": "How much predicted structures overlap with the label's: 0 is not at all, 1 is the same shape.",
    "dice_regions": "The overlap, as Dice, of regions that join several structures.",
    "expected_dice": "The Dice that the probabilities expect without the label. It should be close to the Dice. A "
    "larger one says that the network is overconfident, or that its voxels err together.",
    "pairwise_dice": "The Dice between the segmentations of each pair of members of an ensemble, without the label. A "
    "lower one says that the members disagree.",
    "hd95": "How far the predicted border lies from the label's at its worst: 95 % of the border lies closer.",
    "hd95_regions": "How far the border of regions that join several structures lies from the label's where it is "
    "worst: 95 % of it lies closer.",
    "asd": "How far the predicted border lies from the label's on average.",
    "volume_difference": "How much larger (+) or smaller (-) predicted structures are than the label's. Structures "
    "that are too small and too large cancel in this mean.",
    "covered_volumes": "How often the conformal interval of a volume holds the label's. This should be close to the "
    "promised coverage.",
    "interval_width": "How wide the conformal interval of a volume is.",
    "miss_rate_margin": "How much of a structure lies outside of its margin. On average this should be at most the "
    "promised miss rate.",
    "margin_size": "How large the margin of a structure is.",
    "missed_structures": "How many structures were missed, invented or hardly touched, in all cases together.",
}
PROBABILITIES = {
    "nll": "How little probability the network gave to the truth {where}. To be sure and wrong costs most.",
    "brier": "How far the probabilities lie from the truth {where}, as a squared distance.",
    "ece": "How far the confidence lies from the accuracy (the share that is right) {where}.",
    "cece": "How far the probability of a class lies from the share that is of this class {where}, mean over the "
    "classes.",
    "tace": "How far the probability of a class lies from the share that is of this class {where}, in {groups}.",
}
GROUPS = {True: "groups of equally many voxels", False: "bins of equal width"}  # of TACE
UNITS = {
    **dict.fromkeys(("ece", "cece", "tace", "dice", "expected", "pairwise"), "0 to 1"),
    "nll": "In nats per 1000 voxels",
    "brier": "0 to 2000 per 1000 voxels",
    "missed": "0, 1, 2 and so on",
    **dict.fromkeys(("volume", "interval", "margin"), "In % of the label's volume"),
    "miss": "In % of the label's voxels",
    "covered": "In % of the cases",
}
EXAMPLE = "For example, 0.05: the network says 90 % where 85 % or 95 % are right."
WHERE = {
    "all": "in all voxels",
    "plausible": "where the network gives the foreground at least {at_least:.2g} %",
    "band": "within {width} voxels of the predicted structures",
    "foreground": "where the label is foreground",
    "union": "where the label or the prediction is foreground",
    "boundary": "where the label changes from voxel to voxel",
}
TOGETHER = {
    "pooled": "Measured on the voxels of all cases together.",
    "debiased": "Measured on all cases together, without the error of chance; a small error is reported too small.",
}
IMPROPER = "The label chooses these voxels, so even exact probabilities look wrong: use it only to compare with papers."
OWN = "A measure that you added to the evaluation."
DIRECTIONS = {True: "more is better", False: "less is better", None: "which direction is better is not known"}


def where_of(region: str, settings: Mapping[str, Any] | None = None) -> str:
    """The voxels of a region in words.

    Args:
        region: its name, which may be that of a region of one's own.
        settings: of a metric, which may have `at_least` or `width` of the region.
    """
    options = {"at_least": PLAUSIBLE, "width": Band.width, **(settings or {})}
    return WHERE.get(region, f"in the voxels of {region}").format(
        at_least=100 * float(options["at_least"]), width=options["width"]
    )


def sentence_of(name: str, measure: Measure, settings: Mapping[str, Any] | None = None) -> str:
    """What a measure says, its unit and its direction, in plain sentences.

    Args:
        name: the name of the metric, such as "ece_plausible".
        measure: of this name.
        settings: as in `where_of`; of TACE, whether its bins are `adaptive`.

    Examples:
        >>> sentence_of("asd_mm", MEASURES["asd_mm"])
        "How far the predicted border lies from the label's on average. In mm, less is better."
    """
    kind, *words = name.split("_")
    region = next((word for word in words if word in REGIONS), "")
    length = next((word for word in words if word in ("mm", "pixels", "voxels")), "")
    if name in MEASURES:
        said = [SHAPES[name.replace(f"_{length}", "") if length else name]]
    elif kind in KINDS and region:
        groups = GROUPS[(settings or {}).get("adaptive", True)]
        said = [PROBABILITIES[kind].format(where=where_of(region, settings), groups=groups)]
        together = [sentence for word, sentence in TOGETHER.items() if word in words]
        said += together or [EXAMPLE] * (kind == "ece")
        said += [] if REGIONS[region].proper else [IMPROPER]
    else:
        direction = DIRECTIONS[measure.more_is_better]
        return f"{OWN} {direction[0].upper()}{direction[1:]}."
    unit = f"In {length}" if length else UNITS[kind]
    if measure.more_is_better is None:
        return " ".join([*said, f"{unit}."])
    return " ".join([*said, f"{unit}, {DIRECTIONS[measure.more_is_better]}."])
