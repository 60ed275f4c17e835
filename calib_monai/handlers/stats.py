"""Stats of epochs in the log."""

from __future__ import annotations

from typing import NoReturn

from ignite.engine import Engine
from monai.handlers import StatsHandler


class EpochStats(StatsHandler):
    """MONAI's StatsHandler for epochs only, without a log of errors.

    MONAI's handler logs a traceback of each error, also of Ctrl-C and of a refusal in one line. The program itself
    shows an error when it ends.

    Args:
        name: name of the logger.
    """

    def __init__(self, name: str) -> None:
        super().__init__(iteration_log=False, name=name)

    def exception_raised(self, _engine: Engine, e: BaseException) -> NoReturn:
        """Let the error end the program."""
        raise e
