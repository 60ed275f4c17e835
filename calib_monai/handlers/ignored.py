"""The label that is no class: one handler knows it, the others ask for it."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine


class IgnoredLabel:
    """Tells the other handlers of an evaluator which label is no class; they leave out its voxels.

    Args:
        ignore_index: the label, or None.
    """

    def __init__(self, ignore_index: int | None = None) -> None:
        self.ignore_index = ignore_index

    def attach(self, engine: Engine) -> None:
        """Note it as `engine.state.ignore_index`."""
        state: Any = engine.state
        state.ignore_index = self.ignore_index


def ignored_label(engine: Engine) -> int | None:
    """The label that is no class in a run of this engine, None without `IgnoredLabel`."""
    return getattr(engine.state, "ignore_index", None)
