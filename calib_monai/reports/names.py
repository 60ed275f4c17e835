"""Names of runs and classes: broken into lines, or so many beside each other that they fit a figure."""

from __future__ import annotations

import re
from collections.abc import Sequence

CONTROL = "control"
SHOWN_CONTROL = "control (logits shifted, no method)"
HANDLE, LETTER = 0.75, 0.09  # inches that a legend needs for the sign before a label, and for each of its letters


def with_calibrator(name: str, calibrator: str) -> str:
    """The name of a network, and after it the calibrator, or that it is only the control of this network.

    Examples:
        >>> with_calibrator("svls", "ts"), with_calibrator("svls", "control")
        ('svls + TS', 'svls, control (logits shifted, no method)')
    """
    return f"{name}, {SHOWN_CONTROL}" if calibrator == CONTROL else f"{name} + {calibrator.upper()}"


def wrapped(name: str, width: int) -> str:
    r"""A name in lines of at most `width` letters, broken after a space, an underscore or a slash if there is one.

    Examples:
        >>> wrapped("hippocampus_nacl + TS", 12)
        'hippocampus_\nnacl + TS'
    """
    lines = [""]
    for piece in re.findall(rf"[^\s_/]{{1,{width - 1}}}[\s_/]?|[\s_/]", name):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.strip() for line in lines)


def beside(labels: Sequence[str], width: float) -> int:
    """The number of a legend's labels that stand beside each other in a figure of this width in inches.

    Examples:
        >>> beside(["left kidney", "inferior vena cava", "spleen"], 5)
        2
    """
    longest = max(map(len, labels))
    return max(1, min(len(labels), int(width / (HANDLE + LETTER * longest))))
