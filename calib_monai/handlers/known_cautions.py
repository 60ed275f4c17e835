"""Known cautions: what was found before a run, and must be known before its numbers are believed."""

from __future__ import annotations

from collections.abc import Sequence

from ignite.engine import Engine, Events

from calib_monai.handlers.engine_state import add_caution


class KnownCautions:
    """Adds cautions at the start of a run of an evaluator. Attach it after handlers that find some themselves.

    Args:
        cautions: sentences without their period.
    """

    def __init__(self, cautions: Sequence[str]) -> None:
        self.cautions = cautions

    def attach(self, engine: Engine) -> None:
        """Add them after the others have forgotten an earlier run."""
        engine.add_event_handler(Events.STARTED, self.start)

    def start(self, engine: Engine) -> None:
        """Add them."""
        for caution in self.cautions:
            add_caution(engine, caution)
