"""Promises of an inference: what its files say of intervals and margins, and whether a margin can be written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from calib_monai.conformal import fewest_for_miss_rate
from calib_monai.posthoc.conformal_files import Promises

logger = logging.getLogger(__name__)


def check_margins(promises: Promises, structures: Sequence[str]) -> None:
    """Raise ValueError, with the reason, if no margin can be written.

    A warning names structures of which some have a margin and these have none.

    Args:
        promises: of the model.
        structures: the names of the classes but the background.
    """
    margins = promises.margins
    if margins is None:
        raise ValueError(f"outputs name margin, and {promises.why_no_margins}; see docs/conformal.md")
    for name, patients, promised in zip(structures, margins.counts, margins.promised, strict=True):
        if not promised:
            logger.warning(
                "the margin of %s holds every voxel: a miss_rate of %g needs %d validation patients that show it, and "
                "the fit had %d",
                *(name, margins.miss_rate, fewest_for_miss_rate(margins.miss_rate), patients),
            )


def about_promises(promises: Promises, structures: Sequence[str]) -> dict[str, Any]:
    """What a file of structures says of its intervals and margins; None for what is not promised, and why.

    Args:
        promises: of the model.
        structures: the names of the classes but the background.
    """
    intervals, margins, why, _ = promises
    of_intervals = intervals and {
        "coverage": intervals.coverage,
        "validation_patients": intervals.patients,
        "about": "holds the true volume in this share of new patients like those of validation; see docs/conformal.md",
    }
    of_margins = margins and {
        "miss_rate": margins.miss_rate,
        "validation_patients": dict(zip(structures, margins.counts, strict=True)),
        "thresholds": dict(zip(structures, margins.thresholds, strict=True)),
        "about": "misses at most this share of a structure, on average over new patients like those of validation",
    }
    return {"interval": of_intervals, **({"why_no_interval": why} if why else {}), "margin": of_margins}
