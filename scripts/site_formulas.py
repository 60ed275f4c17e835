"""A hook of MkDocs: a fenced block `math` in Markdown or in a docstring becomes a picture of its formula.

Matplotlib draws the formula as SVG when the site is built, so that no browser needs a script or a font for it.
"""

from __future__ import annotations

import re
from html import escape
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.mathtext import math_to_image
from mkdocs.config.defaults import MkDocsConfig

BLACK = "#123456"  # drawn in this color, which no other line of the SVG has, and shown in that of the text


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let blocks `math` be drawn here."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {}).setdefault("custom_fences", [])
    fences.append({"name": "math", "class": "formula", "format": drawn})
    return config


def drawn(source: str, language: str, css_class: str, options: Any, md: Any, **rest: Any) -> str:  # noqa: ARG001
    """The HTML of a formula in LaTeX; the signature is that of a fence of pymdownx."""
    formula, written = " ".join(source.split()), BytesIO()
    displayed = formula.replace(r"\frac", r"\dfrac")  # as high as in a line of its own
    with rc_context({"mathtext.fontset": "cm", "svg.hashsalt": "formula", "font.size": 14}):
        math_to_image(f"${displayed}$", written, format="svg", color=BLACK)
    svg = written.getvalue().decode()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(formula)}"', 1).replace(BLACK, "currentColor")
    return f'<div class="{css_class}">{svg}</div>'
