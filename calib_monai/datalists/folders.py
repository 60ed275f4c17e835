"""Folders: what a data set's folder is refused for, and what it holds, in words."""

from __future__ import annotations

from pathlib import Path

from calib_monai.path_options import check_path

SHOWN = 5  # of many files, in a message


def dataset_folder(dataset_dir: str, holds: str) -> Path:
    """The folder of a data set.

    Args:
        dataset_dir: its path.
        holds: what the right folder holds, for the message.

    Raises:
        ValueError: a path that is no folder, or as `check_path`.
    """
    check_path("dataset_dir", dataset_dir)
    root = Path(dataset_dir)
    if not root.is_dir():
        raise ValueError(f"dataset_dir {root} is not a folder: set --dataset_dir to the one that holds {holds}")
    return root


def held(root: Path) -> str:
    """What a folder holds, in words: the first few names."""
    names = sorted(path.name for path in root.iterdir())
    return f"it holds {', '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}" if names else "it is empty"
