"""Comparable: whether a measure may say which of several runs is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from calib_monai.measures import ALWAYS, NEVER, REGION_TITLES, Measure
from calib_monai.regions import REGIONS
from calib_monai.reports.alike import unlike_images, unlike_settings
from calib_monai.reports.runs import Run

MOST_UNLIKE = 1.5  # times as many voxels as another run, up to which errors on them are compared


def not_compared(
    measures: Mapping[str, Measure], runs: Sequence[Run], *, despite_images: bool = False
) -> dict[str, str]:
    """By name the measures that do not say which run is better, and why: no run may be marked or ranked by them.

    Runs cannot be compared if their images were disturbed differently or they measured with other settings. If each
    network chooses the voxels, they are never compared by NLL and Brier score, which depend on how hard the voxels are.
    They are compared by calibration errors only if no run has more than `MOST_UNLIKE` times as many voxels as another.

    Args:
        measures: by name.
        runs: of the same cases.
        despite_images: whether runs are compared although their images were disturbed differently.
    """
    images = "" if despite_images else unlike_images(runs)
    disturbed = f"The images were disturbed differently, so runs are neither marked nor ranked: {images}."
    reasons = {name: disturbed if images else _reason(name, measure, runs) for name, measure in measures.items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(name: str, measure: Measure, runs: Sequence[Run]) -> str:
    """Why runs are not compared by a measure, a sentence; "" where they are."""
    measured = [run for run in runs if name in run.metrics]
    unlike = unlike_settings(name, measured)
    if unlike:
        return f"{measure.title} has different settings and is not compared: {unlike}."
    if measure.compared == ALWAYS or len(measured) < 2:  # noqa: PLR2004 - one has no other
        return ""
    region = next((REGION_TITLES.get(word, word) for word in name.split("_") if word in REGIONS), "own")
    if measure.compared == NEVER:
        return f"NLL and Brier of {region} voxels are not compared: each network chooses its own voxels."
    shares = {run.name: run.share_of(name) for run in measured}
    if any(map(isnan, shares.values())):
        return f"Errors on {region} voxels are not compared: their number was not recorded."
    if max(shares.values()) <= MOST_UNLIKE * min(shares.values()):
        return ""
    told = ", ".join(f"{share:.1%} of all voxels ({run})" for run, share in shares.items())
    return (
        f"Errors on {region} voxels are not compared, because some networks have more than {MOST_UNLIKE} times as many "
        f"such voxels as others: {told}. More easy voxels make an error smaller."
    )
