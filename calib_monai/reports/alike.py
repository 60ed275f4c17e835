"""Differences between runs: settings of measures and changed images, which forbid a comparison, and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib_monai.reports.runs import Run

NOTED_LATER = ("unions",)  # settings that runs of earlier versions had, too, but did not note
FORMER = {"include_background": True}  # settings of measures that had no such switch; of others they are off
IGNORED = "ignore_index"  # a setting that the measures of probabilities note
TARGET = "_target_"  # the class of a network
OF_OTHERS = ("layers", "torch")  # of a network: they follow from its arguments and from the version of PyTorch
OF_FITS = ("validation_patients", "validation_cases")  # noted beside settings: a promise is the same from any number


def unlike_settings(name: str, runs: Sequence[Run]) -> str:
    """The settings of a measure in which runs differ, as a text; "" if they do not differ or were not noted.

    A setting that is off, or as in `FORMER`, equals a setting that an earlier version did not have.
    """
    noted = [(run.name, settings) for run in runs if (settings := _settings_of(run, name))]
    keys = sorted({key for _, settings in noted for key in settings if key not in OF_FITS})
    of_key = {key: [one for _, one in noted if key in one or key not in NOTED_LATER] for key in keys}
    former = {key: FORMER.get(key, False) for key in keys}
    differing = [key for key in keys if len({repr(one.get(key, former[key])) for one in of_key[key]}) > 1]
    told = [f"{run} with {', '.join(_setting(key, settings) for key in differing)}" for run, settings in noted]
    return "; ".join(dict.fromkeys(told)) if differing else ""


def _settings_of(run: Run, name: str) -> dict[str, Any]:
    """The settings of a measure, with the label whose voxels no measure of its run counts; empty if it has none."""
    ignored = [one[IGNORED] for one in run.settings.values() if IGNORED in one] if name in run.metrics else []
    return {**({IGNORED: ignored[0]} if ignored else {}), **run.settings.get(name, {})}


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
    """In what the networks of runs differ, as a text; "" if they do not differ or were not noted.

    Arguments that only one network of a class has are left out: another version of MONAI may know one more.
    """
    firsts = {run.model or run.name: run for run in reversed(runs) if run.network}  # the first run of each model
    by_class: dict[str, list[Run]] = {}
    for run in reversed(firsts.values()):
        by_class.setdefault(str(run.network.get(TARGET)).rpartition(".")[2], []).append(run)
    told = {
        run.name: f"{name}{_arguments(run.network, [one.network for one in of_class])}"
        for name, of_class in by_class.items()
        for run in of_class
    }
    return "; ".join(f"{run} is {text}" for run, text in told.items()) if len(set(told.values())) > 1 else ""


def _arguments(network: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]) -> str:
    """The arguments of a network in which those of its class differ, as a text."""
    shared = set.intersection(*(set(one) for one in alike)) - set(OF_OTHERS)
    differing = sorted(key for key in shared if len({repr(one[key]) for one in alike}) > 1)
    return f" with {', '.join(f'{key} {network[key]}' for key in differing)}" if differing else ""


def _setting(key: str, settings: Mapping[str, Any]) -> str:
    """A setting as a text."""
    return f"{key} {settings[key]}" if key in settings else f"no {key}"


def _step(step: Mapping[str, Any]) -> str:
    """A step of a disturbance as a text: its class, and its settings that are texts or numbers other than 0."""
    settings = {key: value for key, value in step.items() if key != "transform" and value}
    shown = [f"{key} {value}" for key, value in settings.items() if isinstance(value, int | float | str)]
    return f"{step['transform']} ({', '.join(shown)})" if shown else str(step["transform"])
