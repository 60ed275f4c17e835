"""Scored cases: pairs them, reads the headers of all their files, and tells their classes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import torch
from monai.data import MetaTensor

from calib_monai.arguments import BACKGROUND, MOST, check_ignored_label
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.headers import LOADED, check_fits, check_header, is_nifti
from calib_monai.loading import LoadCased
from calib_monai.scoring.arrays import stored_in
from calib_monai.scoring.class_names import Classes, check_one_order, classes_of, numbered
from calib_monai.scoring.pairs import Pair, pairs_in
from calib_monai.scoring.patients import patients_in
from calib_monai.scoring.probs import FoundProbs, Reading, found_in

BYTES_OF_PROB = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GivenFiles:
    """What a person says of the files.

    Attributes:
        probs: folder of the probabilities.
        labels: folder of the labels.
        images: folder of the images, or None.
        classes: names of the classes, or the path of a JSON.
        order: names of the classes in the order of the channels; empty where they are in order.
        axes: one of `calib_monai.scoring.axes.AXES`, or "".
        logits: whether the files hold logits.
        foreground: whether they lack the background.
        ignore_index: label of voxels that do not count, or None.
        any_grid: whether headers may place probabilities elsewhere than labels.
        any_fit: whether they may fit the labels far better turned or as other classes.
        patient: a pattern for the names of the cases that says which are of one patient, or "".
    """

    probs: Path
    labels: Path
    images: Path | None = None
    classes: Sequence[str] = ()
    order: Sequence[str] = ()
    axes: str = ""
    logits: bool = False
    foreground: bool = False
    ignore_index: int | None = None
    any_grid: bool = False
    any_fit: bool = False
    patient: str = ""


@dataclass(frozen=True)
class ScoredCases:
    """The cases whose headers were read.

    Attributes:
        found: by case, what its files say.
        classes: of all cases.
        reading: how files are read.
        patients: the patient of each case; empty if nobody says it.
        unmeasured: the names of the labels that have no probabilities; empty if a person named the cases.
    """

    found: Mapping[str, FoundProbs]
    classes: Classes
    reading: Reading = field(default_factory=Reading)
    patients: Mapping[str, str] = field(default_factory=dict)
    unmeasured: Sequence[str] = ()


def scored_cases(given: GivenFiles, only: Sequence[str] = (), classes: Classes | None = None) -> ScoredCases:
    """The cases of a folder of probabilities, whose files' headers are checked.

    Args:
        given: what a person says of the files.
        only: the names of the cases that are wanted; all where there are none.
        classes: those of other cases, which these must have, too.

    Raises:
        ValueError: files that do not fit together; the message is one line with the file, the value and the rule.
    """
    folders, ordered = [given.probs, given.labels], bool(given.order)
    known = classes or classes_of(given.classes, folders, given.ignore_index, ordered=ordered)
    if classes is not None:
        check_one_order(classes.names, folders, ordered=ordered, of_fit=True)
    pairs, unmeasured = pairs_in(
        given.probs,
        given.labels,
        known.names if known else (),
        foreground=given.foreground,
        only=only,
        images=given.images,
    )
    patients = patients_in(pairs, given.labels, given.patient)
    plain = Reading(given.axes, given.logits, given.foreground, (), not given.any_grid)
    count = len(known.names) if known else None
    found: dict[str, FoundProbs] = {}
    for pair in pairs:
        label = _label_header(pair)
        found[pair.case] = found_in(pair, label, plain, count)
        count = count or found[pair.case].num_classes
        check_fits(f"{pair.probs[0]} with its label takes", label.numel() * (LOADED + BYTES_OF_PROB * count))
    named = known or Classes(numbered(count or 0), given.ignore_index)
    if len(named.names) > MOST + 1:
        raise ValueError(
            f"{pairs[0].probs[0]} is of {len(named.names)} classes; at most {MOST + 1} are measured, for labels are "
            "kept as bytes"
        )
    check_ignored_label(named.ignore_index, len(named.names), "--ignore_label")
    if known is None:
        logger.warning(
            "nothing names the %d classes: they are called %s; --classes gives names", count, ", ".join(named.names)
        )
    order = order_of(given.order, named.names, foreground=given.foreground)
    by_name = next((pair.named for pair in pairs if pair.named), "")
    if order and by_name:
        raise ValueError(
            f"--order is {', '.join(given.order)}, and {by_name} says its class by its name; leave out --order, which "
            "is for channels without names"
        )
    reading = Reading(given.axes, given.logits, given.foreground, order, not given.any_grid)
    return ScoredCases(found, named, reading, patients, unmeasured)


def order_of(given: Sequence[str], names: Sequence[str], *, foreground: bool) -> tuple[int, ...]:
    """For each class the place of its channel; empty where nobody says it.

    Args:
        given: the names of the classes in the order of the channels.
        names: of the classes.
        foreground: whether the background has no channel.

    Raises:
        ValueError: other names than those of the classes.
    """
    if not given:
        return ()
    order = [*names[:1], *given] if foreground and given[0] != names[0] else list(given)
    if sorted(order) != sorted(names):
        raise ValueError(f"--order is {', '.join(given)}; it must be the classes {', '.join(names)}, each once")
    if foreground and order[0] != names[0]:
        raise ValueError(f"--order begins with {order[0]}; with --foreground no channel is of the {BACKGROUND}")
    return tuple(order.index(name) for name in names)


def _label_header(pair: Pair) -> MetaTensor:
    """The grid of a label, (1, X, Y, Z), by the header of its file; the voxels of a NIfTI are not read."""
    check_header(pair.label)
    if is_nifti(pair.label):
        stored = stored_in(pair.label)
        size = (*stored.shape, 1)[:SPATIAL_DIMS]
        if prod(stored.shape) != prod(size) or len(size) < SPATIAL_DIMS or stored.affine is None:
            raise ValueError(f"{pair.label} has the shape {stored.shape}; a label must be one volume")
        return MetaTensor(torch.zeros(1).expand(1, *size), affine=torch.as_tensor(stored.affine))
    loaded: MetaTensor = LoadCased("label")({"label": pair.label})["label"]
    if len(loaded) > 1:
        raise ValueError(f"{pair.label} has {len(loaded)} channels; a label must be one volume")
    return loaded
