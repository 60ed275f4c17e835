"""What a run imports or loads late, for the process from which others are forked: `processes()`."""

from __future__ import annotations

import os

import fire  # noqa: F401
import itk
import torch._dynamo  # noqa: F401
import tried  # noqa: F401 - where most of them start

from calib_monai.found_cases import ITK_PARTS

for part in ITK_PARTS:
    getattr(itk, part)

os.fsync = lambda _: None  # as in the tests' own process
