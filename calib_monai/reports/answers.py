"""Answers: whether the probabilities of a run can be believed, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from statistics import fmean

from calib_monai.intervals import FEW, FEWEST, mean_interval, patients_of
from calib_monai.reports.effects import NONE, effect_of, is_retrained
from calib_monai.reports.runs import Run
from calib_monai.reports.sentences import where_of
from calib_monai.reports.structures import OF_DICE, OF_VOLUME, in_percent, volume_differences
from calib_monai.spelling import first_of

MEASURES_SHOWN = (OF_DICE, "ece_{region}")  # measures in the second sentence
MOST_VOLUMES = 4  # structures
POOR = 0.5  # Dice of a network whose segmentations come first
CLOSE = 0.01  # a mean gap that hardly any use of probabilities notices
SEEN = 0.0005  # a smaller difference is printed as 0.0%
ABOUT = "Mean confidence compared with accuracy (the share that is right) {where} ({region} voxels), mean over cases:"
REMEDY = (
    "A temperature may mend this: see docs/calibrate.md of the collection or, for saved probabilities, "
    "docs/check_your_model.md."
)
CAUTION = (
    "This holds for the mean of cases like these (brackets: its 95 % interval). Other scanners or patients may differ. "
    "A single case or structure may be off by more, and errors of opposite sign cancel here: look at ECE and the "
    "diagrams. docs/measures.md of the collection explains each number."
)


def answers_of(sections: Sequence[tuple[str, Sequence[Run]]]) -> list[tuple[str, list[str]]]:
    """For each data set a heading, and an answer for each of its runs.

    Args:
        sections: names of data sets with their runs.
    """
    headings = [
        ABOUT.format(where=where_of(run.region, run.settings.get(f"ece_{run.region}")), region=run.region)
        for run in (runs[0] for _, runs in sections)
    ]
    if len(sections) > 1:
        headings = [f"{name}: {heading}" for (name, _), heading in zip(sections, headings, strict=True)]
    answers = [
        [" ".join(filter(None, [f"{run.name}: {answer(run)}", beside(run), what_to_do(run, runs)])) for run in runs]
        for _, runs in sections
    ]
    return list(zip(headings, answers, strict=True))


def answer(run: Run) -> str:
    """Whether a run is overconfident or underconfident, by how much, and whether its cases show that."""
    if run.on_label_foreground:
        return "not known, because the label chose the voxels."
    gaps = _gaps(run)
    known = [case for case, gap in gaps.items() if not isnan(gap)]
    if not known:
        why = (
            "no case has such voxels"
            if run.case_bins
            else "a file of an earlier version keeps no voxels of single cases"
        )
        return f"not known, because {why}."
    mean, low, high = _mean_gap(run, gaps)
    how = f"{'overconfident' if mean > 0 else 'underconfident'} by {abs(mean):.1%}"
    seen = abs(mean) >= SEEN
    patients = len(set(patients_of(known, run.patients)))
    if len(known) == 1:
        return f"{how if seen else 'no difference is seen'} in the only case; one case is too few to tell."
    number = f"{len(known)} cases" + (f" of {patients} patient(s)" if patients < len(known) else "")
    if patients < FEWEST:
        told = f"{how} on average of" if seen else "no difference is seen in"
        return f"{told} {number}, which are too few to tell."
    if low <= 0 <= high:
        sides = f"{mean:+.1%} ({low:+.1%} to {high:+.1%}, + is overconfident)"
        return f"no difference is shown by {number}: {sides}."
    little = ", which is little" if abs(mean) < CLOSE else ""
    least, most = sorted((abs(low), abs(high)))
    return f"{how} ({least:.1%} to {most:.1%}){little}."


def what_to_do(run: Run, runs: Sequence[Run]) -> str:
    """Whether the calibrator of a run helps or, if no run of its model has one, the remedy.

    Nothing is said of a run whose model is not noted, such as one of several trainings.
    """
    if not run.model:
        return ""
    effect = effect_of(run, runs)
    if effect is not None:
        return effect.told(run)
    if run.calibrator != NONE and (other := next((one for one in runs if is_retrained(one, run)), None)):
        return f"The weights changed between {other.name} and this run, which tells no effect: evaluate both again."
    return remedy(run) if all(one.calibrator == NONE for one in runs if one.model == run.model) else ""


def remedy(run: Run) -> str:
    """What to do if the cases show that a run without a calibrator is over- or underconfident; else an empty text."""
    gaps = _gaps(run)
    known = [case for case, gap in gaps.items() if not isnan(gap)]
    if run.on_label_foreground or run.calibrator != NONE or len(set(patients_of(known, run.patients))) < FEWEST:
        return ""
    mean, low, high = _mean_gap(run, gaps)
    return REMEDY if abs(mean) >= CLOSE and not low <= 0 <= high else ""


def _gaps(run: Run) -> dict[str, float]:
    """How far the mean confidence of each case lies above its accuracy."""
    return run.of_case_bins(lambda bins: (bins.confidence - bins.correctness).sum(dim=-1) / bins.total)


def _mean_gap(run: Run, gaps: Mapping[str, float]) -> tuple[float, float, float]:
    """The mean of known gaps, and its interval."""
    low, high = mean_interval([*gaps.values()], patients=patients_of(gaps, run.patients))
    return fmean(gap for gap in gaps.values() if not isnan(gap)), low, high


def beside(run: Run) -> str:
    """Dice, ECE, how much too small or too large the predicted structures are, and what makes these doubtful."""
    names = dict.fromkeys(name.format(region=run.region) for name in MEASURES_SHOWN)
    measures = {name: run.measure(name) for name in names if name in run.metrics}
    told = [f"{measure.title} {measure.shown(run.metrics[name])}" for name, measure in measures.items()]
    if OF_VOLUME in run.metrics:
        means = {name: mean for name, (mean, _, _) in volume_differences(run).items() if not isnan(mean)}
        told.append(
            f"volumes: {first_of([f'{name} {in_percent(mean)} %' for name, mean in means.items()], MOST_VOLUMES)}"
        )
    sentences = [f"{'; '.join(told)}."] if told else []
    sentences += [f"{caution}." for caution in run.cautions]
    if run.metrics.get(OF_DICE, 1) < POOR:
        sentences.append(f"Its Dice is below {POOR}: look at its segmentations before its probabilities.")
    if run.fitted_patients is not None and run.fitted_patients < FEW:
        sentences.append(
            f"Its calibrator was fitted to {run.fitted_patients} patient(s): too few to know whether it suits others."
        )
    return " ".join(sentences)
