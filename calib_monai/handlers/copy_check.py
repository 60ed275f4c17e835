"""The check of copies: refuses cases to which a calibrator was fitted, under whatever names they come again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from numpy.typing import NDArray

from calib_monai.case_names import case_of
from calib_monai.handlers.engine_state import add_caution, items, start_cautions
from calib_monai.labels import most_probable
from calib_monai.metrics.inputs import plain
from calib_monai.same_images import digest_of, label_digest_of

DIGEST = 16  # bytes of the digest of a label


class CopyCheck:
    """Stops an evaluator at the first case that is a copy of one that was fitted to, and tells of other copies.

    Two cases are copies if their labels agree in all voxels, and so do their most probable classes: probabilities may
    have been rounded. Without a structure in the label, their probabilities must be those of one prediction, as
    `calib_monai.same_images.digest_of` tells, and not constant. If only their labels agree, they may be copies that
    another model predicted: a caution tells it of those that were fitted to.

    Args:
        fitted: the cases that were fitted to, by their digest.
        of: what a caution begins with, such as which cases these are.

    Attributes:
        cases: the cases of this run, by their digest.
    """

    def __init__(self, fitted: Mapping[bytes, str] | None = None, of: str = "") -> None:
        self.fitted = fitted or {}
        self.labels = {digest[-DIGEST:]: case for digest, case in self.fitted.items()}
        self.of = of
        self.cases: dict[bytes, str] = {}
        self.copies: list[tuple[str, str]] = []
        self.alike: list[tuple[str, str]] = []  # in their labels, with those that were fitted to

    def attach(self, engine: Engine) -> None:
        """Look at each case of a run of an evaluator, whose items have "prob", and tell of copies at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.tell)

    def start(self, engine: Engine) -> None:
        """Forget the earlier run."""
        self.cases, self.copies, self.alike = {}, [], []
        start_cautions(engine)

    def update(self, engine: Engine) -> None:
        """Look at the cases of an iteration.

        Raises:
            ValueError: one is a copy of a case that was fitted to.
        """
        for item in items(engine):
            digest, case = _digest(item), case_of(item)
            if not digest:
                continue
            if digest in self.fitted:
                raise ValueError(
                    f"{case} is a copy of {self.fitted[digest]}, to which the calibrator was fitted: what is fitted to "
                    "a case cannot be measured on it; name the others by --cases"
                )
            first = self.cases.setdefault(digest, case)
            if first != case:
                self.copies.append((case, first))
            if plain(item["label"]).any() and (other := self.labels.get(digest[-DIGEST:])):
                self.alike.append((case, other))

    def tell(self, engine: Engine) -> None:
        """Note the copies among the cases, and what may be copies of those that were fitted to."""
        if self.copies:
            (case, other), number = self.copies[0], f"{len(self.copies)} case(s)"
            add_caution(engine, f"{self.of}{number} are copies of others, first {case} of {other}: each counts again")
        if self.alike:
            (case, other), number = self.alike[0], f"{len(self.alike)} case(s)"
            add_caution(
                engine,
                f"{number} have the label, voxel by voxel, of a case to which the calibrator was fitted, first {case} "
                f"that of {other}: if they are the same cases, the calibrator looks better here than it is",
            )


def label_digest(item: Mapping[str, Any]) -> bytes:
    """What is the same for the labels of two cases that agree in all voxels; nothing for a one-hot label."""
    label = plain(item["label"]).cpu()
    return label_digest_of(label, _affine_of(item)) if len(label) == 1 else b""


def _digest(item: Mapping[str, Any]) -> bytes:
    """What is the same for two cases that are copies; nothing where that cannot be told."""
    probs, affine = plain(item["prob"]).cpu(), _affine_of(item)
    if plain(item["label"]).any():
        predicted = label_digest_of(most_probable(probs)[0][None], affine)
    else:
        predicted = digest_of(probs, affine)
    return predicted and predicted + label_digest(item)


def _affine_of(item: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """The affine of a case's label, (4, 4), if it has one."""
    return np.asarray(item["label"].affine) if hasattr(item["label"], "affine") else None
