"""docs/clients.md: its Python runs as it stands there, and its commands have options that the bundles know."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from committed import REPOSITORY, config_of
from driven import Driven
from monai.bundle import ckpt_export, run

PAGE = (REPOSITORY / "docs" / "clients.md").read_text(encoding="utf-8")
PYTHON = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "nnunetv2" not in block]
SHELL = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", "")


@pytest.mark.filterwarnings("ignore:executing the bundle config")
def test_its_python_runs(bundle_of: Callable[[str], Driven], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driven = bundle_of("hippocampus_nacl")
    (tmp_path / "bundles").symlink_to(driven.root.parent)
    (tmp_path / "DATA").symlink_to(driven.data)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in PYTHON:
        exec(compile(block, "clients.md", "exec"), names)  # noqa: S102 - our own
    assert isinstance(names["network"], torch.nn.Module)
    names["client"].initialize()  # type: ignore[attr-defined] # it is a MonaiAlgo
    assert len(PYTHON) == 2


@pytest.mark.parametrize(("program", "called"), [("run", run), ("ckpt_export", ckpt_export)])
def test_the_options_of_its_commands_are_known(program: str, called: Callable[..., None]) -> None:
    keys = {key for name in ("train", "inference") for key in config_of("hippocampus_nacl", name)}
    commands = [line for line in SHELL.splitlines() if f"monai.bundle {program} " in line]
    assert commands
    for option in re.findall(r"--(\w+)", " ".join(commands)):
        assert option in keys | inspect.signature(called).parameters.keys(), option


def test_the_page_shows_its_picture() -> None:
    [picture] = re.findall(r"!\[.*?\]\((.*?)\)", PAGE)
    assert (REPOSITORY / "docs" / picture).is_file()
