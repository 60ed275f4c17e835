"""What a run imports or loads late, for the process from which others are forked: `processes()`."""

from __future__ import annotations

import gc
import inspect

import fire  # noqa: F401
import itk
import pytest
import torch._dynamo  # noqa: F401
import tried  # noqa: F401 - where most of them start
from committed import config_of
from monai.bundle import ComponentLocator
from spared import spare

from calib_monai import targets
from calib_monai.found_cases import ITK_PARTS

for part in ITK_PARTS:
    getattr(itk, part)

spare(pytest.MonkeyPatch())  # as in the tests' own process
ComponentLocator().get_component_module_name("")
for name in ("train", "inference"):
    targets.check_targets(config_of("hippocampus_nacl", name))
inspect.stack()  # Python then knows the files of all modules; Fire asks for them in every run

gc.freeze()  # a process that is forked looks through what it makes; it would copy what it looked through
gc.enable()
