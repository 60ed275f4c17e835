"""MONAI's `--tracking mlflow`: it finds the losses and metrics of a training and of an evaluation.

MLflow is not installed here. What MONAI's handler calls of it is recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from driven import Driven
from monai.bundle import run


class Metric(NamedTuple):
    """As `mlflow.entities.Metric`."""

    key: str
    value: Any
    timestamp: int
    step: int


def recording(recorded: list[Metric], ended: list[str]) -> SimpleNamespace:
    """What stands in for the module `mlflow`."""
    experiment = SimpleNamespace(lifecycle_stage="active", experiment_id="0")
    started = SimpleNamespace(info=SimpleNamespace(run_id="0"), data=SimpleNamespace(params={}))
    client = SimpleNamespace(
        tracking_uri="",
        get_experiment_by_name=lambda _name: experiment,
        search_runs=lambda _experiment: [],
        create_run=lambda **_settings: started,
        get_run=lambda _run: started,
        log_batch=lambda metrics, **_others: recorded.extend(metrics),
        log_artifact=lambda _run, _file: None,
        set_terminated=lambda run, _status: ended.append(run),
    )
    entities = SimpleNamespace(
        Metric=Metric,
        Param=lambda key, value: (key, value),
        RunStatus=SimpleNamespace(FINISHED=3, to_string=str),
        LifecycleStage=SimpleNamespace(ACTIVE="active"),
    )
    return SimpleNamespace(MlflowClient=lambda **_settings: client, entities=entities)


def test_losses_and_metrics_of_training_and_evaluation_are_logged(
    bundle_of: Callable[[str], Driven], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven, recorded, ended = bundle_of("hippocampus_nacl"), list[Metric](), list[str]()
    monkeypatch.setattr("monai.handlers.mlflow_handler.mlflow", recording(recorded, ended))
    evaluate = str(driven.root / "configs" / "evaluate.json")
    places = {"bundle_root": str(driven.root), "dataset_dir": str(driven.data), "output_dir": str(tmp_path)}
    places |= {"ckpt_dir": str(tmp_path / "models"), "tracking": "mlflow"}
    run(config_file=driven.train, epochs=2, **places)
    losses = [metric.value for metric in recorded if metric.key == "train_loss"]
    assert len(losses) > 2  # of iterations and epochs
    assert {metric.step for metric in recorded if metric.key == "val_dice_foreground"} == {1, 2}
    assert "val_ece_plausible" in {metric.key for metric in recorded}
    assert ended == ["0"]
    recorded.clear()
    run(config_file=[driven.train, evaluate], figures=False, **places)
    assert {"dice_foreground", "nll_all", "ece_plausible", "hd95_mm"} <= {metric.key for metric in recorded}
    assert all(isinstance(value, float) and math.isfinite(value) for value in losses)
    assert ended == ["0", "0"]  # else the next evaluation or training is added to this run
