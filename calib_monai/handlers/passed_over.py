"""Passed over: a case whose results cannot be written does not cost the results of the others."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ignite.engine import Engine

OF_ONE_CASE = {
    *(errno.EACCES, errno.EEXIST, errno.EILSEQ, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR),
    errno.EPERM,
}  # errors of a name, or of what is there already; those of a whole disk are not among them


@contextmanager
def passing_over(engine: Engine, case: str, lost: set[str]) -> Iterator[None]:
    """Pass over a case if its files cannot be written inside, unless all other cases would meet the same error.

    The evaluator's cases note it by their `lose` (`calib_monai.predicted_cases.Inputs`), and `lost` gets its name.

    Args:
        engine: the evaluator.
        case: the name of the case.
        lost: the names of the cases that were passed over.

    Raises:
        ValueError: the files cannot be written, and the cases cannot note that.
        OSError: the disk is full or broken.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in OF_ONE_CASE:
            raise
        why = f"{error.filename or case} cannot be written or replaced: {error.strerror}"
        lose = getattr(cases_of(engine), "lose", None)
        if lose is None:
            raise ValueError(why) from None
        lost.add(case)
        lose(case, why)


def cases_of(engine: Engine) -> Any:
    """The cases of an evaluator's data set; none if it has no such data set."""
    return getattr(getattr(getattr(engine, "data_loader", None), "dataset", None), "data", ())
