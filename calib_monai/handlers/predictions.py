"""Outputs of an inference: the maps of each case, and numbers for each structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from torch import Tensor

from calib_monai.arguments import check_number
from calib_monai.case_names import case_of, check_case_name, check_different, names_in
from calib_monai.checks import OUTPUTS, check_outputs
from calib_monai.handlers.earlier import Earlier, about_file, about_models, tell_left
from calib_monai.handlers.engine_state import items
from calib_monai.handlers.passed_over import cases_of, passing_over
from calib_monai.handlers.promises import about_promises, check_margins
from calib_monai.handlers.volume_log import Structure, VolumeLog, doubt_of
from calib_monai.inferers import MEMBER_LABELS
from calib_monai.label_tables import check_label_tables, write_label_tables
from calib_monai.metrics.inputs import plain
from calib_monai.metrics.pairwise_dice import pairwise_dice
from calib_monai.metrics.surfaces import surface
from calib_monai.metrics.volume_error import expected_voxels
from calib_monai.outputs import SaveOutputsd
from calib_monai.posthoc.conformal import Interval
from calib_monai.posthoc.conformal_files import Promises, promises_of
from calib_monai.posthoc.files import Folders, calibrator_path, model_files
from calib_monai.regions import PLAUSIBLE
from calib_monai.whole_files import or_null, write_json

POSSIBLE = 0.05
MM3_PER_ML = 1000
DECIMALS = 4


class PredictionsSaver:
    """Writes the results of each case to `predictions/CASE`: its maps, and its structures in `CASE_structures.json`.

    The structures have their volumes, with conformal intervals if the model has scores for them, and say how sure the
    network is. The files of an earlier inference are removed first, because they may come from another network or hold
    other outputs. Other files in the case's folder stay. Beside label maps, `predictions` gets the names and colors of
    the classes for 3D Slicer and ITK-SNAP (`calib_monai.label_tables`).

    If the folder or a file of one case cannot be written, because of its name, its rights or what is there, the case is
    passed over: the cases of the evaluator note it by their `lose` (`calib_monai.predicted_cases.Inputs`).

    Args:
        output_dir: folder in which `predictions` is made.
        class_names: the names of the classes, the background first.
        outputs: the maps, as in `calib_monai.outputs.SaveOutputsd`.
        probs_dtype: as in `SaveOutputsd`.
        calibrator: the calibrator of the logits: "none", "ts" or "lts".
        uncertain_below: a surface voxel is uncertain if its class has a lower probability.
        overwrite: whether predictions of another network or calibrator, and tables of other classes, may be replaced.
        ckpt_dir: folder of the model and its conformal scores, or those of the members of an ensemble; "" for none.
        conformal: the levels of what is promised, as in `calib_monai.posthoc.load_conformal`.

    Raises:
        ValueError: an unknown output, a wrong level, or scores of another model or other classes.
    """

    def __init__(
        self,
        output_dir: str,
        class_names: Sequence[str],
        outputs: Sequence[str] = ("label", "probs", "confidence"),
        probs_dtype: str = "float32",
        calibrator: str = "none",
        uncertain_below: float = 0.75,
        overwrite: bool = False,  # noqa: FBT001, FBT002 - a key in JSON
        ckpt_dir: Folders = "",
        conformal: Mapping[str, float] | None = None,
    ) -> None:
        check_outputs(outputs, probs_dtype)
        check_number("uncertain_below", uncertain_below, 0, 1)
        self.overwrite = overwrite
        self.folder = Path(output_dir) / "predictions"
        self.save_maps = SaveOutputsd(str(self.folder), outputs, probs_dtype)
        self.writes_labels, self.writes_margins = "label" in outputs, "margin" in outputs
        self.seen: set[str] = set()
        self.lost: set[str] = set()
        self.class_names = list(class_names)
        self.calibrator = calibrator
        self.uncertain_below = uncertain_below
        self.volume_log = VolumeLog(calibrated=calibrator != "none")
        self.promises = Promises(None, None, why_no_margins="no ckpt_dir says where a fit is")
        models = [file for file in model_files(ckpt_dir or []) if file.is_file()]
        self.network = {**(about_models(models) if models else {}), "calibrator": calibrator}
        if models and (fitted := calibrator_path(calibrator, ckpt_dir)).is_file():
            self.network["calibrator_file"] = about_file(fitted)
        if ckpt_dir:
            self.promises = promises_of(calibrator, ckpt_dir, conformal, needed=self.writes_margins)
        if self.writes_margins:
            check_margins(self.promises, self.class_names[1:])

    def attach(self, engine: Engine) -> None:
        """Check at the start of an evaluator, clear before every iteration, write after it, tell doubts at the end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_STARTED, self.clear)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
        engine.add_event_handler(Events.COMPLETED, self.end)

    def start(self, engine: Engine) -> None:
        """Raise ValueError if two cases have one name, or the folder is no folder, or is of another network."""
        self.seen, self.lost = set(), set()
        self.volume_log = VolumeLog(calibrated=self.calibrator != "none")
        cases = cases_of(engine)
        if cases and all(isinstance(case, Mapping) for case in cases):
            check_different(cases)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"nothing can be written to {self.folder}: it is not a folder")
        if not self.overwrite:
            for file in self._written():
                earlier = Earlier(file, "inference")
                earlier.check_calibrator(self.calibrator)
                if "model" in self.network:
                    earlier.check_models(self.network)
            if self.writes_labels:
                check_label_tables(self.folder, self.class_names)

    def end(self) -> None:
        """Tell how many cases have a note on a volume, and which others are of an earlier model."""
        self.volume_log.end()
        tell_left([file for file in self._written() if file.parent.name not in self.seen], self.network)

    def clear(self, engine: Engine) -> None:
        """Remove earlier files of this iteration's cases.

        Raises:
            ValueError: a case whose name would lead out of the folder, or is that of another case of this run; or a
                file that cannot be removed, if the cases cannot note that.
        """
        batch: Any = engine.state.batch
        for case in names_in(batch):
            check_case_name(case)
            if case in self.seen:
                raise ValueError(f'two cases are called {case}: give each a "case" of its own, or files of other names')
            self.seen.add(case)
            with passing_over(engine, case, self.lost):
                for ending in ("structures.json", *(f"{output}.nii.gz" for output in OUTPUTS)):
                    (self.folder / case / f"{case}_{ending}").unlink(missing_ok=True)

    def __call__(self, engine: Engine) -> None:
        """Write the files of this iteration's cases."""
        for item in items(engine):
            case = case_of(item)
            if case not in self.lost:
                self._write(case, item, engine)
        if self.writes_labels:
            write_label_tables(self.folder, self.class_names, overwrite=self.overwrite)

    def _write(self, case: str, item: Mapping[str, Any], engine: Engine) -> None:
        """Write the maps and the structures of a case, and log its volumes."""
        probs, (unit, size) = plain(item["prob"]).cpu(), _unit(item["pred"])
        structures = self._structures(probs, plain(item["pred"])[0].cpu(), unit, size)
        intervals, margins = self.promises[:2]
        note = getattr(cases_of(engine), "notes", {}).get(case)
        content = {
            "case": case,
            **({"note": note} if note else {}),
            **self.network,
            **about_promises(self.promises, self.class_names[1:]),
            "expected": f"sum of the probabilities from {PLAUSIBLE} on",
            "uncertain_below": self.uncertain_below,
            "structures": structures,
        }
        if MEMBER_LABELS in item:
            agreement = pairwise_dice(item[MEMBER_LABELS]).item()
            content["pairwise_dice"] = or_null(round(agreement, DECIMALS))
        masks = {"margin": _like(item["pred"], margins.masks(probs))} if margins and self.writes_margins else {}
        with passing_over(engine, case, self.lost):
            self.save_maps({**item, **masks})
            write_json(self.folder / case / f"{case}_structures.json", content)
            self.volume_log.tell(case, unit, structures, intervals.coverage if intervals else None)

    def _structures(self, probs: Tensor, label: Tensor, unit: str, size: float) -> dict[str, Structure]:
        """The numbers of each structure of a case, by name; arguments as in `structure`, of all classes."""
        names = self.class_names[1:]
        intervals, margins = self.promises[:2]
        ends = intervals.intervals(probs) if intervals else [None] * len(names)
        voxels = margins.sizes(probs) if margins else [None] * len(names)
        return {
            name: structure(probs[k], label == k, unit, size, self.uncertain_below, interval, margin)
            for k, (name, interval, margin) in enumerate(zip(names, ends, voxels, strict=True), start=1)
        }

    def _written(self) -> list[Path]:
        """The files of structures in the folder."""
        return sorted(self.folder.glob("*/*_structures.json"))


def structure(
    probs: Tensor,
    inside: Tensor,
    unit: str,
    size: float,
    uncertain_below: float,
    interval: Interval | None = None,
    margin: int | None = None,
) -> Structure:
    """The numbers of one structure; numbers that need a predicted structure are None if there is none.

    Expected is the volume of `calib_monai.metrics.expected_voxels`. A "note" has the doubt of
    `calib_monai.handlers.volume_log.doubt_of`.

    Args:
        probs: probability of the structure, (H, W[, D]).
        inside: the voxels that are predicted as the structure, (H, W[, D]), bool.
        unit: the unit of volumes, such as "volume_ml".
        size: size of a voxel in this unit.
        uncertain_below: a surface voxel is uncertain if its probability is lower.
        interval: the conformal interval of its volume in voxels, None if there is none.
        margin: number of voxels in its margin, None if there is none.
    """
    values, mask = probs.numpy(), inside.numpy()  # NumPy's selections need less memory than PyTorch's
    there = bool(mask.any())
    edge = surface(mask) if there else mask
    expected = size * expected_voxels(probs)
    told: dict[str, float | None] = {
        unit: size * int(mask.sum()),
        f"{unit}_expected": expected,
        "mean_confidence": float(values[mask].mean(dtype=np.float64)) if there else None,
        "uncertain_surface": float((values[edge] < uncertain_below).mean()) if there else None,
    }
    rounded: dict[str, float | list[float] | str | None] = {
        name: None if value is None else round(value, DECIMALS) for name, value in told.items()
    }
    if interval is not None:
        rounded[f"{unit}_interval"] = [round(size * end, DECIMALS) for end in interval]
    if margin is not None:
        rounded[f"{unit}_margin"] = round(size * margin, DECIMALS)
    possible = size * int((values > POSSIBLE).sum())
    if note := doubt_of(size * int(mask.sum()), possible, expected, unit.partition("_")[0]):
        rounded["note"] = note
    return rounded


def _like(image: Tensor, masks: Tensor) -> Tensor:
    """Masks as bytes, (C - 1, H, W[, D]), in the place of an image."""
    return MetaTensor(masks.byte(), meta=image.meta) if isinstance(image, MetaTensor) else masks.byte()


def _unit(image: Tensor) -> tuple[str, float]:
    """The unit of volumes of an image (1, H, W[, D]), and the volume of a voxel in this unit."""
    if image.ndim == 3 or not isinstance(image, MetaTensor):  # noqa: PLR2004 - a picture, whose scale nobody knows
        return ("area_pixels" if image.ndim == 3 else "volume_voxels"), 1.0  # noqa: PLR2004
    return "volume_ml", float(abs(np.linalg.det(image.affine.cpu().numpy()[:3, :3]))) / MM3_PER_ML
