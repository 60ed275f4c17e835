"""Seeds: what is random in an epoch follows from the seed and the epoch alone."""

from __future__ import annotations

from ignite.engine import Engine, Events
from ignite.utils import manual_seed

from calib_monai.processes import own_rank

APART = 1_000_003  # the seeds of one process from those of the next: farther than there are epochs


class EpochSeed:
    """Seeds all generators at the start of each epoch, so that a training that was stopped goes on with the same draws.

    Args:
        seed: epoch n starts with `seed` + n, in each process with another.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Seed at the start of each epoch of a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed the generators of Python, NumPy and torch."""
        manual_seed((self.seed + engine.state.epoch + APART * own_rank()) % 2**32)  # NumPy's limit
