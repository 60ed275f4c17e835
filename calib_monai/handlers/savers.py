"""Writes the results of an evaluation, of each case and over all cases, for the report."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from calib_monai.case_names import case_of
from calib_monai.handlers.earlier import Earlier, about_file, about_models
from calib_monai.handlers.engine_state import items
from calib_monai.handlers.settings import settings_of_metrics, steps_of
from calib_monai.handlers.shapes import SegmentationHandler
from calib_monai.handlers.summaries import aurc_of, column_names, numbers_of_all, summary_of, values_of_cases
from calib_monai.locks import hold, release
from calib_monai.made_for import network_of_model
from calib_monai.measures import measure_from, measure_of
from calib_monai.methods import method_of_model
from calib_monai.networks import folders_of
from calib_monai.posthoc.files import NONE, FittedTo, calibrator_path, digest_of_files, fitted_to
from calib_monai.processes import all_gathered, is_first_process
from calib_monai.reports.cases_file import PATIENT
from calib_monai.reports.structures import failures
from calib_monai.spelling import did_you_mean
from calib_monai.whole_files import write_csv, write_json

EVALUATION = "evaluation"  # the name of its lock
WRITTEN = ("cases.csv", "summary.csv", "summary.json", "bins.json", "logits.json")  # by this and the other savers

logger = logging.getLogger(__name__)


class ResultsSaver:
    """Writes `cases.csv`, with a row for each case, and `summary.json` and `summary.csv`, with values over all cases.

    Columns are named by metric and class, such as `dice_foreground_anterior`. If the patients of the cases are known,
    `cases.csv` has a column `patient`. (MONAI's MetricsSaver calls the first foreground class "class0" if the
    background is left out.)

    Args:
        output_dir: folder of the files.
        class_names: the names of the classes, the background first.
        dataset: name of the data set.
        method: name of the training method; that in the model's own `model.json` wins.
        model: file of the weights, with the calibrator beside it. Their times are noted, so that a report can see
            whether they have changed.
        measures: for metrics that a user has added, the attributes of `calib_monai.measures.Measure` by name, such as
            {"title": "Sensitivity", "more_is_better": true}.
        calibrator: the calibrator of the logits: "none", "ts" or "lts"; or "control".
        overwrite: whether an evaluation with another calibrator may be replaced.
        metrics: the metrics of the evaluator, by name; `summary.json` notes their settings.
        disturbance: the transform that makes the images worse; `summary.json` notes its steps.
        elsewhere: `calib_monai.datalists.elsewhere.OtherData` that are measured, if they are not the test cases of the
            training. `summary.json` notes their part of the split, or where they lie.
    """

    def __init__(
        self,
        output_dir: str,
        class_names: Sequence[str],
        dataset: str,
        method: str,
        model: str,
        measures: Mapping[str, Mapping[str, Any]] | None = None,
        calibrator: str = "none",
        overwrite: bool = False,  # noqa: FBT001, FBT002 - a key in JSON
        metrics: Sequence[Mapping[str, Any] | None] = (),
        disturbance: Any = None,
        elsewhere: Any = None,
    ) -> None:
        self.metrics = metrics
        self.disturbance = disturbance
        self.elsewhere = elsewhere
        self.part = str(getattr(elsewhere, "part", "test"))
        self.overwrite = overwrite
        self.folder = Path(output_dir)
        self.class_names = list(class_names)
        self.dataset = dataset
        self.model = Path(model).resolve()
        self.bundle_method = method
        self.own_measures = {name: measure_from(name, given) for name, given in (measures or {}).items()}
        self.unions = {
            name: list(of) for given in metrics for name, one in (given or {}).items() if (of := _unions(one))
        }
        self.calibrator = calibrator
        self.cases: list[tuple[str, str]] = []  # the name of each, and its patient

    def attach(self, engine: Engine) -> None:
        """Note the cases during a run of an evaluator, and write at its end. Attach it after the other savers.

        The summary of the earlier run is removed before any saver writes, and the new summary is written last. Readers
        look for the summary first, so they never find files of two runs.
        """
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.begin_to_write)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def begin_to_write(self, _engine: Engine) -> None:
        """Remove the summary of the earlier run, and its report, which a run without figures would leave."""
        if is_first_process():
            for file in ("summary.json", "report/report.html"):
                (self.folder / file).unlink(missing_ok=True)

    def start(self, engine: Engine) -> None:
        """Forget the earlier run; its files stay until this run writes its own.

        Raises:
            ValueError: as `check_earlier`.
        """
        network = getattr(engine, "network", None)
        hold(str(self.folder), EVALUATION, WRITTEN)
        self.check_earlier(network)  # in each process, so that none waits for a process that has stopped
        folders = folders_of(network)
        self.cases = []
        of_models = folders or [str(self.model.parent)]
        methods = [method_of_model(folder, self.bundle_method) for folder in of_models]
        self.network = network_of_model(of_models[0])
        self.method = " and ".join(dict.fromkeys(methods))
        models = self._models(network)
        self.files, self.fitted = about_models(models), FittedTo()
        if is_first_process():
            self.files["model"]["weights"] = digest_of_files(models)
        if self.calibrator != NONE:
            path = calibrator_path(self.calibrator, folders or str(self.model.parent))
            self.files["calibrator_file"], self.fitted = about_file(path), fitted_to(path)

    def check_earlier(self, network: object = None) -> None:
        """Raise ValueError if the folder holds an evaluation of another network or calibrator, or of other images.

        It must stay for comparison, unless `overwrite`.

        Args:
            network: of this run. If it is an ensemble, the folder may hold no evaluation of another one.
        """
        if not self.overwrite and (summary := self.folder / "summary.json").is_file():
            earlier = Earlier(summary)
            earlier.check_models(about_models(self._models(network)))
            earlier.check_data((self._elsewhere() or {}).get("test_dir", ""), self.part)
            earlier.check_disturbance(steps_of(self.disturbance))
            earlier.check_calibrator(self.calibrator)

    def update(self, engine: Engine) -> None:
        """Note the names of this iteration's cases.

        Raises:
            ValueError: a prediction of another number of classes than there are names.
        """
        for item in items(engine):
            if len(item["prob"]) != len(self.class_names):
                raise ValueError(f"class_names are {self.class_names}, and the network has {len(item['prob'])} classes")
            self.cases.append((case_of(item), str(item.get("patient", ""))))

    def write(self, engine: Engine) -> None:
        """Write the files for the cases of all processes, and log the structures that failed."""
        cases = all_gathered(self.cases)
        if not is_first_process():
            return
        state: Any = engine.state
        details = values_of_cases(state.metric_details, len(cases))
        columns = {
            name: column_names(name, values, self.class_names, self.unions.get(name))
            for name, values in details.items()
        }
        self._write_cases(cases, details, [column for of_metric in columns.values() for column in of_metric])
        metrics = self._summary(state, details, columns, len(cases))
        self._write_metrics(metrics)
        names = [case for case, _ in cases]
        content = {
            **self.files,
            "dataset": self.dataset if self.elsewhere is None else self.elsewhere.named(self.dataset),
            "part": self.part,
            "trained_on": self.dataset,
            "elsewhere": self._elsewhere(),
            "method": self.method,
            "network": self.network,
            "calibrator": self.calibrator,
            "disturbance": steps_of(self.disturbance),
            "calibrator_region": self.fitted.region,
            "calibrator_patients": self.fitted.patients,
            "class_names": self.class_names,
            "num_cases": len(cases),
            "metrics": metrics,
            "cautions": getattr(state, "cautions", []),
            "aurc": aurc_of(names, details, getattr(state, "mean_confidence", {})),
        }
        write_json(self.folder / "summary.json", content)
        logger.info("the results are in %s", self.folder)
        release(EVALUATION)

    def _write_cases(
        self, cases: Sequence[tuple[str, str]], details: Mapping[str, Tensor], columns: Sequence[str]
    ) -> None:
        """Write `cases.csv`, and warn of structures that failed.

        Args:
            cases: the name of each, and its patient.
            details: the result of `values_of_cases`.
            columns: the names of all columns of values.
        """
        rows = torch.cat(list(details.values()), dim=1).tolist()
        leading: list[tuple[str, ...]] = [("case", PATIENT), *cases]
        if not any(patient for _, patient in cases):
            leading = [(case,) for case, _ in leading]
        lines = [[*first, *row] for first, row in zip(leading, [columns, *rows], strict=True)]
        write_csv(self.folder / "cases.csv", lines)
        values = {case: dict(zip(columns, row, strict=True)) for (case, _), row in zip(cases, rows, strict=True)}
        for line in failures(values, self.class_names):
            logger.warning("%s", line)

    def _summary(
        self, state: Any, details: Mapping[str, Tensor], columns: Mapping[str, Sequence[str]], num_cases: int
    ) -> dict[str, Any]:
        """What `summary.json` says of each metric, by name.

        Args:
            state: of the evaluator.
            details: the result of `values_of_cases`.
            columns: of each metric in `details`, the names of its columns.
            num_cases: number of cases.
        """
        measures = {name: measure_of(name) for name in state.metrics}
        measures |= getattr(state, "measures", {}) | self.own_measures
        self._check_measured(state.metrics)
        settings = settings_of_metrics(self.metrics) | getattr(state, "metric_settings", {})
        voxels = getattr(state, "voxels", {})
        summary = {}
        for name, value in numbers_of_all(state.metrics, details).items():
            measure = measures[name]
            told = summary_of(value, details.get(name), columns.get(name, []), num_cases, counts=measure.counts)
            told |= {"settings": settings[name]} if name in settings else {}
            told |= {"voxels": voxels[name]} if name in voxels else {}
            summary[name] = told | {"measure": asdict(measure)}
        return summary

    def _write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Write `summary.csv`, with a line for each metric, and for each of its structures if there are several."""
        lines: list[list[Any]] = [["measure", "value", "sd", "num_cases"]]
        for name, metric in metrics.items():
            structures = metric["columns"] if len(metric["columns"]) > 1 else {}
            for column, told in {name: metric, **structures}.items():
                lines.append([column, told["value"], told["sd"], told["num_cases"]])
        write_csv(self.folder / "summary.csv", lines)

    def _models(self, network: object) -> list[Path]:
        """The weights of the network, or those of each member of an ensemble."""
        return [Path(folder, self.model.name) for folder in folders_of(network)] or [self.model]

    def _elsewhere(self) -> dict[str, Any] | None:
        """What is noted of other data, None where the test cases of the training are measured."""
        return dict(self.elsewhere.told(self.class_names)) if self.elsewhere else None

    def _check_measured(self, metrics: Mapping[str, Any]) -> None:
        """Warn of a measure that is described but was not measured."""
        for name in self.own_measures.keys() - metrics.keys():
            near = did_you_mean(name, list(metrics))
            logger.warning("measures describes %s, which is not measured%s", name, near)


def _unions(handler: Any) -> Mapping[str, Sequence[int]]:
    """The unions of classes that the handler of a metric measures, by name; none if it measures the classes."""
    return handler.unions if isinstance(handler, SegmentationHandler) else {}
