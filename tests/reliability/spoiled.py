"""Good data and models spoiled: each is done to a folder with `data`, `bundle` and `models`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from numpy.typing import NDArray

CASE = "phantom_002"
IMAGE, LABEL = f"imagesTr/{CASE}.nii.gz", f"labelsTr/{CASE}.nii.gz"
Change = Callable[[Path], object]


def voxels(path: str, edit: Callable[[NDArray[np.float32]], NDArray[Any]], dtype: Any = np.float32) -> Change:
    """Replaces the voxels of a file, and the type that they are stored in."""

    def change(folder: Path) -> None:
        image = nibabel.load(folder / "data" / path)
        edited = edit(image.get_fdata(dtype=np.float32)).astype(dtype)
        nibabel.save(nibabel.Nifti1Image(edited, image.affine, dtype=dtype), folder / "data" / path)

    return change


def every_label(edit: Callable[[NDArray[np.float32]], NDArray[Any]]) -> Change:
    """Replaces the voxels of all labels."""

    def change(folder: Path) -> None:
        for path in sorted((folder / "data" / "labelsTr").glob("*.nii.gz")):
            voxels(f"labelsTr/{path.name}", edit)(folder)

    return change


def file(path: str, edit: Callable[[Path], object]) -> Change:
    """Does something to a file of the data."""
    return lambda folder: edit(folder / "data" / path)


def header(path: str, edit: Callable[[nibabel.Nifti1Image], object]) -> Change:
    """Edits what the header of a file says."""

    def change(folder: Path) -> None:
        image = nibabel.load(folder / "data" / path)
        image = nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), image.affine)
        edit(image)
        nibabel.save(image, folder / "data" / path)

    return change


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_byte_changed(path: Path) -> None:
    """The file compressed without loss of its length, with another voxel than its checksum is of."""
    content = bytearray(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=0))
    content[-40] ^= 1
    path.write_bytes(content)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def turned(image: nibabel.Nifti1Image) -> None:
    affine = image.affine.copy()
    affine[0] *= -1
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)


def without_spacing(image: nibabel.Nifti1Image) -> None:
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    image.header["pixdim"][1:4] = 0


def of_terabytes(path: Path) -> None:
    """A header that promises far more than the file holds."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], dtype="<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))


def one_case_only(folder: Path) -> None:
    for path in (folder / "data").rglob("phantom_*.nii.gz"):
        if CASE not in path.name:
            path.unlink()


def two_of_a_name(folder: Path) -> None:
    """Inputs whose predictions would have one name."""
    (folder / "inputs").mkdir()
    image = nibabel.load(folder / "data" / IMAGE)
    for name in ("one.nii", "one.nii.gz"):
        nibabel.save(image, folder / "inputs" / name)


def elsewhere(folder: Path) -> None:
    (folder / "data").rename(folder / "Aufnahmen é 1")


def bad_json(folder: Path) -> None:
    path = folder / "bundle" / "configs" / "train.json"
    path.write_text(path.read_text().replace('"epochs": 100,', '"epochs": 100'))


def model(weights: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """Replaces what the model holds."""

    def change(folder: Path) -> None:
        path = folder / "models" / "model.pt"
        torch.save(weights(torch.load(path, weights_only=True)), path)

    return change


def damaged_checkpoint(folder: Path) -> None:
    [path] = (folder / "models").glob("checkpoint_epoch=*.pt")
    truncated(path)


def had_epochs(epochs: int, planned: int) -> Change:
    """Makes the checkpoint of one epoch that of several, whose learning rate fell after half of those planned."""

    def change(folder: Path) -> None:
        [path] = (folder / "models").glob("checkpoint_epoch=*.pt")
        content = torch.load(path, weights_only=True)
        [row] = content["history"]["rows"]
        rates = [row["learning_rate"] * (1.0 if epoch < planned // 2 else 0.1) for epoch in range(epochs)]
        content["history"]["rows"] = [row | {"epoch": k + 1, "learning_rate": rate} for k, rate in enumerate(rates)]
        content["trainer"] |= {"iteration": epochs * content["trainer"]["iteration"], "max_epochs": planned}
        content["lr_scheduler"]["last_epoch"] = epochs
        torch.save(content, path)

    return change


def edited_split(folder: Path) -> None:
    path = folder / "models" / "split.json"
    path.write_text(json.dumps({"training": []}))


def only(folder: Path, name: str) -> None:
    """A folder of inputs that holds this file of words."""
    (folder / "inputs").mkdir()
    (folder / "inputs" / name).write_text("no image")
