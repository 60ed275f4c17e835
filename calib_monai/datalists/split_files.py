"""Splits on disk: the training, validation and test cases of a model, and the options that drew them."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from calib_monai.datalists.splits import SPLITS, Split
from calib_monai.stored import Stored, StoredSplit, read_stored
from calib_monai.whole_files import write_json

Options = dict[str, int | float | str]

# keys beside the sets, which a split that is given may have, too
BESIDE = DRAWN_WITH, PATIENTS, LEFT_OUT, IMAGES, LABELS = "drawn_with", "patients", "left_out", "images", "labels"
MODEL_JSON = "model.json"  # beside a model; see `calib_monai.made_for`
CHECKSUM = "split_checksum"  # its key with the checksum of the lists of the training
OPTIONS = {"seed": "split_seed"}  # what a bundle calls an argument otherwise

logger = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """The names of the cases of each set, the options that they were drawn with by name, and patients by case.

    `left_out` names cases that are in no set, because their images are in another one. `images` has a digest of the
    image of each training and validation case, as in `calib_monai.same_images`, and `labels` of its label.
    """

    names: dict[str, list[str]]
    options: Options
    patients: Mapping[str, str] = MappingProxyType({})
    left_out: Sequence[str] = ()
    images: Mapping[str, str] = MappingProxyType({})
    labels: Mapping[str, str] = MappingProxyType({})


class OfTraining(Stored):
    """What `model.json` says of the split of its training; an earlier version did not write it."""

    split_checksum: str = ""


class Listed(Split):
    """Cases that another program lists for an evaluation, and which need not be of the split of the model."""


class OtherCases(Listed):
    """Cases of other data, of which a model must have seen no image."""


def kept_split(split: Split, options: Options, path: Path, use: Sequence[str]) -> tuple[Split, Options]:
    """The split beside a model, with the cases of the sets in `use`, and the options that drew it.

    Without such a split, `split` and `options` are returned with a warning, and so are `Listed` cases. A warning also
    names options of this run that differ from these.
    """
    kept = read_split(path)
    if kept is None:
        return split, options
    if isinstance(split, Listed):
        if not (isinstance(split, OtherCases) and kept.images):  # whose images are compared
            tell_known(split, kept, path)
        return split, options
    for name in use:
        if not kept.names[name]:
            raise ValueError(f"{path} lists no case for {name}")
    others = {name: value for name, value in kept.options.items() if options.get(name, value) != value}
    by_name = {case["case"]: case for cases in split.values() for case in cases}
    missing = [case for name in use for case in kept.names[name] if case not in by_name]
    if missing:
        had = f", {_options_text(others)}," if others else ""
        raise ValueError(
            f"{path}, which training wrote, lists {len(missing)} case(s) for {' and '.join(use)} that are not found in "
            f"dataset_dir, first {missing[0]}; give the options that training had{had} or predict other data with "
            "--input"
        )
    if others:
        here = _options_text({name: options[name] for name in others})
        logger.warning(
            "%s is kept, which training drew with %s: %s changes nothing here", path, _options_text(others), here
        )
    found = {name: [by_name[case] for case in cases if case in by_name] for name, cases in kept.names.items()}
    _warn_of_crossing(found, path)
    return found, kept.options


def _warn_of_crossing(split: Split, path: Path) -> None:
    """Warn if test cases of a split belong to patients, or are near-duplicates, of training cases."""
    trained = {case["patient"]: case["case"] for case in split["training"] if "patient" in case}
    crossing = [case for case in split["test"] if case.get("patient") in trained]
    if crossing:
        first, other = crossing[0]["case"], trained[crossing[0]["patient"]]
        logger.warning(
            "%s is kept: %d of its %d test case(s) are near-duplicates or of the patients of training cases, first %s "
            "and %s; results on them say too much",
            path,
            len(crossing),
            len(split["test"]),
            first,
            other,
        )


def check_sets(use: Sequence[str], *, keep: bool) -> None:
    """Raise ValueError if a run reads no set of a split, or draws a split without training on it.

    Args:
        use: the sets whose cases the run reads.
        keep: whether the split beside a model is kept.
    """
    if isinstance(use, str) or not use or any(name not in SPLITS for name in use):
        raise ValueError(f"cases#use is {use!r}; it must be a list of some of {', '.join(SPLITS)}")
    if not keep and "training" not in use:
        raise ValueError(
            f"cases#keep is {keep} and cases#use {list(use)}: only a training draws a split, and the test cases of "
            "another one may be those that the model was trained on"
        )


def tell_known(split: Split, kept: Drawn, path: Path) -> None:
    """Warn of cases that have the names of cases of another set of the split beside a model."""
    for name, cases in names_of(split).items():
        for other, names in kept.names.items():
            known = [case for case in cases if other != name and case in names]
            if known:
                logger.warning(
                    "%d of the %d listed case(s), first %s, have the names of %s cases of %s: if they are the same, "
                    "the model knows them, and is better here than on new images",
                    len(known),
                    len(cases),
                    known[0],
                    other,
                    path,
                )


def check_same_split(split: Split, path: Path, given: str) -> None:
    """Raise ValueError if the split beside a model differs from the split of a file."""
    kept = read_split(path)
    if kept is None or any(not set(kept.names[name]) <= set(names) for name, names in names_of(split).items()):
        raise ValueError(f"--split {given} is not the split that the model was trained with, {path}: leave it out")


def read_split(path: Path, *, of_training: bool = True) -> Drawn | None:
    """The content of the file that training wrote; None and a warning if there is no file.

    Args:
        path: of the file.
        of_training: whether its lists must be those of the training of the model beside it, if `model.json` tells them.

    Raises:
        ValueError: the file is damaged, or its lists were changed.
    """
    if not path.is_file():
        logger.warning("%s is not there: nothing says which cases the model was trained on", path)
        return None
    kept = read_stored(path, StoredSplit, f"it must list the cases of {', '.join(SPLITS)}")
    names: dict[str, list[str]] = {name: getattr(kept, name) for name in SPLITS}
    often = [case for case, count in Counter(chain(*names.values())).items() if count > 1]
    if often:
        raise ValueError(
            f"{path} lists {often[0]} more than once; a case must be in one set: restore what training wrote"
        )
    for key, digests in ((IMAGES, kept.images), (LABELS, kept.labels)):
        if digests and digests.keys() != {*names["training"], *names["validation"]}:
            raise ValueError(f"{path} has {key} of other cases than it lists: restore what training wrote")
    if of_training:
        _check_of_training(path, names)
    return Drawn(names, kept.drawn_with, left_out=kept.left_out, images=kept.images, labels=kept.labels)


def checksum_of(names: Mapping[str, Sequence[str]]) -> str:
    """A checksum of the names of the cases of each set, in any order."""
    return sha256(json.dumps([sorted(names.get(name, ())) for name in SPLITS]).encode()).hexdigest()


def _check_of_training(path: Path, names: Mapping[str, Sequence[str]]) -> None:
    """Raise ValueError if a split lists other cases than the training of the model beside it had."""
    beside = path.with_name(MODEL_JSON)
    if not beside.is_file():
        return
    told = read_stored(beside, OfTraining, "it must be what training wrote beside its model")
    if told.split_checksum and told.split_checksum != checksum_of(names):
        raise ValueError(
            f"{path} is not the one of this training: its lists differ from those that {beside} was written with, so "
            "the model may have been trained on its test cases; restore what training wrote"
        )


def options_of(datalist: Callable[[], Split]) -> Options:
    """The numbers and switches that a split is drawn with, by the names of their options."""
    given: dict[str, object] = getattr(datalist, "keywords", {})
    return {OPTIONS.get(name, name): value for name, value in given.items() if isinstance(value, int)}


def names_of(split: Split, but: Sequence[str] = ()) -> dict[str, list[str]]:
    """The names of the cases of each set, but not these."""
    return {name: [case["case"] for case in cases if case["case"] not in but] for name, cases in split.items()}


def patients_of_split(split: Split) -> dict[str, str]:
    """The patient, or the group of near-duplicates, of each case that has one."""
    return {case["case"]: case["patient"] for cases in split.values() for case in cases if "patient" in case}


def write_split(drawn: Drawn, path: Path) -> None:
    """Write a split and what else is known of it; the file is complete or not written."""
    more = {PATIENTS: dict(drawn.patients), LEFT_OUT: list(drawn.left_out)}
    more |= {IMAGES: dict(drawn.images), LABELS: dict(drawn.labels)}
    write_json(path, {**drawn.names, DRAWN_WITH: drawn.options} | {key: value for key, value in more.items() if value})


def _options_text(options: Options) -> str:
    """Options in words."""
    return " and ".join(f"--{name} {value}" for name, value in options.items())
