"""Figures of an evaluation, drawn at its end."""

from __future__ import annotations

from pathlib import Path

from ignite.engine import Engine, Events

from calib_monai.processes import is_first_process
from calib_monai.reports.report import write_report
from calib_monai.reports.run_files import read_run


class FiguresSaver:
    """Writes the report of this evaluation alone, as `python -m calib_monai.reports` would, to `report`.

    Args:
        output_dir: where the evaluation was written, and in which `report` is made.
    """

    def __init__(self, output_dir: str) -> None:
        self.folder = Path(output_dir)

    def attach(self, engine: Engine) -> None:
        """Draw at the end of an evaluation. Attach it after what writes the results."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, _engine: Engine) -> None:
        """Write the report."""
        if is_first_process():
            write_report([read_run(self.folder)], self.folder / "report")
