"""Star folders: warns if the files of one case lie in folders that the `*` of their patterns finds apart."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from unicodedata import normalize

logger = logging.getLogger(__name__)


def warn_of_folders(channels: Sequence[tuple[str, Mapping[str, Path]]]) -> None:
    """Warn if the `*` in the folders of two patterns stand for different texts in two files of one case.

    The files may be of different visits or sites. They may also be right: a folder may be named after a modality or a
    reader. So nothing is refused. `*` in the name of a file is free.

    Args:
        channels: each pattern, as in `find_cases`, with its files by case.
    """
    apart: dict[str, tuple[Path, Path]] = {}  # the first two files of each case
    for (pattern, files), (other, others) in combinations(channels, 2):
        if not _folders(pattern).count("*") == _folders(other).count("*") > 0:
            continue
        for case in files.keys() & others.keys() - apart.keys():
            if _stars(pattern, case, files[case]) != _stars(other, case, others[case]):
                apart[case] = files[case], others[case]
    if apart:
        first, second = apart[min(apart)]
        logger.warning(
            "%d case(s) have files in different folders where their patterns have *, first %s and %s: check that these "
            "belong together",
            len(apart),
            first,
            second,
        )


def _folders(pattern: str) -> str:
    """A pattern without the name of the file."""
    return pattern.rpartition("/")[0]


def _stars(pattern: str, case: str, path: Path) -> Sequence[str]:
    """The texts that `*` stands for in the folders of a pattern, in the path of a file of a case."""
    folders = normalize("NFC", _folders(pattern).replace("{case}", case))
    inside = normalize("NFC", "/".join(path.parts[-folders.count("/") - 2 : -1]))
    match = re.fullmatch(re.escape(folders).replace(r"\*", "([^/]*)"), inside)
    return match.groups() if match else ()
