"""Metrics by name: "ece_plausible_pooled" is the ECE on the region "plausible", of all images together."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from calib_monai.metrics.brier import BrierMetric
from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.metrics.cece import CECEMetric
from calib_monai.metrics.ece import ECEMetric
from calib_monai.metrics.nll import NLLMetric
from calib_monai.metrics.tace import TACEMetric
from calib_monai.regions import REGIONS
from calib_monai.spelling import did_you_mean

METRICS: dict[str, type[CalibrationMetric]] = {
    "nll": NLLMetric,
    "brier": BrierMetric,
    "ece": ECEMetric,
    "cece": CECEMetric,
    "tace": TACEMetric,
}
TOGETHER = ("pooled", "debiased")  # words in the name of a metric of all images together
VALIDATION = "val_"  # the beginning of the names of a validation's metrics
DISABLED = "_disabled_"  # MONAI's word for a part that is left out


class Name(NamedTuple):
    """The words in the name of a metric.

    Attributes:
        measure: the first one, such as "ece".
        regions: those that are regions.
        together: those of `TOGETHER`.
        others: all further words.
    """

    measure: str
    regions: list[str]
    together: list[str]
    others: list[str]


def named(name: str) -> Name:
    """The words in the name of a metric, which may begin with "val_"."""
    measure, *words = name.removeprefix(VALIDATION).split("_")
    return Name(
        measure,
        [word for word in words if word in REGIONS],
        [word for word in words if word in TOGETHER],
        [word for word in words if word not in (*REGIONS, *TOGETHER)],
    )


def metrics_by_name(metrics: Iterable[str] | Mapping[str, Any]) -> dict[str, CalibrationMetric]:
    """Metrics by their names.

    Args:
        metrics: names, or a dictionary in which a name has either a metric or the options of the metric that it says,
            such as {"tace_foreground_0.01": {"threshold": 0.01}}. The option `_disabled_` leaves a metric out.

    Raises:
        ValueError: as `metric_by_name`, or a value that is neither a metric nor options.
    """
    if isinstance(metrics, str):
        raise ValueError(f"metrics is {metrics!r}; it must be a list of names, such as ['ece_plausible', 'nll_all']")  # noqa: TRY004 - of a setting
    options_of = metrics if isinstance(metrics, Mapping) else {name: {} for name in metrics}
    made = {}
    for name, given in options_of.items():
        if isinstance(given, Mapping):
            options = dict(given)
            if not options.pop(DISABLED, False):
                made[name] = metric_by_name(name, options)
        elif given is not None:  # what MONAI makes of a disabled component
            made[name] = given
    return made


def metric_by_name(name: str, options: Mapping[str, Any] | None = None) -> CalibrationMetric:
    """The metric that a name says.

    Args:
        name: measure and region, then "pooled" or "debiased" where it is, such as "ece_plausible_pooled". Any other
            words must tell what the options change. The name may begin with "val_".
        options: further arguments of the metric.

    Raises:
        ValueError: an unknown name, with the nearest one, or an option that the metric does not take.
    """
    measure, regions, together, others = named(str(name))
    kind = METRICS.get(measure)
    if kind is None or len(regions) != 1 or len(together) > 1 or (others and not options):
        raise ValueError(
            f"there is no metric {name}: a name is one of {', '.join(METRICS)}, then one of {', '.join(REGIONS)}, as "
            f"ece_plausible, and may end with {' or '.join(TOGETHER)}; other words need options that they tell"
            f"{did_you_mean(str(name), _names())}"
        )
    arguments = {"region": regions[0], **dict.fromkeys(together, True), **(options or {})}
    known = inspect.signature(kind).parameters
    for option in arguments:
        if option not in known:
            near = did_you_mean(option, known)
            raise ValueError(f"{name} is {kind.__name__}, which takes {', '.join(known)}, and no {option}{near}")
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _names() -> list[str]:
    """The names that need no option."""
    plain = [
        f"{measure}_{region}{ending}"
        for measure, kind in METRICS.items()
        for region in REGIONS
        for ending in ("", *(f"_{word}" for word in TOGETHER if _takes(kind, word)))
    ]
    return [*plain, *(VALIDATION + name for name in plain)]


def _takes(kind: type[CalibrationMetric], word: str) -> bool:
    """Whether a metric is measured on all images together by this word alone; TACE needs bins of equal width, too."""
    return kind is not TACEMetric and word in inspect.signature(kind).parameters
