"""Complete files: each is written beside its place, synced and renamed, so that a killed run leaves no partial file."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from math import isfinite, nan
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

FORMULA = re.compile(r"'*\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|'*[\t\r]")  # and a text that was one before "'" came
MOST_SHOWN = 100  # characters of a key
UNFINISHED = ".unfinished_"  # the beginning of the name of what is being written


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """The place to write a file, which replaces `path` after all of it is on disk.

    Folders are made. If writing fails, the earlier file at `path` stays, and an OSError names it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{UNFINISHED}{os.getpid()}_{path.name}")  # others may be at it too
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        unfinished.unlink(missing_ok=True)
        _add_filename(error, path)
        raise
    if os.name == "posix":  # the new name too: elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed runs have left of files in a folder. No process may be writing one of them.

    Args:
        folder: of the files.
        names: of the files, as in a shell: "checkpoint_epoch=*.pt".
    """
    for path in folder.glob(f"{UNFINISHED}*"):
        left = re.fullmatch(rf"{re.escape(UNFINISHED)}\d+_(.+)", path.name)
        if left and path.is_file() and any(fnmatchcase(left[1], name) for name in names):
            path.unlink(missing_ok=True)


def _add_filename(error: BaseException | None, path: Path) -> None:
    """Add the file to each OSError of a chain that names none; for a full disk Python names no file."""
    while error is not None:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)
        error = error.__cause__ or error.__context__


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file open for bytes, which replaces `path` after all of it is on disk."""
    with whole_path(path) as unfinished, unfinished.open("wb") as file:
        yield file


@contextmanager
def named_file(path: Path) -> Iterator[BinaryIO]:
    """A file open for bytes that is of this run alone, so it need not be on disk; an OSError names it."""
    try:
        with path.open("wb") as file:
            yield file
    except BaseException as error:
        _add_filename(error, path)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write text in UTF-8, completely or not at all."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))


def write_json(path: Path, content: Any, *, indent: int | None = 1) -> None:
    """Write JSON, completely or not at all.

    Raises:
        ValueError: the content holds NaN or an infinite number, which JSON does not know.
    """
    try:
        text = json.dumps(content, indent=indent, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{path} is not written, for a number in it is NaN or infinite: {error}") from None
    write_whole(path, f"{text}\n")


def read_json(path: Path, name: str = "") -> Any:
    """The content of a JSON file.

    Args:
        path: of the file.
        name: what stands before the path in a message, such as "split".

    Raises:
        ValueError: a file that cannot be read, that has a key twice, or is no JSON, which knows neither NaN nor
            infinite numbers.
    """
    told = f"{name} {path}".lstrip()
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ValueError(f"{told} cannot be read: it is no regular file")
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows put a mark before the text
    except OSError as error:
        raise ValueError(f"{told} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{told} is no JSON: {error}") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_each_once)
    except KeyTwiceError as error:
        raise ValueError(f"{told} {error}") from None
    except RecursionError:
        raise ValueError(f"{told} is no JSON that can be read: it is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{told} is no JSON: {error}") from None


def or_null(value: float) -> float | None:
    """A number for a JSON file, which has null in the place of NaN and of infinite numbers."""
    return value if isfinite(value) else None


def number(value: float | None) -> float:
    """A number of a JSON file, which has null in the place of NaN."""
    return nan if value is None else float(value)


def _refuse_constant(name: str) -> NoReturn:
    """Raise ValueError for NaN and Infinity, which Python's parser takes."""
    raise ValueError(f"{name} is no number of JSON")


class KeyTwiceError(ValueError):
    """An object of JSON has a key more than once."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; raise KeyTwiceError if it has a key twice, of which Python's parser takes the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise KeyTwiceError(f"has the key {twice[:MOST_SHOWN]!r} more than once")
    return found


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV, completely or not at all.

    A text that a spreadsheet would run as a formula gets a "'" before it, after which a spreadsheet shows it as a text.
    `read_csv` takes that away. Numbers stay as they are.
    """
    text = io.StringIO()
    csv.writer(text).writerows([_as_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    write_whole(path, text.getvalue())


def read_csv(text: str) -> list[dict[str, str]]:
    """The rows of a text that `write_csv` wrote, each by the names in the first row."""
    return [
        {_as_written(name): _as_written(cell) for name, cell in row.items()}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def _as_written(cell: Any) -> Any:
    """A cell as it was before `_as_text`; what is no text, of a row that is too long or too short, stays."""
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell) else cell
