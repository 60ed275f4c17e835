"""Folders: checks the folder of a data set, lists its files, and logs the files that are skipped."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from calib_monai.path_options import check_path, check_searched
from calib_monai.spelling import first_of

MOST_FILES = 5  # of many files, in a message
MOST_NAMED = 10  # of the files that are passed over

logger = logging.getLogger(__name__)


def dataset_folder(dataset_dir: str, holds: str) -> Path:
    """The folder of a data set.

    Args:
        dataset_dir: its path.
        holds: the expected content of the folder, for the message.

    Raises:
        ValueError: a path that is not a folder, or as `check_path`.
    """
    check_path("dataset_dir", dataset_dir)
    root = Path(dataset_dir)
    if not root.is_dir():
        raise ValueError(f"dataset_dir {root} is not a folder: set --dataset_dir to the one that holds {holds}")
    return root


def held(root: Path) -> str:
    """The content of a folder in words: the first few names."""
    names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    return f"it holds {first_of(names, MOST_FILES)}" if names else "it is empty"


def files_below(root: Path) -> tuple[list[Path], list[Path]]:
    """The files of a folder and of all folders in it, and separately the hidden files, sorted.

    Links are followed, into each folder once. A name that begins with a dot is hidden, such as the `._` files of macOS,
    and so is all content of a hidden folder.

    Raises:
        ValueError: as `check_searched`.
    """
    check_searched(root)
    files: list[Path] = []
    hidden: list[Path] = []
    seen: set[Path] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        folders.sort(key=lambda name, here=here: ((here / name).is_symlink(), name))  # type: ignore[misc]
        inside = here.relative_to(root).parts
        for name in names:
            is_hidden = any(part.startswith(".") for part in (*inside, name))
            (hidden if is_hidden else files).append(here / name)
    return sorted(files), sorted(hidden)


def tell_passed_over(root: Path, reasons: Mapping[str, Sequence[Path]], level: int = logging.INFO) -> None:
    """Log one line with the skipped files of a folder: their number for each reason, and some of their names.

    Args:
        root: the folder.
        reasons: the files by the reason why they are skipped.
        level: of the line.
    """
    count = sum(map(len, reasons.values()))
    left, parts = MOST_NAMED, []
    for reason, files in reasons.items():
        shown = [str(file.relative_to(root)) for file in files[:left]]
        left -= len(shown)
        if len(shown) < len(files):
            shown.append("...")
        if files:
            parts.append(f"{len(files)} {reason} ({', '.join(shown)})")
    if count:
        logger.log(level, "skipped in %s: %d file(s): %s", root, count, "; ".join(parts))
