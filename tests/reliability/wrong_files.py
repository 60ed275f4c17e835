"""Ways to be given files that are another's, no files, or damaged results of an earlier run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from spoiled import CASE, IMAGE, Change, file
from wrong_inputs import Wrong

MHD = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = ../secret\n"


def of_a_secret(folder: Path) -> None:
    """A scan whose header names a file elsewhere for its voxels."""
    (folder / "secret").write_text("password")
    (folder / "inputs").mkdir()
    (folder / "inputs" / "scan.mhd").write_text(MHD)


def as_pipe(path: Path) -> None:
    """A pipe in the place of a file, which nobody writes to."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def edited(name: str, edit: Callable[[dict[str, Any]], object]) -> Change:
    """Edits a JSON file beside the model."""

    def change(folder: Path) -> None:
        content = json.loads((folder / "models" / name).read_text())
        edit(content)
        (folder / "models" / name).write_text(json.dumps(content))

    return change


def no_lengths(folder: Path) -> None:
    """A checkpoint of epochs without a step."""
    [path] = (folder / "models").glob("checkpoint_epoch=*.pt")
    content = torch.load(path, weights_only=True)
    torch.save(content | {"trainer": content["trainer"] | {"epoch_length": "0"}}, path)


WRONG_FILES = [
    Wrong(
        "voxels of another's file",
        r"scan.mhd takes its voxels from '\.\./secret', .*; a header may name one file",
        of_a_secret,
        "inference",
        {"input": "{}/inputs"},
        after_training=True,
    ),
    Wrong("a pipe for an image", f"{CASE}.nii.gz is no regular file", file(IMAGE, as_pipe)),
    Wrong(
        "a pipe for a split",
        "mine.json cannot be read: it is no regular file",
        lambda folder: as_pipe(folder / "mine.json"),
        options={"split": "{}/mine.json"},
    ),
    Wrong(
        "a case in training and test",
        "split.json lists phantom_00. more than once",
        edited("split.json", lambda split: split["test"].append(split["training"][0])),
        "evaluate",
        after_training=True,
    ),
    Wrong(
        "a split with a name that leads elsewhere",
        r"split.json is damaged \(test.1: a case is called '\.\./x'",
        edited("split.json", lambda split: split["test"].append("../x")),
        "evaluate",
        after_training=True,
    ),
    Wrong(
        "a model.json of other types",
        r"model.json is damaged \(slice_size: Input should be a valid list\)",
        edited("model.json", lambda told: told.update(slice_size="48 x 64")),
        "evaluate",
        after_training=True,
    ),
    Wrong(
        "resumed from a checkpoint of other types",
        r"checkpoint_epoch=1.pt is damaged \(trainer.epoch_length: .*\): to start again",
        no_lengths,
        options={"resume": True, "epochs": 2},
        after_training=True,
    ),
]
