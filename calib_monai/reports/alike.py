"""Differences between runs: settings of measures and changed images, which forbid a comparison, and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib_monai.reports.runs import Run

NOTED_LATER = ("unions",)  # settings that runs of earlier versions had, too, but did not note
FORMER = {"include_background": True}  # settings of measures that had no such switch; of others they are off
TARGET = "_target_"  # the class of a network
OF_OTHERS = ("layers", "torch")  # of a network: they follow from its arguments and from the version of PyTorch
OF_FITS = ("validation_patients", "validation_cases")  # noted beside settings: a promise is the same from any number


def unlike_settings(name: str, runs: Sequence[Run]) -> str:
    """The settings of a measure in which runs differ, as a text; "" if they do not differ or were not noted.

    A setting that is off, or as in `FORMER`, equals a setting that an earlier version did not have.
    """
    noted = [(run.name, run.settings[name]) for run in runs if run.settings.get(name)]
    keys = sorted({key for _, settings in noted for key in settings if key not in OF_FITS})
    of_key = {key: [one for _, one in noted if key in one or key not in NOTED_LATER] for key in keys}
    former = {key: FORMER.get(key, False) for key in keys}
    differing = [key for key in keys if len({repr(one.get(key, former[key])) for one in of_key[key]}) > 1]
    told = [f"{run} with {', '.join(_setting(key, settings) for key in differing)}" for run, settings in noted]
    return "; ".join(dict.fromkeys(told)) if differing else ""


def unlike_images(runs: Sequence[Run]) -> str:
    """The disturbances of the images in which runs differ, as a text; "" if they do not differ or were not noted."""
    noted = [(run.name, run.disturbance) for run in runs if run.disturbance is not None]
    if len({repr(steps) for _, steps in noted}) < 2:  # noqa: PLR2004 - one does not differ
        return ""
    names: dict[str, list[str]] = {}
    for run, steps in noted:
        names.setdefault(" and ".join(map(_step, steps)) or "no disturbance", []).append(run)
    return "; ".join(f"{', '.join(dict.fromkeys(of_runs))} with {steps}" for steps, of_runs in names.items())


def unlike_networks(runs: Sequence[Run]) -> str:
    """In what the networks of runs differ, as a text; "" if they do not differ or were not noted."""
    noted = [(run.name, run.network) for run in runs if run.network]
    keys = {key for _, network in noted for key in network if key not in OF_OTHERS}
    differing = sorted(key for key in keys if len({repr(network.get(key)) for _, network in noted}) > 1)
    shown = [TARGET] if TARGET in differing else differing  # classes have other arguments
    told = [f"{run} {', '.join(_argument(key, network) for key in shown)}" for run, network in noted]
    return "; ".join(dict.fromkeys(told)) if shown else ""


def _argument(key: str, network: Mapping[str, Any]) -> str:
    """The class of a network, or an argument of it, as a text."""
    if key == TARGET:
        return f"is {str(network.get(key)).rpartition('.')[2]}"
    return f"has {key} {network[key]}" if key in network else f"does not note {key}"


def _setting(key: str, settings: Mapping[str, Any]) -> str:
    """A setting as a text."""
    return f"{key} {settings[key]}" if key in settings else f"no {key}"


def _step(step: Mapping[str, Any]) -> str:
    """A step of a disturbance as a text: its class, and its settings that are texts or numbers other than 0."""
    settings = {key: value for key, value in step.items() if key != "transform" and value}
    shown = [f"{key} {value}" for key, value in settings.items() if isinstance(value, int | float | str)]
    return f"{step['transform']} ({', '.join(shown)})" if shown else str(step["transform"])
