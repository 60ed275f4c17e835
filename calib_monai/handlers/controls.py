"""The control of a model: what is written and told of the constant that was chosen for its foreground's logits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from calib_monai.posthoc import ForegroundShift, save_calibrator
from calib_monai.posthoc.control import RULE, ControlReport, Shifted
from calib_monai.posthoc.files import CONTROL, Folders
from calib_monai.whole_files import or_null, write_json

ABOUT = (
    "The constant is added to the logits of all foreground classes. This is no method: it shows what the papers' ECE "
    "is worth. All values are means over validation cases, on the grid of the network. NLL is in nats a voxel."
)

logger = logging.getLogger(__name__)


def write_control(
    control: ForegroundShift, report: ControlReport, ckpt_dir: Folders, output_dir: Path, model: str
) -> None:
    """Write the control beside its model, and to `output_dir` what each constant gave; log what it costs.

    Args:
        control: that was fitted.
        report: of the fit.
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        output_dir: folder of the report.
        model: name of the file of the weights.
    """
    path = save_calibrator(control, CONTROL, ckpt_dir, model=model)
    write_json(
        output_dir / f"calibration_{CONTROL}.json",
        {
            "calibrator": CONTROL,
            "rule": RULE,
            "constant": report.chosen.constant,
            "volumes": report.volumes,
            "tried": [_written(one) for one in report.tried],
            "about": ABOUT,
        },
    )
    before, after = report.before, report.chosen
    logger.info("CONTROL: %+g is added to the foreground's logits: %s", after.constant, RULE)
    logger.info(
        "CONTROL: ECE of label foreground %.3f -> %.3f, Dice %.3f -> %.3f, NLL of all voxels %.3g -> %.3g per 1000, "
        "error of the expected volume %.1f %% -> %.1f %%",
        *(before.errors.ece_foreground, after.errors.ece_foreground, before.dice, after.dice),
        *(1000 * before.errors.nll_all, 1000 * after.errors.nll_all),
        *(100 * before.errors.volume_error(), 100 * after.errors.volume_error()),
    )
    logger.info("%s is written, for --calibrator %s of an evaluation", path, CONTROL)


def _written(one: Shifted) -> dict[str, Any]:
    """What a constant gave, for a JSON file."""
    values = {
        "dice_foreground": one.dice,
        "ece_foreground": one.errors.ece_foreground,
        "nll_all": one.errors.nll_all,
        "volume_error": one.errors.volume_error(),
    }
    return {"constant": one.constant} | {name: or_null(value) for name, value in values.items()}
