"""Locks: two runs that would write the same files do not run at once."""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from calib_monai.processes import gathered, is_first_process
from calib_monai.whole_files import remove_unfinished

held: dict[tuple[int, str], FileLock] = {}  # by process, because a forked one holds none, and by file

NAME = ".{}.lock"

logger = logging.getLogger(__name__)


def check_free(folder: str, what: str) -> None:
    """Raise ValueError as `hold` does, and hold the lock if the folder is there. No folder is made."""
    if all(gathered(Path(folder).is_dir())):
        hold(folder, what)


def hold(folder: str, what: str, files: Collection[str] = ()) -> None:
    """Lock what a run of a kind writes in a folder, until `release` or until this process ends, however it ends.

    The lock is on the file `.WHAT.lock`, which names the process. If several processes share a run, the first one
    holds it. The process that holds a lock may ask for it again.

    Args:
        folder: is made if it is not there.
        what: the kind of run, such as "training".
        files: names of files there that only a run of this kind writes, as in a shell. What killed runs have left
            unfinished of them is removed, if the folder can be locked.

    Raises:
        ValueError: another process holds the lock; the message names the process.
    """
    refusals = gathered(_refusal(_file(folder, what), what) if is_first_process() else "")
    if refusals[0]:
        raise ValueError(refusals[0])
    if (os.getpid(), _file(folder, what)) in held:
        remove_unfinished(Path(folder), files)


def release(what: str) -> None:
    """Give the locks of a kind of run back and remove their files, if this process holds any."""
    for process, file in list(held):
        if process == os.getpid() and Path(file).name == NAME.format(what):
            lock = held.pop((process, file))
            Path(file).unlink(missing_ok=True)  # before another process can hold it
            lock.release()


def has_begun(folder: str, what: str) -> bool:
    """Whether a run of a kind has begun in a folder and did not end as it should: the file of its lock is there."""
    return Path(folder, NAME.format(what)).is_file()


def _file(folder: str, what: str) -> str:
    """The file of a lock."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return str(Path(folder).resolve() / NAME.format(what))


def _refusal(file: str, what: str) -> str:
    """Why this process does not get a lock; "" if it has it now."""
    if (os.getpid(), file) in held:
        return ""
    lock = FileLock(file, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return (
            f"{Path(file).parent}: another {what} writes there{_owner(file)}; wait until it has ended, or give this "
            "one another folder"
        )
    except (OSError, NotImplementedError) as error:
        logger.warning("%s cannot be locked (%s): start no other %s there", Path(file).parent, error, what)
        return ""
    held[os.getpid(), file] = lock
    since = datetime.now().astimezone().isoformat("T", "seconds")
    about = {"process": os.getpid(), "host": platform.node(), "since": since}
    with suppress(OSError):  # a full disk: the lock holds without it
        Path(file).write_text(json.dumps(about), encoding="utf-8")
    return ""


def _owner(file: str) -> str:
    """The process that holds a lock, as far as its file tells."""
    try:
        about = json.loads(Path(file).read_text(encoding="utf-8"))
        return f" (process {about['process']} on {about['host']}, since {about['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
