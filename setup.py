"""The description for package indexes; everything else stands in setup.cfg.

An index shows README without the files beside it. So a picture is replaced by its description, and a link to a file by
its text.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import setup

LINK = re.compile(r"!?\[([^]]*)\]\((?!https?://)[^)]*\)")
ABOUT = "*The source distribution (`.tar.gz`) holds the bundles, scripts, pictures and pages that this text names.*"

readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
title, _, rest = LINK.sub(r"\1", readme).partition("\n")
setup(long_description=f"{title}\n\n{ABOUT}\n{rest}", long_description_content_type="text/markdown")
