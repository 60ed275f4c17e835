"""What a run imports or loads late, for the process from which others are forked: `processes()`."""

from __future__ import annotations

import os
import threading
from unittest.mock import patch

import fire  # noqa: F401
import pytest
import torch._dynamo  # noqa: F401
import tried  # noqa: F401 - where most of them start
from committed import config_of
from monai.bundle import ComponentLocator
from spared import spare
from uncollected import collect_seldom

from calib_monai import targets
from calib_monai.found_cases import settle

FOLDER_CHANGES: list[bool] = []  # of each change of the working directory by ITK: whether the main thread made it
change = os.chdir


def note(path: str) -> None:
    """Change the working directory, and write it down."""
    FOLDER_CHANGES.append(threading.current_thread() is threading.main_thread())
    change(path)


with patch.object(os, "chdir", note):
    settle([{"image": "a.nrrd"}])

spare(pytest.MonkeyPatch())  # as in the tests' own process
ComponentLocator().get_component_module_name("")
for name in ("train", "inference"):
    targets.check_targets(config_of("hippocampus_nacl", name))

collect_seldom()  # a process that is forked would copy what it looked through
