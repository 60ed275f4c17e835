"""Pages that scripts write: each is written, or with `--check` compared."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from bundle_parts import shown


def write_or_check(page: Path, made: Callable[[], str], script: str, about: str, given: list[str] | None) -> None:
    """Write a page; with `--check` raise ValueError if it is not current.

    Args:
        page: its file.
        made: makes its text.
        script: the file of the script that writes it.
        about: what `--help` says.
        given: the command line, by default the one that runs.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args(given).check
    current = made()
    if check and page.read_text(encoding="utf-8") != current:
        raise ValueError(f"{shown(page)} is not current: run python scripts/{Path(script).name}")
    if not check:
        page.write_text(current, encoding="utf-8")
