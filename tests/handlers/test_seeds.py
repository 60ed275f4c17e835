"""Seeds: the draws of an epoch follow from the seed and its number."""

from __future__ import annotations

import random

import numpy as np
import torch
from ignite.engine import Engine

from calib_monai.handlers import EpochSeed


def draws(seed: int, epochs: int, *, first: int = 0) -> list[tuple[float, float, float]]:
    """What each epoch of a training draws that starts after epoch `first`."""
    drawn: list[tuple[float, float, float]] = []
    engine = Engine(lambda _engine, _batch: drawn.append((torch.rand(()).item(), np.random.rand(), random.random())))  # noqa: NPY002, S311
    EpochSeed(seed).attach(engine)
    engine.load_state_dict({"epoch_length": 1, "max_epochs": epochs, "iteration": first})
    engine.run([0], max_epochs=epochs)
    return drawn


def test_an_epoch_draws_the_same_whether_or_not_the_training_was_stopped_before_it() -> None:
    whole = draws(seed=3, epochs=4)
    assert len({number for epoch in whole for number in epoch}) == 12
    assert draws(seed=3, epochs=4, first=2) == whole[2:]
    assert draws(seed=9, epochs=4) != whole


def test_the_largest_seed_has_a_next_epoch() -> None:
    assert draws(seed=2**32 - 1, epochs=2)[1] == draws(seed=0, epochs=1)[0]
