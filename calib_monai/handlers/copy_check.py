"""The check of copies: refuses cases to which a calibrator was fitted, under whatever names they come again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from ignite.engine import Engine, Events
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.case_names import case_of
from calib_monai.handlers.engine_state import add_caution, affine_of, items, label_digest, start_cautions
from calib_monai.metrics.inputs import plain
from calib_monai.same_images import digest_of, in_one_orientation, on_a_grid

SAMPLED = 2**14  # probabilities of a case that are compared
ROUNDING = 0.01  # of probabilities that were stored in other precision, the coarsest as bytes


class Look(NamedTuple):
    """A case, and its probabilities on a regular grid; None if its digest tells these, too."""

    case: str
    probs: NDArray[np.float32] | None

    def is_copy_of(self, other: Look) -> bool:
        """Whether the probabilities of another case with the same digest are the same, but for rounding."""
        if self.probs is None or other.probs is None:
            return True
        return self.probs.shape == other.probs.shape and float(np.abs(self.probs - other.probs).max()) <= ROUNDING


class CopyCheck:
    """Stops an evaluator at the first case that is a copy of one that was fitted to, and tells of other copies.

    Two cases are copies if their labels agree in all voxels and their probabilities agree but for rounding. A label of
    a single value tells nothing: then the probabilities must be those of one prediction, as
    `calib_monai.same_images.digest_of` tells, and not constant. If only the labels agree, the case may be a copy that
    another model predicted: a caution names it if it was fitted to. A caution also names cases with the very same
    probabilities and other labels.

    Args:
        fitted: the cases that were fitted to, by their digest.
        of: what a caution begins with, such as which cases these are.

    Attributes:
        cases: the cases of this run, by their digest.
    """

    def __init__(self, fitted: Mapping[bytes, Sequence[Look]] | None = None, of: str = "") -> None:
        self.fitted = fitted or {}
        self.of = of
        self.cases: dict[bytes, list[Look]] = {}
        self.copies: list[tuple[str, str]] = []
        self.alike: list[tuple[str, str]] = []  # in their labels, with those that were fitted to
        self.first: dict[bytes, tuple[str, bytes]] = {}  # case with these probabilities, and the digest of its label
        self.misplaced: list[tuple[str, str]] = []  # that have the probabilities of another case alone

    def attach(self, engine: Engine) -> None:
        """Look at each case of a run of an evaluator, whose items have "prob", and tell of copies at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.tell)

    def start(self, engine: Engine) -> None:
        """Forget the earlier run."""
        self.cases, self.copies, self.alike, self.first, self.misplaced = {}, [], [], {}, []
        start_cautions(engine)

    def update(self, engine: Engine) -> None:
        """Look at the cases of an iteration.

        Raises:
            ValueError: one is a copy of a case that was fitted to.
        """
        for item in items(engine):
            label, probs, affine = label_digest(item), plain(item["prob"]).cpu().float(), affine_of(item)
            self._note_probs(case_of(item), label, _digest_of_probs(probs, affine))
            digest, look = _looked_at(item, label, probs, affine)
            if not digest:
                continue
            of_fit, of_run = self.fitted.get(digest, ()), self.cases.setdefault(digest, [])
            if fitted := next(filter(look.is_copy_of, of_fit), None):
                raise ValueError(
                    f"{look.case} is a copy of {fitted.case}, to which the calibrator was fitted: what is fitted to "
                    "a case cannot be measured on it; name the others by --cases"
                )
            self.alike += [(look.case, other.case) for other in of_fit[:1]]
            if first := next(filter(look.is_copy_of, of_run), None):
                self.copies.append((look.case, first.case))
            else:
                of_run.append(look)

    def _note_probs(self, case: str, label: bytes, digest: bytes) -> None:
        """Note the probabilities of a case; those that an earlier case of another label has may be misplaced.

        Args:
            case: its name.
            label: the digest of its label.
            digest: of its probabilities.
        """
        other, of_other = self.first.setdefault(digest, (case, label))
        if digest and label != of_other:
            self.misplaced.append((case, other))

    def tell(self, engine: Engine) -> None:
        """Note the copies among the cases, and what may be copies of those that were fitted to."""
        if self.copies:
            (case, other), number = self.copies[0], f"{len(self.copies)} case(s)"
            add_caution(engine, f"{self.of}{number} are copies of others, first {case} of {other}: each counts again")
        if self.misplaced:
            (case, other), number = self.misplaced[0], f"{len(self.misplaced)} case(s)"
            add_caution(
                engine,
                f"{self.of}{number} have the probabilities of others, first {case} those of {other}, whose label is "
                "another one: look at them",
            )
        if self.alike:
            (case, other), number = self.alike[0], f"{len(self.alike)} case(s)"
            add_caution(
                engine,
                f"{number} have the label, voxel by voxel, of a case to which the calibrator was fitted, first {case} "
                f"that of {other}: if they are the same cases, the calibrator looks better here than it is",
            )


def _looked_at(
    item: Mapping[str, Any], label: bytes, probs: Tensor, affine: NDArray[np.float64] | None
) -> tuple[bytes, Look]:
    """What is the same for two cases that may be copies, empty where nothing is; and the case.

    Args:
        item: the case.
        label: the digest of its label.
        probs: its probabilities, (C, H, W[, D]), float32.
        affine: of its label.
    """
    values = plain(item["label"])
    if not label:
        return b"", Look(case_of(item), None)
    if bool((values != values.flatten()[0]).any()):
        return label, Look(case_of(item), on_a_grid(in_one_orientation(probs, affine), SAMPLED))
    digest = digest_of(probs, affine)
    return digest and digest + label, Look(case_of(item), None)


def _digest_of_probs(probs: Tensor, affine: NDArray[np.float64] | None) -> bytes:
    """What is the same for two cases if all their probabilities are; nothing if these seem to be constant."""
    if not digest_of(probs, affine):
        return b""
    digest = blake2b(repr(tuple(probs.shape)).encode(), digest_size=16)
    for channel in in_one_orientation(probs, affine):
        digest.update(np.ascontiguousarray(channel).data)
    return digest.digest()
