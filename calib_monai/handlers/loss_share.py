"""The share of each process in the loss, where several processes share the batches of a trainer."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine
from monai.engines.utils import IterationEvents


class ShareOfLoss:
    """Weighs the loss of each process by its share of the batch, so that a step equals a step on the whole batch.

    The gradients of all processes are averaged with equal weights, but the last batch of an epoch may not divide
    evenly. The engine's batch must hold "share", which `SliceLoader` adds for several processes.
    """

    def attach(self, engine: Engine) -> None:
        """Weigh each loss of a trainer before it is differentiated."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Weigh the loss of this iteration."""
        state: Any = engine.state
        state.output["loss"] = state.output["loss"] * state.batch["share"]
