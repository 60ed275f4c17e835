"""Metrics by name: a name makes the metric that it says, or is refused with the nearest one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from calib_monai.metrics import BrierMetric, CECEMetric, ECEMetric, NLLMetric, TACEMetric, metric_by_name
from calib_monai.metrics.by_name import metrics_by_name
from calib_monai.regions import Plausible


@pytest.mark.parametrize(
    ("name", "options", "kind", "settings"),
    [
        ("nll_all", {}, NLLMetric, {"region": "all", "pooled": False}),
        ("brier_foreground", {}, BrierMetric, {"region": "foreground", "pooled": False}),
        ("ece_plausible_pooled", {}, ECEMetric, {"region": "plausible", "pooled": True, "num_bins": 15}),
        ("cece_union_debiased", {}, CECEMetric, {"region": "union", "pooled": False, "debiased": True}),
        ("val_ece_band", {}, ECEMetric, {"region": "band"}),
        ("tace_foreground_0.01", {"threshold": 0.01}, TACEMetric, {"region": "foreground", "threshold": 0.01}),
        ("ece_all_fine", {"num_bins": 50}, ECEMetric, {"region": "all", "num_bins": 50}),
    ],
)
def test_a_name_says_measure_region_and_images(
    name: str, options: dict[str, Any], kind: type, settings: dict[str, Any]
) -> None:
    metric = metric_by_name(name, options)
    assert type(metric) is kind
    assert {key: getattr(metric, key) for key in settings} | {"region": metric.region.name} == settings


def test_a_region_may_have_options() -> None:
    metric = metric_by_name("ece_plausible_0.05", {"region": Plausible(at_least=0.05)})
    assert metric.region == Plausible(at_least=0.05)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ece_plausibel", {}, "there is no metric ece_plausibel: .* did you mean ece_plausible?"),
        ("ece_plausible_pool", {}, "did you mean ece_plausible_pooled?"),
        ("ece", {}, "a name is one of nll, brier, ece, cece, tace, then one of plausible"),
        ("mce_plausible", {}, "did you mean ece_plausible?"),
        ("ece_plausible_pooled_debiased", {}, "there is no metric ece_plausible_pooled_debiased"),
        ("ece_plausible_foreground", {}, "there is no metric ece_plausible_foreground"),
        ("tace_foreground_0.01", {}, "other words need options that they tell"),
        ("ece_all", {"num_bin": 3}, "ece_all is ECEMetric, which takes .*, and no num_bin; did you mean num_bins?"),
        ("brier_all_debiased", {}, "brier_all_debiased is BrierMetric, which takes .*, and no debiased"),
        ("ece_all", {"num_bins": 0}, "ece_all: num_bins is 0; it must be"),
        ("ece_all", {"num_bins": "many"}, "ece_all: num_bins is 'many'; it must be"),
        ("nll_al_debiased", {}, "did you mean ece_all_debiased?"),
        ("tace_plausibel_pooled", {}, "did you mean ece_plausible_pooled?"),
        ("tace_all_pooled", {}, "tace_all_pooled: pooled is True and adaptive is True"),
        (3, {}, "there is no metric 3"),
    ],
)
def test_what_is_no_metric_is_refused_with_the_nearest(name: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        metric_by_name(name, options)
    assert "\n" not in str(error.value)


def test_they_come_by_a_list_of_names_or_with_options_in_its_order() -> None:
    assert list(metrics_by_name(["nll_all", "ece_band"])) == ["nll_all", "ece_band"]
    own = ECEMetric(region="union")
    given = {"ece_union": own, "nll_all": {"_disabled_": True}, "cece_all": {"num_bins": 5}, "tace_all": None}
    made = metrics_by_name(given)
    assert list(made) == ["ece_union", "cece_all"]
    assert made["ece_union"] is own
    with pytest.raises(ValueError, match=re.escape("metrics is 'ece_all'; it must be a list of names")):
        metrics_by_name("ece_all")
