"""Checks of many cases: in several threads, with a limit on memory, and with one line as the result."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from tqdm import tqdm

from calib_monai.budgets import Budget
from calib_monai.datalists.splits import Case
from calib_monai.headers import bytes_together, check_fits
from calib_monai.memory import memory_here
from calib_monai.processes import bar_is_hidden, check_enough, gathered, is_first_process, share
from calib_monai.read_once import forget, keeping
from calib_monai.volumes import files_of

T = TypeVar("T")

MOST_TOLD = 10  # of the cases that are found bad
MAX_THREADS = 4
MOST_BYTES = 4 * 10**9  # that they take at a time, or half of the memory; a larger case is read alone

logger = logging.getLogger(__name__)


def read_all(sets: Sequence[list[Case]], read: Callable[[Case], T], again: Iterable[Case] = ()) -> list[T]:
    """The result of `read` for each case of the sets, in order; raise the first ValueError of `read`.

    Processes share each set as `own_part` does, so that the one that checks a case is the one that runs it.

    Args:
        sets: the cases to read.
        read: reads a case, and raises ValueError if it is bad.
        again: the cases that the run will read in this process, too: what was read of them is kept (`read_once`).
    """
    num_cases = sum(map(len, sets))
    check_enough(num_cases)
    if is_first_process():
        logger.info("checking %d file(s) of %d case(s)", sum(len(files_of(case)) for case in chain(*sets)), num_cases)
    parts = [share(cases) for cases in sets]
    told = iter(read_or_refused([*chain(*parts)], read, again))
    by_process = gathered([list(islice(told, len(part))) for part in parts])
    found = [one for of_set in zip(*by_process, strict=True) for of_process in of_set for one in of_process]
    problems = [line for line in found if isinstance(line, str)]
    if problems:
        forget()
        raise ValueError(told_of(problems, num_cases))
    return [value for value in found if not isinstance(value, str)]


def read_or_refused(cases: list[Case], read: Callable[[Case], T], again: Iterable[Case] = ()) -> list[T | str]:
    """The result of `read` for each case, or the text of its ValueError; the arguments are those of `read_all`."""
    forget()  # what is left of the check before
    budget, kept = Budget(int(min(MOST_BYTES, memory_here() / 2))), {id(case) for case in again}

    def attempt(case: Case) -> T | str:
        try:
            with budget.share(bytes_together(files_of(case))), keeping(id(case) in kept):
                return read(case)
        except ValueError as error:
            return str(error)

    first = [attempt(case) for case in cases[:1]]  # alone: readers load their parts lazily, as `found_cases` says
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        others = pool.map(attempt, cases[1:])
        told = chain(first, others)
        return list(tqdm(told, total=len(cases), desc="Checking files", unit="case", disable=bar_is_hidden()))


def check_workers(cases: Sequence[Case], num_workers: int) -> None:
    """Raise ValueError if the largest cases do not fit into memory where each worker of a loader loads one of them.

    Args:
        cases: those that the loader of this process loads.
        num_workers: of this loader; where several processes run on this machine, each has as many.
    """
    at_once = min(num_workers * int(os.environ.get("LOCAL_WORLD_SIZE", "1")), len(cases))
    if at_once < 2:  # noqa: PLR2004 - one alone was checked
        return
    largest = sorted(((bytes_together(files_of(case)), case["case"]) for case in cases), reverse=True)[:at_once]
    check_fits(
        f"num_workers is {num_workers}; give fewer, for the {at_once} largest cases, first {largest[0][1]}, take",
        sum(size for size, _ in largest),
    )


def told_of(problems: list[str], num_cases: int) -> str:
    """The first of these lines, with the number of further bad cases; a few of these are logged."""
    logged = problems[1:MOST_TOLD]
    for line in logged if is_first_process() else ():
        logger.warning(line)
    return problems[0] + (f" (and {len(problems) - 1} more of {num_cases} cases)" if logged else "")
