"""Path options: refuses paths that MONAI, the command line or the shell would change."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PATHS = ("bundle_root", "dataset_dir", "ckpt_dir", "output_dir", "input", "split", "test_dir")
MAY_BE_EMPTY = ("input", "split", "test_dir")
OF_MONAI = re.compile(r"#|::")


def check_path(name: str, path: str) -> None:
    """Raise ValueError if a path holds "#" or "::", which have a meaning of their own in MONAI's configurations."""
    found = OF_MONAI.search(path)
    if found:
        raise ValueError(
            f"{name} {path} holds '{found[0]}'; MONAI makes '::' of '#' in a configuration, so no path in one may hold "
            "either: rename the folder, or start inside of it and give '.'"
        )


def check_writable(folders: Sequence[str]) -> None:
    """Raise ValueError if a folder cannot be made or written to."""
    for folder in map(Path, folders):
        check_path("nothing can be written to", str(folder))
        try:
            os.lstat(folder)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise ValueError(f"nothing can be written to {folder}: the name is too long") from None
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
        if not there.is_dir():
            raise ValueError(f"nothing can be written to {folder}: {there} is not a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise ValueError(f"nothing can be written to {folder}: no permission to write to {there}")


def check_searched(folder: Path, most: int | None = None, found: int = 0) -> None:
    """Raise ValueError if a folder is not one of images alone: nobody wants a whole disk to be searched.

    Args:
        folder: in which files are searched at any depth.
        most: number of files that are searched, None for any.
        found: number of files until now.
    """
    whole, home = folder.resolve(), Path.home().resolve()
    if whole == Path(whole.anchor) or home.is_relative_to(whole):
        raise ValueError(f"{folder} is {whole}, and all folders in it would be searched: name the folder of the images")
    if most is not None and found > most:
        raise ValueError(f"{folder} holds more than {most} files: name the folder of one DICOM series")


def check_path_option(name: str, value: Any, config: Mapping[str, Any], written: str | None = None) -> None:
    """Raise ValueError if a path given on the command line would be read as something else.

    Args:
        name: of the option, one of `PATHS`.
        value: as Fire reads it.
        config: the configuration, whose other paths may be referred to.
        written: what was written, which Fire takes for Python: of "run #1" it makes "run".
    """
    written = written if written is not None else str(value)
    if not isinstance(value, str):
        if name == "input" and isinstance(value, list):
            raise ValueError(f'--{name} is one path; several images are given as --dataset#data "{value}"')
        kind = "a number" if isinstance(value, int | float) else f"a {type(value).__name__}"
        raise ValueError(f"--{name} {written} is read as {kind}: write ./{written}")  # noqa: TRY004 - a value of an option
    if not value.startswith("$"):
        check_path(f"--{name}", written)
    if not value.strip() and name not in MAY_BE_EMPTY:
        raise ValueError(f"--{name} is empty; for the folder that you are in write .")
    if value.startswith("$"):
        if not re.search(r"[@'\"(]", value):  # as in every expression that gives a path
            raise ValueError(f"--{name} {value} is read as an expression: write the path without $, or ./{value}")
        return
    if value.startswith("~"):
        raise ValueError(f"--{name} {value} is no path: the shell did not write out '~'; write the folder itself")
    if value.startswith("%"):
        raise ValueError(f"--{name} {value} is read as a reference: write ./{value}")
    reference = re.fullmatch(r"@(\w*)((::|#)\w*)*", value)
    if reference and (reference[1] not in config or reference[1] not in PATHS):
        raise ValueError(f"--{name} {value} is read as a reference: write ./{value}")
