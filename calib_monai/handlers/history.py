"""History: a table on disk with the measurements of each epoch of a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

from calib_monai.processes import is_first_process
from calib_monai.whole_files import read_csv, write_csv

FILE = "history.csv"


class History:
    """Writes `history.csv`, with a row for each epoch: learning rate, metrics of the trainer and of the validation.

    A resumed training continues with the rows of its checkpoint.

    Args:
        output_dir: folder of the file.
        evaluator: the evaluator of the validation.
    """

    def __init__(self, output_dir: str, evaluator: Engine) -> None:
        self.path = Path(output_dir) / FILE
        self.evaluator = evaluator
        self.rows: list[dict[str, float]] = []
        self.rate: dict[str, float] = {}

    def attach(self, engine: Engine) -> None:
        """Write after each epoch of a trainer. Attach it after the validation."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.note_rate)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def note_rate(self, engine: Engine) -> None:
        """Note the learning rate of this epoch, before a scheduler changes it."""
        optimizer = getattr(engine, "optimizer", None)
        self.rate = {} if optimizer is None else {"learning_rate": float(optimizer.param_groups[0]["lr"])}

    def __call__(self, engine: Engine) -> None:
        """Add the row of this epoch and write all."""
        epoch = engine.state.epoch
        validated = self.evaluator.state.metrics if self.evaluator.state.epoch == epoch else {}
        measured = {**self.rate, **engine.state.metrics, **validated}
        self.rows.append({"epoch": epoch, **{name: float(value) for name, value in measured.items()}})
        if is_first_process():
            names = list(dict.fromkeys(name for row in self.rows for name in row))
            write_csv(self.path, [names, *([row.get(name, "") for name in names] for row in self.rows)])

    def state_dict(self) -> dict[str, Any]:
        """The rows."""
        return {"rows": self.rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after these rows; raise ValueError if the present file has other rows."""
        self.rows = [dict(row) for row in state["rows"]]
        if self.path.is_file():
            there = read_csv(self.path.read_text(encoding="utf-8"))
            for mine, other in zip(self.rows, there, strict=False):  # that of a run that was killed may have one more
                if any(other.get(name) != str(value) for name, value in mine.items()):
                    raise ValueError(
                        f"{self.path} is of another training: in epoch {mine['epoch']} it had other values"
                    )
