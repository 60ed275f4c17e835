"""The plans of a benchmark: one for each data set, over all of which methods are ranked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plan import Plan

ACROSS = "'across={acdc: path/to/acdc, flare: path/to/flare}'"


def plans_of(config: Mapping[str, Any], experiments: Mapping[str, Mapping[str, Any]]) -> dict[str, Plan]:
    """The plan of each data set by the name of its folder in `out`: first that of `dataset`, then those of `across`.

    Args:
        config: the values of `config.yaml`.
        experiments: the content of `experiments.yaml`.

    Raises:
        ValueError: as `Plan`, a wrong form of `across`, a data set that is there twice, or data of others besides.
    """
    across = config.get("across", {})
    if not isinstance(across, dict) or not all(isinstance(folder, str) for folder in across.values()):
        raise ValueError(f"across is {across!r}; it must name further data sets and their folders, such as {ACROSS}")
    if across and config["elsewhere"]:
        raise ValueError("across and elsewhere are given; the data of others belong to one data set: leave out one")
    plans = [Plan(config, experiments)]
    plans += [
        Plan({**config, "dataset": name, "dataset_dir": folder, "cases": []}, experiments)
        for name, folder in across.items()
    ]
    if len({plan.dataset for plan in plans}) < len(plans):  # phantoms are of one, too
        raise ValueError(f"across has {plans[0].dataset}, which is dataset, too; each data set is there once")
    return {Path(plan.out).name: plan for plan in plans}
