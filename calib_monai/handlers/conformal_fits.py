"""Conformal fits: writes the scores of validation cases, and tells which intervals they allow."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from calib_monai.conformal import LEVELS, fewest_cases, most_coverage
from calib_monai.posthoc import Conformal, ConformalFit, save_conformal
from calib_monai.posthoc.files import Folders

logger = logging.getLogger(__name__)


def write_conformal(fits: Mapping[str, ConformalFit], structures: Sequence[str], ckpt_dir: Folders, model: str) -> None:
    """Write the scores with each calibrator beside the model, and log what they allow.

    Args:
        fits: by the kind of the calibrator, "none" among them.
        structures: the names of the classes but the background.
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        model: name of the file of the weights.
    """
    for kind, fit in fits.items():
        scores = fit.scores()
        path = save_conformal(scores, kind, ckpt_dir, model)
        logger.info("%s is written: %s", path, _told(Conformal(scores), structures))
    if (cases := scores.shape[1]) < (needed := fewest_cases(LEVELS["coverage"])):
        logger.warning(
            "an interval of a volume that covers %g needs %d validation cases, and there are %d: an inference writes "
            "none. Add validation cases, or lower the level there: %d cases allow --conformal#coverage %g",
            *(LEVELS["coverage"], needed, cases, cases, most_coverage(cases)),
        )


def _told(conformal: Conformal, structures: Sequence[str]) -> str:
    """The intervals of volumes in words."""
    told = [f"{name} {factor:.2f}" for name, factor in zip(structures, conformal.factors, strict=True)]
    return (
        f"from {conformal.cases} cases, the interval that covers {conformal.coverage:g} is the expected volume +- its "
        f"spread times {', '.join(told)}"
    )
