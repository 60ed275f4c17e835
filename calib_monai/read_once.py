"""Files read once: what a check has read is kept, up to a limit, for the run that follows it.

It is kept until the run reads it, or until the next check. Whoever checks and does not run calls `forget`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock

from monai.data import MetaTensor

from calib_monai.memory import fits

Loaded = dict[Hashable, MetaTensor]

_noted: ContextVar[list[Hashable] | None] = ContextVar("_noted", default=None)  # what a check of a case has kept
_kept: dict[Hashable, Loaded] = {}
_lock = Lock()


@contextmanager
def keeping(wanted: bool) -> Iterator[None]:  # noqa: FBT001 - what it is called with says what it does
    """If wanted, keep the images that this thread reads inside; not if an error ends it, as such a case is not run."""
    noted: list[Hashable] = []
    before = _noted.set(noted if wanted else None)
    try:
        yield
    except Exception:
        with _lock:
            for known_as in noted:
                _kept.pop(known_as, None)
        raise
    finally:
        _noted.reset(before)


def forget() -> None:
    """Keep nothing of what was read so far."""
    with _lock:
        _kept.clear()


def read_once(files: Mapping[Hashable, Sequence[str]], settings: Hashable, read: Callable[[], Loaded]) -> Loaded:
    """The content of files, read now or kept from before. What was kept is handed over: the next call reads again.

    Args:
        files: by key the files, or folders of files, that are read. A file that has changed is read again.
        settings: of the reader.
        read: reads them.
    """
    noted = _noted.get()
    if noted is None and not _kept:
        return read()
    known_as = settings, tuple((key, tuple(map(_state, of_key))) for key, of_key in files.items())
    if noted is None:
        with _lock:
            kept = _kept.pop(known_as, None)
        return read() if kept is None else kept
    loaded = read()
    size = sum(image.nbytes for image in loaded.values())
    with _lock:
        held = sum(image.nbytes for of_case in _kept.values() for image in of_case.values())
        if fits(size, held):
            _kept[known_as] = {key: image.clone() for key, image in loaded.items()}  # type: ignore[no-untyped-call]
            noted.append(known_as)
    return loaded


def _state(file: str) -> Hashable:
    """The time and size of a file, or of each file in a folder; they tell whether it is still the same."""
    try:
        path = Path(file)
        found = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
        states = [(str(one), one.stat()) for one in found]
        return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
    except OSError:  # the reader says what is wrong
        return file
