"""Known cautions are noted in each run, after what forgets those of an earlier run."""

from __future__ import annotations

from ignite.engine import Engine, Events

from calib_monai.handlers.engine_state import start_cautions
from calib_monai.handlers.known_cautions import KnownCautions


def test_each_run_notes_them_once() -> None:
    engine = Engine(lambda *_: None)
    engine.add_event_handler(Events.STARTED, start_cautions)
    KnownCautions(["a label is missing"]).attach(engine)
    for _ in range(2):
        engine.run([0], max_epochs=1)
        assert engine.state.cautions == ["a label is missing"]
