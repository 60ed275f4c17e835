"""Names of runs: broken into lines, so that long ones fit beside or above a figure."""

from __future__ import annotations

import re


def wrapped(name: str, width: int) -> str:
    r"""A name in lines of at most `width` letters, broken after a space, an underscore or a slash if there is one.

    >>> wrapped("hippocampus_nacl + TS", 12)
    'hippocampus_\nnacl + TS'
    """
    lines = [""]
    for piece in re.findall(rf"[^\s_/]{{1,{width - 1}}}[\s_/]?|[\s_/]", name):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip() for line in lines)
