"""Stats: a line an epoch, and an error is left to the program."""

from __future__ import annotations

import pytest
from ignite.engine import Engine

from calib_monai.handlers import EpochStats


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_ends_the_run_and_leaves_no_traceback_in_the_log(
    error: type[BaseException], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_engine: Engine, _batch: int) -> None:
        raise error

    engine = Engine(fail)
    engine.logger.setLevel("CRITICAL")  # as logging.conf does
    EpochStats(name="train").attach(engine)
    with pytest.raises(error):
        engine.run([1])
    assert capsys.readouterr() == ("", "")
    assert not caplog.records
