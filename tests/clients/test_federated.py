"""MONAI's client of federated learning: it drives trainer and evaluator of a bundle, round after round.

`MonaiAlgo` initializes each workflow twice, sets `bundle_root` and `max_epochs`, hands over `run_name`, and calls
`trainer.run()` and `evaluator.run()`, never `run`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from driven import QUICK, Driven
from monai.fl.client import MonaiAlgo
from monai.fl.utils.constants import ExtraItems, FlStatistics, ModelType
from monai.fl.utils.exchange_object import ExchangeObject

pytestmark = pytest.mark.filterwarnings("ignore:executing the bundle config")


def options(driven: Driven, out: Path) -> dict[str, Any]:
    places = {"dataset_dir": str(driven.data), "ckpt_dir": str(out / "models"), "output_dir": str(out)}
    return places | {"slice_size": QUICK["slice_size"]}


def test_two_rounds_train_evaluate_and_send_weights(driven: Driven, tmp_path: Path) -> None:
    given = options(driven, tmp_path)
    algo = MonaiAlgo(
        bundle_root=driven.root.name,
        send_weight_diff=False,
        train_kwargs=given | QUICK,
        eval_kwargs=given | {"figures": False},
    )
    algo.initialize({ExtraItems.CLIENT_NAME: "site", ExtraItems.APP_ROOT: str(driven.root.parent)})
    weights = torch.load(driven.root / "models" / "model.pt", weights_only=True)
    for number in (1, 2):
        algo.train(ExchangeObject(weights=weights))
        sent = algo.get_weights()
        assert sent.statistics[FlStatistics.NUM_EXECUTED_ITERATIONS] > 0
        assert any(not torch.equal(weights[name], value) for name, value in sent.weights.items())
        weights = {name: value.clone() for name, value in sent.weights.items()}
        metrics = algo.evaluate(ExchangeObject(weights=weights)).metrics
        assert math.isfinite(metrics["dice_foreground"])
        assert math.isfinite(metrics["ece_plausible"])
        assert algo.trainer.state.epoch == number
        measured = algo.evaluator.network.state_dict()
        assert all(torch.equal(weights[name], value.cpu()) for name, value in measured.items())  # not those of a file
    best = algo.get_weights({ExtraItems.MODEL_TYPE: ModelType.BEST_MODEL})  # of the bundle: where it came from
    assert best.weights.keys() == weights.keys()
    algo.finalize()


def test_another_job_replaces_the_files_of_an_earlier_one_only_where_that_is_asked_for(
    bundle_of: Callable[[str], Driven], tmp_path: Path
) -> None:
    driven = bundle_of("hippocampus_nacl")
    weights = torch.load(driven.root / "models" / "model.pt", weights_only=True)

    def job(**given: object) -> None:
        every = options(driven, tmp_path) | QUICK | given
        algo = MonaiAlgo(driven.root.name, config_evaluate_filename=None, train_kwargs=every)
        algo.initialize({ExtraItems.APP_ROOT: str(driven.root.parent)})
        algo.train(ExchangeObject(weights=weights))

    job()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "models").glob("*.pt")}
    with pytest.raises(ValueError, match=r"of an earlier training: .*by --overwrite True"):
        job()
    with pytest.raises(ValueError, match=r"^resume is True, .* only `run` resumes"):
        job(resume=True)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "models").glob("*.pt")} == kept
    job(overwrite=True)
