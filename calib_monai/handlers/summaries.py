"""Summaries: the values of an evaluation's metrics for each case, and over all cases."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from torch import Tensor

from calib_monai.risk_coverage import areas
from calib_monai.whole_files import or_null

logger = logging.getLogger(__name__)

TABLE = 2  # axes
DICE = "dice_foreground"
WITHOUT_LABEL = ("expected_dice", "pairwise_dice")  # by which a case looks sure or doubtful


def values_of_cases(details: Mapping[str, Any], num_cases: int) -> dict[str, Tensor]:
    """The values of metrics for each case, by name, (cases, columns), float64, on the CPU.

    A metric that a user adds may keep something else, such as MONAI's confusion matrix. It has no values of cases.

    Args:
        details: the values that each metric kept, by name: (cases,) or (cases, columns) if they are values of cases.
        num_cases: number of cases.
    """
    kept = {}
    for name, values in details.items():
        table = values.unsqueeze(1) if isinstance(values, Tensor) and values.ndim == 1 else values
        if isinstance(table, Tensor) and table.ndim == TABLE and len(table) == num_cases and table.shape[1]:
            kept[name] = table.double().cpu()
    return kept


def numbers_of_all(metrics: Mapping[str, Any], of_cases: Mapping[str, Tensor]) -> dict[str, float]:
    """The value of each metric over all cases; for a metric that gives no number, the mean over cases.

    Args:
        metrics: the results of the metrics by name.
        of_cases: the result of `values_of_cases`.
    """
    numbers = {}
    for name, value in metrics.items():
        if isinstance(value, Real) or (isinstance(value, Tensor) and value.numel() == 1):
            numbers[name] = float(value)
        elif name in of_cases:
            numbers[name] = of_cases[name].nanmean(dim=1).nanmean().item()
        else:
            logger.warning("%s is in no result: it gives no number, and none for each case", name)
    return numbers


def column_names(name: str, values: Tensor, class_names: Sequence[str], own: Sequence[str] | None = None) -> list[str]:
    """Names of a metric's columns: its own where there is one, else with each class; numbered where names do not fit.

    Args:
        name: of the metric.
        values: of each case, (cases, columns): one for each class, or for each but the background.
        class_names: of all classes.
        own: what the columns are where they are not the classes.
    """
    count = values.shape[1]
    if count == 1:
        return [name]
    for names in [own] if own else [class_names, class_names[1:]]:
        if len(names) == count:
            return [f"{name}_{structure}" for structure in names]
    logger.warning("%s has %d columns and the names %s: they are numbered", name, count, ", ".join(own or class_names))
    return [f"{name}_{column}" for column in range(count)]


def summary_of(value: float, values: Tensor | None, columns: Sequence[str], num_cases: int, *, counts: bool) -> Any:
    """A metric over all cases: its value, the deviation between cases, their number, and the same of each column.

    Args:
        value: of all cases.
        values: of each case, (cases, columns); None where it has none.
        columns: their names.
        num_cases: number of cases.
        counts: whether cases are counted, not averaged.
    """
    if values is None:
        return {"value": or_null(value), "sd": None, "num_cases": num_cases, "columns": {}}
    of_cases = values.nansum(dim=1) if counts else values.nanmean(dim=1)
    told = {name: _statistics(of_column, total=counts) for name, of_column in zip(columns, values.T, strict=True)}
    return {**_statistics(of_cases, total=counts), "value": or_null(value), "columns": told}


def aurc_of(
    cases: Sequence[str], details: Mapping[str, Tensor], mean_confidence: Mapping[str, float]
) -> dict[str, float | None] | None:
    """The area under the risk-coverage curve by each confidence, in the best order and by chance; risk is 1 - Dice.

    As in a report: a structure without an expected Dice makes its case the least sure. None if no Dice was measured.

    Args:
        cases: their names.
        details: the result of `values_of_cases`.
        mean_confidence: of each case, by its name.
    """
    if DICE not in details:
        return None
    risk = dict(zip(cases, (1 - details[DICE].nanmean(dim=1)).tolist(), strict=True))
    confidences = {
        name: dict(zip(cases, details[name].mean(dim=1).tolist(), strict=True))
        for name in WITHOUT_LABEL
        if name in details
    }
    found = areas(risk, confidences | ({"mean_confidence": mean_confidence} if mean_confidence else {}))
    return {"num_cases": sum(not math.isnan(value) for value in risk.values())} | {
        name: or_null(area) for name, area in found.items()
    }


def _statistics(values: Tensor, *, total: bool) -> dict[str, Any]:
    """Mean or total of a number of each case, the deviation of these cases (divided by n), and how many have it."""
    known = values[~values.isnan()]
    mean = known.sum() if total else known.mean()
    sd = known.std(correction=0) if len(known) else mean
    return {"value": or_null(mean.item()), "sd": or_null(sd.item()), "num_cases": len(known)}
