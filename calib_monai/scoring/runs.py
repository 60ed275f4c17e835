"""Runs: scores a folder of probabilities from the first check to the last file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calib_monai.locks import check_free, release
from calib_monai.path_options import check_writable
from calib_monai.posthoc.files import calibrator_path
from calib_monai.regions import region_of
from calib_monai.reports.answers import answers_of
from calib_monai.reports.report import by_dataset, in_markdown, write_report
from calib_monai.reports.results import results_tables
from calib_monai.reports.run_files import read_runs
from calib_monai.reports.runs import Run
from calib_monai.scoring.applied import note_applied
from calib_monai.scoring.cases import GivenFiles, ScoredCases, scored_cases
from calib_monai.scoring.earlier import SCORED, SCORING, check_out, check_same_fit, come_back, kept_apart
from calib_monai.scoring.evaluation import Scoring, evaluate, least_of
from calib_monai.scoring.fits import SaveProbsd, fitted
from calib_monai.scoring.patients import check_parts_apart, tell_patients
from calib_monai.spelling import did_you_mean
from calib_monai.whole_files import write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoreOptions:
    """What a person wants.

    Attributes:
        out: folder of the results.
        cases: names of the cases to score; all where there are none.
        dataset: name of the data set, by default that of the folder that holds the labels' folder.
        method: name of what gave the probabilities, by default that of `out`.
        figures: whether the report is drawn.
        overwrite: whether results of other probabilities or labels may be replaced.
        calibrate: "ts" or "lts", or "" where nothing is fitted.
        fit: names of the cases or patients to fit to, or one folder of their probabilities.
        fit_labels: folder of their labels, by default that of the others.
        fit_images: folder of their images, by default that of the others.
        fit_region: the voxels to fit to.
    """

    out: Path
    cases: Sequence[str] = ()
    dataset: str = ""
    method: str = ""
    figures: bool = True
    overwrite: bool = False
    calibrate: str = ""
    fit: Sequence[str] = ()
    fit_labels: Path | None = None
    fit_images: Path | None = None
    fit_region: str = "all"


def score(given: GivenFiles, options: ScoreOptions) -> str:
    """Score a folder, and write a run as an evaluation of a bundle does.

    With a calibrator there are two runs, `eval` and `eval_ts` or `eval_lts`, and a report of both in `report`. Earlier
    results of the same folders are replaced after all numbers are there; until then they are kept apart, and if the run
    fails, they come back.

    Returns:
        The tables, whether the probabilities can be believed, and where the results are.

    Raises:
        ValueError: input is wrong; the message is one line with the file, the value and the rule.
    """
    check_writable([str(options.out)])
    _check_options(options)
    check_free(str(options.out), SCORING)
    try:
        come_back(options.out)
        _check_out(given, options)
        cases = scored_cases(given, options.cases)
        runs = _calibrated(given, options, cases) if options.calibrate else _measured(given, options, cases)
    finally:
        release(SCORING)
    found = read_runs(runs)
    if options.calibrate and options.figures:
        write_report(found, options.out / "report")
    page = f": open {options.out / 'report' / 'report.html'}" if options.figures else ""
    return f"{tables_of(found)}\n{answers_on(found)}\n\nThe results are in {options.out}{page}"


def _check_options(options: ScoreOptions) -> None:
    """Raise ValueError if options of a fit are not together, or are not known."""
    if bool(options.calibrate) != bool(options.fit):
        missing = "--fit: the cases, or a folder of them, to fit to" if options.calibrate else "--calibrate ts or lts"
        raise ValueError(f"a calibrator needs both --calibrate and --fit; give {missing}")
    of_fit = {"fit_labels": options.fit_labels, "fit_images": options.fit_images}
    of_fit["fit_region"] = None if options.fit_region == "all" else Path(options.fit_region)
    for name, value in of_fit.items():
        if value is not None and not options.calibrate:
            raise ValueError(f"--{name} is {value}, and nothing is fitted: give --calibrate and --fit, too")
    try:
        region_of(options.fit_region)
    except ValueError as error:
        raise ValueError(f"--fit_{error}") from None


def _measured(given: GivenFiles, options: ScoreOptions, cases: ScoredCases) -> list[Path]:
    """The folder of the run without a fit."""
    check_same_fit(options.out, {}, overwrite=options.overwrite)
    _tell(cases)
    with kept_apart(options.out):
        about, scoring = _note(given, options, cases), scoring_of(cases, given, options)
        if least := least_of(scoring):
            logger.warning(
                "probabilities are stored in steps of %.2g: the likelihood counts 0 as half a step, %.2g; to compare "
                "likelihoods, store float32",
                *(2 * least, least),
            )
        evaluate(scoring, options.out, about, figures=options.figures)
    return [options.out]


def _parts(given: GivenFiles, options: ScoreOptions, cases: ScoredCases) -> tuple[ScoredCases, ScoredCases]:
    """The cases to measure, and those to fit to, of which none is the same."""
    folder = Path(options.fit[0])
    known = [*cases.found, *dict.fromkeys(cases.patients.values())]
    if len(options.fit) == 1 and folder.is_dir() and options.fit[0] not in known:
        of_fit = replace(given, probs=folder, labels=options.fit_labels or given.labels)
        to_fit = scored_cases(replace(of_fit, images=options.fit_images or given.images), (), cases.classes)
        both = sorted(case for case in to_fit.found if case in cases.found)
        if both:
            raise ValueError(
                f"{len(both)} case(s), first {both[0]}, are in --fit {folder} and in --probs {given.probs}: what "
                "is fitted to a case cannot be measured on it; name the others by --cases"
            )
        return cases, to_fit
    for name, value, usual in (
        ("fit_labels", options.fit_labels, given.labels),
        ("fit_images", options.fit_images, given.images),
    ):
        if value is not None:
            raise ValueError(
                f"--{name} is {value}, and --fit names {options.fit[0]}, which is no folder: cases of --probs have "
                f"theirs in --{name.removeprefix('fit_')} {usual or 'FOLDER'}, so leave out --{name}"
            )
    named = {*options.fit, *(case for case, patient in cases.patients.items() if patient in options.fit)}
    for case in options.fit:
        if case not in known:
            hint = ", or --cases leaves it out" if options.cases else _hint(case, known)
            raise ValueError(f"--fit {case} is neither a folder nor a case or patient of --probs {given.probs}{hint}")
    rest = {case: found for case, found in cases.found.items() if case not in named}
    if not rest:
        raise ValueError(f"--fit names all {len(cases.found)} case(s), and none is left to measure")
    fitted_to = {case: found for case, found in cases.found.items() if case in named}
    return replace(cases, found=rest), replace(cases, found=fitted_to)


def _hint(case: str, known: Sequence[str]) -> str:
    """The end of a message: what a person may have meant by a name, of known cases and patients."""
    if sum(one.startswith(case) for one in known) > 1:
        return "; several cases begin with it: --patient '{patient}_*' makes patients of such names"
    return did_you_mean(case, known)


def _calibrated(given: GivenFiles, options: ScoreOptions, found: ScoredCases) -> list[Path]:
    """The folders of the runs before and after a fit."""
    cases, to_fit = _parts(given, options, found)
    cases = replace(cases, unmeasured=[case for case in cases.unmeasured if case not in to_fit.found])
    check_same_fit(options.out, _fit_of(options, to_fit), overwrite=options.overwrite)
    check_parts_apart(cases.found, to_fit.found, {**to_fit.patients, **cases.patients})
    _tell(cases)
    logger.info("fitting %s to %d other case(s)", options.calibrate, len(to_fit.found))
    before, after = (options.out / name for name in ("eval", f"eval_{options.calibrate}"))
    with kept_apart(options.out):
        about = _note(given, options, cases, to_fit)
        fitting = scoring_of(to_fit, given, options, with_logits=True)
        calibrator, fitted_to = fitted(options.calibrate, options.fit_region, fitting, options.out)
        logits = scoring_of(cases, given, options, with_logits=True)  # of both, so that a 0 counts alike
        evaluate(logits, before, about, fitted_to=fitted_to, figures=False)
        saving = SaveProbsd(logits, given.probs, options.out / "calibrated")
        evaluate(logits, after, about, calibrator, options.calibrate, [saving], figures=False)
        note_applied(options.out / "calibrated", calibrator_path(options.calibrate, str(options.out)))
    return [before, after]


def _tell(cases: ScoredCases) -> None:
    """Log what is scored, why pictures may be black, and that patients may have several cases."""
    tell_patients(cases.found, cases.patients)
    logger.info("scoring %d case(s) of %d classes: %s", len(cases.found), len(cases.classes.names), told_first(cases))
    if not any(found.pair.images for found in cases.found.values()):
        logger.info("without --images the pictures of the report show segmentations on black")


def _note(given: GivenFiles, options: ScoreOptions, cases: ScoredCases, to_fit: ScoredCases | None = None) -> Path:
    """The file that says what is scored, after it is written."""
    about = options.out / SCORED
    found, of_fit = [*cases.found.values()], dict[str, object]()
    if to_fit is not None:
        found += to_fit.found.values()
        of_fit = _fit_of(options, to_fit)
    write_json(about, _about(given, cases) | {"axes": sorted({one.axes for one in found})} | of_fit)
    return about


def _fit_of(options: ScoreOptions, to_fit: ScoredCases) -> dict[str, object]:
    """What a fit was made of, as its file says it."""
    return {"calibrate": options.calibrate, "fitted_to": sorted(to_fit.found)}


def tables_of(runs: Sequence[Run]) -> str:
    """The tables of runs, as the command of the reports prints them."""
    return in_markdown([table for group in by_dataset(runs) for table in results_tables(group)], marked=False)


def answers_on(runs: Sequence[Run]) -> str:
    """Whether the probabilities of runs can be believed, as the first lines of their report say it."""
    [(heading, lines)] = answers_of([(runs[0].dataset, runs)])
    return "\n".join([heading, *(f"* {line}" for line in lines)])


def scoring_of(cases: ScoredCases, given: GivenFiles, options: ScoreOptions, *, with_logits: bool = False) -> Scoring:
    """What is scored, and how."""
    return Scoring(
        cases=cases.found,
        class_names=cases.classes.names,
        reading=cases.reading,
        ignore_index=cases.classes.ignore_index,
        dataset=options.dataset or given.labels.resolve().parent.name,
        method=options.method or options.out.resolve().name,
        with_logits=with_logits,
        any_fit=given.any_fit,
        patients=cases.patients,
        cautions=_of_unmeasured(cases),
    )


def _of_unmeasured(cases: ScoredCases) -> list[str]:
    """A caution if some labels have no probabilities, unless these are more than are measured: of a whole data set."""
    unmeasured = cases.unmeasured
    if not 0 < len(unmeasured) <= len(cases.found):
        return []
    told = f"{len(unmeasured)} labeled case(s) have no probabilities and are not measured, first {unmeasured[0]}"
    return [f"{told}: if the network failed there, the results are too good"]


def told_first(cases: ScoredCases) -> str:
    """The files of the first case in words, with the axes that were found."""
    case, found = next(iter(cases.found.items()))
    first = found.stored[0]
    more = f" and {len(found.stored) - 1} more" if len(found.stored) > 1 else ""
    return f"first {case}, {first.file}{more}, {first.shape} {first.dtype} as {found.axes}"


def _about(given: GivenFiles, cases: ScoredCases) -> dict[str, object]:
    """What a run was made of."""
    return {
        "probs": str(given.probs.resolve()),
        "labels": str(given.labels.resolve()),
        "classes": cases.classes.names,
        "ignore_label": cases.classes.ignore_index,
        "order": list(given.order),
        "logits": given.logits,
        "foreground": given.foreground,
        "patient": given.patient,
    }


def _check_out(given: GivenFiles, options: ScoreOptions) -> None:
    """Raise ValueError if the folder of results lies among what is read, or holds the results of something else."""
    folders = {"--probs": given.probs, "--labels": given.labels}
    for name, folder in folders.items():
        if folder.resolve() in (options.out.resolve(), *options.out.resolve().parents):
            raise ValueError(
                f"--out {options.out} lies in {name} {folder}: set another --out, or the results would be read as "
                f"{name.removeprefix('--')} the next time"
            )
    others = {"--images": given.images, "--fit_labels": options.fit_labels, "--fit_images": options.fit_images}
    fit = {"--fit": Path(options.fit[0])} if len(options.fit) == 1 else {}
    check_out(options.out, folders | others | fit, overwrite=options.overwrite)
