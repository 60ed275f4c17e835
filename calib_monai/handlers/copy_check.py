"""The check of copies: refuses cases to which a calibrator was fitted, under whatever names they come again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from calib_monai.case_names import case_of
from calib_monai.handlers.engine_state import add_caution, items, start_cautions
from calib_monai.metrics.inputs import plain
from calib_monai.same_images import digest_of, label_digest_of


class CopyCheck:
    """Stops an evaluator at the first case that is a copy of one that was fitted to, and tells of other copies.

    Two cases are copies if their labels agree in all voxels and their probabilities are those of one prediction, as
    `calib_monai.same_images.digest_of` tells. A case whose probabilities are constant is a copy of none.

    Args:
        fitted: the cases that were fitted to, by their digest.
        of: what a caution begins with, such as which cases these are.

    Attributes:
        cases: the cases of this run, by their digest.
    """

    def __init__(self, fitted: Mapping[bytes, str] | None = None, of: str = "") -> None:
        self.fitted = fitted or {}
        self.of = of
        self.cases: dict[bytes, str] = {}
        self.copies: list[tuple[str, str]] = []

    def attach(self, engine: Engine) -> None:
        """Look at each case of a run of an evaluator, whose items have "prob", and tell of copies at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.tell)

    def start(self, engine: Engine) -> None:
        """Forget the earlier run."""
        self.cases, self.copies = {}, []
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

    def tell(self, engine: Engine) -> None:
        """Note the copies among the cases."""
        if self.copies:
            (case, other), number = self.copies[0], f"{len(self.copies)} case(s)"
            add_caution(engine, f"{self.of}{number} are copies of others, first {case} of {other}: each counts again")


def _digest(item: Mapping[str, Any]) -> bytes:
    """What is the same for two cases with the same label and the same probabilities; nothing for constant ones."""
    affine = np.asarray(item["label"].affine) if hasattr(item["label"], "affine") else None
    probs = digest_of(plain(item["prob"]).cpu(), affine)
    return probs and probs + label_digest_of(plain(item["label"]).cpu(), affine)
