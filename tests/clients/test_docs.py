"""Pages about other programs: their Python runs as it stands there, and their commands have options that are known."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import REPOSITORY, config_of
from driven import Driven
from monai.bundle import ckpt_export, run
from pages import blocks_of, commands_of

CLIENTS, PYTHON = REPOSITORY / "docs" / "clients.md", REPOSITORY / "docs" / "python.md"


def ran(page: Path, word: str) -> dict[str, Any]:
    """The names that the one block of a page makes which holds a word."""
    names: dict[str, Any] = {}
    [block] = [block.code for block in blocks_of(page, "python") if word in block.code]
    exec(compile(block, page.name, "exec"), names)  # noqa: S102 - our own
    return names


@pytest.fixture
def _collection(bundle_of: Callable[[str], Driven], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which `bundles` holds a bundle, and path/to/data its data."""
    driven = bundle_of("hippocampus_nacl")
    (tmp_path / "bundles").symlink_to(driven.root.parent)
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "data").symlink_to(driven.data)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_collection")
@pytest.mark.filterwarnings("ignore:executing the bundle config")
def test_a_bundle_is_loaded_and_says_what_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(ran(PYTHON, "create_workflow")["network"], torch.nn.Module)
    ran(PYTHON, "refusal_of")
    assert "input path/to/image.nii.gz does not exist" in capsys.readouterr().out


@pytest.mark.usefixtures("_collection")
@pytest.mark.filterwarnings("ignore:executing the bundle config")
def test_a_client_of_federated_learning_begins() -> None:
    ran(CLIENTS, "MonaiAlgo")["client"].initialize()


@pytest.mark.parametrize(("program", "called"), [("run", run), ("ckpt_export", ckpt_export)])
def test_the_options_of_its_commands_are_known(program: str, called: Callable[..., None]) -> None:
    keys = {key for name in ("train", "inference") for key in config_of("hippocampus_nacl", name)}
    commands = [line for line in commands_of(CLIENTS) if f"monai.bundle {program} " in line]
    assert commands
    for option in re.findall(r"--(\w+)", " ".join(commands)):
        assert option in keys | inspect.signature(called).parameters.keys(), option
