"""Post-hoc calibration: fits a calibrator to the predictions of an evaluator."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor

from calib_monai.datalists.splits import patient_of
from calib_monai.handlers.conformal_fits import ConformalFits
from calib_monai.handlers.controls import write_control
from calib_monai.handlers.engine_state import given_of, ignored_label, logits_and_target, logits_of, output_of
from calib_monai.handlers.fit_words import changes, described_region, report_lines, warning_of_cost, warning_of_worse
from calib_monai.handlers.stored_items import StoredItems
from calib_monai.locks import hold, release
from calib_monai.made_for import MadeFor
from calib_monai.metrics.inputs import check_probs, plain
from calib_monai.networks import folders_of
from calib_monai.posthoc import CalibratedNetwork, ForegroundShift, TemperatureScaling, save_calibrator
from calib_monai.posthoc.calibrated_network import calibrator_of
from calib_monai.posthoc.conformal_files import Fitted, conformal_path
from calib_monai.posthoc.errors import errors_of, mean_errors
from calib_monai.posthoc.files import (
    CONTROL,
    MODEL,
    NONE,
    Calibrator,
    CalibratorOrShift,
    calibrator_path,
    fitted_to,
    new_calibrator,
)
from calib_monai.posthoc.report import FEW, FitReport
from calib_monai.regions import region_of
from calib_monai.tensor_checks import check_gives_logits
from calib_monai.whole_files import UNFINISHED, or_null, write_json

ABOUT = (
    "All errors are of the validation cases fitted to. nll_before and nll_after are of the voxels of the region, on "
    "the grid of the network; the others are means over cases, on the grid of an evaluation. NLL is in nats a voxel."
)

logger = logging.getLogger(__name__)


class FitInputs(NamedTuple):
    """What a fit needs to know of its inputs if no `MadeFor` says it, as there is none of saved probabilities.

    Attributes:
        class_names: the names of all classes, background first.
        in_channels: number of channels of the image.
        spatial_dims: of the network: 2 if it sees slices, 3 if it sees volumes.
    """

    class_names: Sequence[str]
    in_channels: int
    spatial_dims: int = 2


class CalibratorFit:
    """Fits a calibrator to the logits of a run of an evaluator, and writes it beside the model.

    The logits are on the network's own grid. They are stored in `ckpt_dir`, whose lock the fit holds, until the end of
    the run, because a fit passes through them several times, one volume at a time. The result of the fit is logged, and
    written to `output_dir` as `calibration_ts.json` or `calibration_lts.json`. The likelihood of the fitted voxels is
    measured on the network's grid, all other errors on the grid of an evaluation. On that grid the scores for
    `calib_monai.posthoc.Conformal` intervals are fitted, too, with the calibrator and without one.

    Args:
        kind: "ts" or "lts"; or "control", for which `calib_monai.posthoc.ForegroundShift` is fitted alone.
        made_for: what the model is made for: classes, channels and axes.
        ckpt_dir: folder of the model, where the calibrator is written.
        output_dir: folder of the report.
        options: for each kind, the arguments of the calibrator's `fit`.
        postprocessing: makes "prob" and "label" from a case with "pred", which holds logits here, as an evaluation does
            before it measures. Without it, errors are measured on the network's grid, and no scores are fitted. The
            cases are those of the evaluator's data set, in order.
        model: name of the file in `ckpt_dir` that it is fitted to.
        region_option: that warnings name, by default that of a bundle.

    Raises:
        ValueError: a kind, a region or an option that is not known, or a value that fitting would refuse.
    """

    def __init__(
        self,
        kind: str,
        made_for: MadeFor | FitInputs,
        ckpt_dir: str,
        output_dir: str,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        postprocessing: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        model: str = MODEL,
        region_option: str = "",
    ) -> None:
        self.calibrator: Calibrator = TemperatureScaling()  # which stays 1 where the control is fitted
        if kind != CONTROL:
            num_classes = len(made_for.class_names)
            self.calibrator = new_calibrator(kind, num_classes, made_for.in_channels, made_for.spatial_dims)
        self.kind = kind
        self.lock = self.lock_of(None)
        self.ckpt_dir = ckpt_dir
        self.folder = Path(output_dir)
        self.options = dict((options or {}).get(kind, {}))
        self.postprocessing = postprocessing
        self.of_network = isinstance(made_for, MadeFor)
        self.structures = list(made_for.class_names)[1:]
        fitted = ForegroundShift() if kind == CONTROL else self.calibrator
        try:
            fitted.check_fit(**self.options)
        except TypeError as error:
            raise ValueError(f"fitting#{kind}: {error}") from None
        except ValueError as error:  # which begins with the option
            raise ValueError(f"fitting#{kind}#{error}") from None
        self.region = region_of(self.options.get("region", "all"))
        self.model = model
        self.region_option = region_option or f"--fitting#{kind}#region"
        self.items: StoredItems | None = None
        self.patients: set[str] = set()
        self.conformal = ConformalFits([NONE, kind])

    def attach(self, engine: Engine) -> None:
        """Keep the predictions of each iteration, and fit at the end of the run."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.fit)

    def lock_of(self, network: object) -> str:
        """The name of the lock of a fit: an ensemble's calibrator lies beside that of its first member."""
        return f"calibration_{self.kind}{'_ensemble' if folders_of(network) else ''}"

    def start(self, engine: Engine) -> None:
        """Prepare a folder for the predictions."""
        network = getattr(engine, "network", None)
        self.lock = self.lock_of(network)
        folders = folders_of(network) or self.ckpt_dir
        written = [path(self.kind, folders).name for path in (calibrator_path, conformal_path)]
        hold(self.ckpt_dir, self.lock, written)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.items = StoredItems(Path(self.ckpt_dir) / f"{UNFINISHED}logits_of_{self.lock}")  # the folder that is held
        self.patients, self.conformal = set(), ConformalFits([NONE, self.kind])

    def update(self, engine: Engine) -> None:
        """Keep the logits, labels and images of this iteration, and note the patients.

        Raises:
            ValueError: the network gives probabilities in place of logits.
        """
        if self.items is not None:
            if self.of_network:
                check_gives_logits(logits_of(engine))
            images = [plain(output_of(engine)["image"])] if self.kind == "lts" else []
            self.items.add(*logits_and_target(engine), *images)
            batch: Any = engine.state.batch
            self.patients |= set(batch.get("patient", batch.get("case", ()))) if isinstance(batch, Mapping) else set()

    def fit(self, engine: Engine) -> None:
        """Fit the calibrator, write it, and log the result.

        Raises:
            ValueError: the predictions do not allow a fit.
        """
        items, self.items = self.items, None
        if items is None:
            return
        try:
            self._fit_to(items, engine)
        finally:
            items.remove()
            release(self.lock)

    def _fit_to(self, items: StoredItems, engine: Engine) -> None:
        """Fit the calibrator or the control to what was kept, write it, and log the result."""
        folders = folders_of(getattr(engine, "network", None)) or self.ckpt_dir
        device: torch.device = engine.state.device  # type: ignore[attr-defined]
        if self.kind == CONTROL:
            control = ForegroundShift().to(device)
            write_control(control, control.fit(items, ignored_label(engine)), folders, self.folder, self.model)
            return
        report = self.calibrator.to(device).fit(items, ignore_index=ignored_label(engine), **self.options)
        report = self._on_measured_grid(report, items, engine)
        before, region = calibrator_path(self.kind, folders), described_region(self.region)
        former = fitted_to(before).region or "unknown"
        replaced = f", replaced is one fitted to {former} voxels" if before.exists() else ""
        patients = len(self.patients) or report.volumes
        if patients < FEW <= report.volumes:  # `report` has warned of fewer volumes
            logger.warning(
                "fitted to %d cases of %d patient(s): what suits fewer than %d may suit no others; fit to more",
                *(report.volumes, patients, FEW),
            )
        path = save_calibrator(self.calibrator, self.kind, folders, region, self.model, patients)
        write_json(self.folder / f"calibration_{self.kind}.json", self._written(report))
        for line in report_lines(report, self.structures, measured_grid=self.postprocessing is not None):
            logger.info("%s: %s", self.kind.upper(), line)
        if not self.region.proper and (costs := changes(report.before, report.after, worse=True)):
            logger.warning(warning_of_cost(self.region_option, report, costs))
        elif self.region.proper and report.after.ece_plausible > report.before.ece_plausible:
            logger.warning(warning_of_worse(self.kind, report))
            if report.region == "all":
                logger.warning("to fit to plausible voxels instead, give %s plausible", self.region_option)
        logger.info("%s is written%s", path, replaced)
        if self.postprocessing is not None:
            self.conformal.write(self.structures, folders, self.model)

    @torch.no_grad()
    def _on_measured_grid(self, report: FitReport, items: StoredItems, engine: Any) -> FitReport:
        """The report with the errors on the grid on which an evaluation measures."""
        if self.postprocessing is None:
            return report
        rows: tuple[list[Tensor], list[Tensor]] = ([], [])
        device, ignore_index = engine.state.device, ignored_label(engine)
        for case, (logits, *_) in zip(engine.data_loader.dataset, items, strict=True):
            calibrated = self.calibrator(logits.to(device), plain(case["image"])[None].to(device))
            for found, kind, scores in zip(rows, (NONE, self.kind), (logits, calibrated), strict=True):
                given = given_of(self.postprocessing({**case, "pred": scores[0]}), ignore_index)
                check_probs(given[0][0].flatten(1), given[0][0])
                found.append(errors_of(*given))
                self.conformal.add(kind, given, patient_of(case))
        before, after = map(mean_errors, rows)
        return replace(report, before=before, after=after)

    def _written(self, report: FitReport) -> dict[str, Any]:
        """The report for a JSON file: each error is called `ERROR_before` and `ERROR_after`."""
        told = asdict(report)
        for when in ("before", "after"):
            errors = told.pop(when)
            volumes = dict(zip(self.structures, map(or_null, errors.pop("volume_errors")), strict=True))
            told |= {f"{name}_{when}": or_null(value) for name, value in errors.items()}
            told[f"volume_errors_{when}"] = volumes
        return {"calibrator": self.kind, **told, "region": described_region(self.region), "about": ABOUT}


class CalibratedLogits:
    """Adds "calibrated_logits" to what an evaluator puts out, of which `ProbsAndLabeld` makes the probabilities.

    Args:
        calibrator: fitted to the logits of the evaluator's network, or what has it: a network or `load_fitted`. A
            single temperature of 1 adds nothing. The control takes the place of the logits, because it changes labels.
    """

    def __init__(self, calibrator: Calibrator | CalibratedNetwork | Fitted) -> None:
        self.calibrator: CalibratorOrShift = (
            calibrator.calibrator if isinstance(calibrator, Fitted) else calibrator_of(calibrator)
        )

    def attach(self, engine: Engine) -> None:
        """Add them after every forward pass, on the device of the evaluator."""
        if isinstance(self.calibrator, TemperatureScaling) and self.calibrator.log_temperature == 0:
            return
        self.calibrator.to(getattr(engine.state, "device", None))
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self)

    @torch.no_grad()
    def __call__(self, engine: Engine) -> None:
        """Add them to this iteration's output."""
        output = output_of(engine)
        name = "pred" if isinstance(self.calibrator, ForegroundShift) else "calibrated_logits"
        output[name] = self.calibrator(logits_of(engine), plain(output["image"]))
