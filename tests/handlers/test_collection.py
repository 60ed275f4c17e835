"""The handler of a collection: an evaluator's state holds each metric as MONAI's handler would put it there."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, StatsHandler, from_engine

from calib_monai.handlers import IgnoredLabel, MetricCollectionHandler
from calib_monai.metrics import CECEMetric, ECEMetric, NLLMetric
from calib_monai.metrics.calibration import CalibrationMetric

OF_PROBS = from_engine(["prob", "label"])


def metrics() -> dict[str, CalibrationMetric]:
    return {
        "ece_foreground": ECEMetric(region="foreground"),
        "cece_union": CECEMetric(region="union"),
        "nll_all": NLLMetric(region="all"),
    }


def test_the_state_is_that_of_a_handler_for_each(engine: Engine) -> None:
    apart = copy.deepcopy(engine)
    MetricCollectionHandler(metrics(), OF_PROBS).attach(engine, "calibration")
    for name, metric in metrics().items():
        IgniteMetricHandler(metric_fn=metric, output_transform=OF_PROBS).attach(apart, name)
    states: list[Any] = [each.run([1, 2, 3]) for each in (engine, apart)]
    assert list(states[0].metrics.items()) == list(states[1].metrics.items())
    assert all(type(value) is float for value in states[0].metrics.values())
    assert list(states[0].metric_details) == list(states[1].metric_details) == list(metrics())
    for name, values in states[0].metric_details.items():
        assert values.shape[0] == 3
        torch.testing.assert_close(values, states[1].metric_details[name], rtol=0, atol=0)


def test_a_second_run_measures_its_own_images(engine: Engine) -> None:
    MetricCollectionHandler(metrics(), OF_PROBS).attach(engine, "calibration")
    first = dict(engine.run([1, 2]).metrics)
    engine.run([3])
    assert engine.run([1, 2]).metrics == first


def test_each_metric_is_in_the_log(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    MetricCollectionHandler(metrics(), OF_PROBS).attach(engine, "calibration")
    StatsHandler(name="evaluate", iteration_log=False).attach(engine)
    with caplog.at_level(logging.INFO, logger="evaluate"):
        logging.getLogger("evaluate").addHandler(caplog.handler)  # MONAI's logger hands nothing on
        state: Any = engine.run([1])
    assert all(f"{name}: {value:.4f}" in caplog.text for name, value in state.metrics.items())
    assert "calibration" not in state.metrics


def test_it_is_no_key_metric(engine: Engine) -> None:
    engine.state.key_metric_name = "calibration"  # as MONAI says before it attaches the metric
    with pytest.raises(ValueError, match="calibration is a collection and the key metric"):
        MetricCollectionHandler(metrics(), OF_PROBS).attach(engine, "calibration")


def test_what_is_pooled_has_no_value_of_a_case_and_all_say_how_they_were_made(engine: Engine) -> None:
    pooled = {
        "ece_foreground_pooled": ECEMetric(pooled=True, region="foreground"),
        "ece_foreground": ECEMetric(num_bins=10, region="foreground"),
    }
    MetricCollectionHandler(pooled, OF_PROBS).attach(engine, "calibration")
    state: Any = engine.run([1, 2])
    assert list(state.metrics) == ["ece_foreground_pooled", "ece_foreground"]
    assert list(state.metric_details) == ["ece_foreground"]
    assert state.metric_settings == {
        "ece_foreground_pooled": {"region": "foreground", "pooled": True, "debiased": False, "num_bins": 15},
        "ece_foreground": {"region": "foreground", "pooled": False, "debiased": False, "num_bins": 10},
    }


@pytest.mark.parametrize(
    ("name", "metric", "right"),
    [
        ("ece", ECEMetric(region="foreground"), "ece_foreground"),
        ("ece_foreground", ECEMetric(region="boundary"), "ece_boundary"),
        ("ece_foreground", ECEMetric(pooled=True, region="foreground"), "ece_foreground_pooled"),
        ("ece_all", ECEMetric(debiased=True, region="all"), "ece_all_debiased"),
        ("ece_all_pooled", ECEMetric(debiased=True, region="all"), "ece_all_debiased"),
        ("cece_union_pooled", CECEMetric(region="union"), "cece_union"),
        ("ece_foreground", CECEMetric(region="foreground"), "cece_foreground"),
        ("foreground_nll", NLLMetric(region="foreground"), "nll_foreground"),
    ],
)
def test_a_name_that_says_something_else_is_refused(name: str, metric: CalibrationMetric, right: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} is .* its name must say so, as {right}[.] To add it: "):
        MetricCollectionHandler({name: metric}, OF_PROBS)


def test_metrics_come_by_their_names_and_leave_out_the_label_that_the_evaluator_ignores(engine: Engine) -> None:
    named = MetricCollectionHandler(["ece_foreground", "cece_union", "nll_all"], OF_PROBS)
    apart = copy.deepcopy(engine)
    named.attach(engine, "calibration")
    MetricCollectionHandler(metrics(), OF_PROBS).attach(apart, "calibration")
    assert dict(engine.run([1, 2]).metrics) == dict(apart.run([1, 2]).metrics)
    IgnoredLabel(2).attach(engine)
    found: Any = engine.run([1, 2])
    assert found.metrics != apart.state.metrics
    assert found.metric_settings["nll_all"]["ignore_index"] == 2
