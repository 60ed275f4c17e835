"""Every data set's layout: what is written is found again and loaded as it was; its folds; what is no such folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from monai.bundle import ConfigParser

from calib_monai.phantoms import make_phantoms

PARTS = Path(__file__).parents[2] / "scripts" / "parts" / "datasets"


class Layout(NamedTuple):
    """A data set's part, its functions, and eight phantoms of its classes."""

    name: str
    part: dict[str, Any]
    phantoms: dict[str, Any]

    def function(self, kind: str) -> Callable[..., Any]:
        name = f"{kind}_{self.name}" if kind != "split" else f"{self.name}_split"
        return getattr(import_module(f"calib_monai.datalists.{self.name}"), name)


@pytest.fixture(scope="module", params=sorted(path.stem for path in PARTS.glob("*.json")))
def layout(request: pytest.FixtureRequest) -> Layout:
    part = json.loads((PARTS / f"{request.param}.json").read_text(encoding="utf-8"))
    return Layout(request.param, part, make_phantoms(8, seed=1, num_classes=len(part["train"]["class_names"])))


@pytest.fixture(scope="module")
def folder(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(layout.name)
    layout.function("write")(str(folder), layout.phantoms)
    return folder


def class_counts(labels: np.ndarray) -> list[int]:
    """Number of voxels of each foreground class."""
    return np.bincount(labels.astype(int).ravel())[1:].tolist()


def test_what_is_written_is_loaded_again(layout: Layout, folder: Path) -> None:
    cases = layout.function("read")(str(folder))
    names = [case["case"] for case in cases]
    assert len(set(names)) == len(names) == len(layout.phantoms)
    numbers = layout.part.get("numbers", {})
    parser = ConfigParser(layout.part["both"] | numbers | {"keys": ["image", "label"]})
    loading = parser.get_parsed_content("loading")
    loaded = [loading(case) for case in cases]
    for volume in loaded:
        assert volume["image"].shape == (len(layout.part["image"]["channels"]), *volume["label"].shape[1:])
    written = [phantom.label for phantom in layout.phantoms.values()]
    if layout.name == "busi":
        written = [label[..., label.shape[-1] // 2] for label in written]
    found = sorted(class_counts(np.asarray(volume["label"])) for volume in loaded)
    assert found == sorted(class_counts(label) for label in written)


def test_a_split_has_every_case_once_and_follows_from_the_seed(layout: Layout, folder: Path) -> None:
    split = layout.function("split")
    sets = split(str(folder), 3)
    names = sorted(case["case"] for cases in sets.values() for case in cases)
    assert names == sorted(case["case"] for case in layout.function("read")(str(folder)))
    assert sets == split(str(folder), 3)
    assert sets["test"] != split(str(folder), 3, 1)["test"]


def test_a_folder_that_is_none_is_named(layout: Layout, tmp_path: Path) -> None:
    read = layout.function("read")
    with pytest.raises(ValueError, match=r"nowhere is not a folder: set --dataset_dir"):
        read(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"holds no |has no folder"):
        read(str(tmp_path))


def test_a_label_that_is_lost_is_named(layout: Layout, tmp_path: Path) -> None:
    layout.function("write")(str(tmp_path), layout.phantoms)
    read = layout.function("read")
    case = read(str(tmp_path))[1]
    labels = case["label"] if isinstance(case["label"], list) else [case["label"]]
    for label in labels:
        Path(label).unlink()
    if layout.name in {"kits", "nci_isbi"}:  # cases without a label are none
        assert len(read(str(tmp_path))) == len(layout.phantoms) - 1
    else:
        with pytest.raises(ValueError, match=case["case"].replace("(", r"\(").replace(")", r"\)")):
            read(str(tmp_path))


def test_an_image_that_is_lost_is_named(layout: Layout, tmp_path: Path) -> None:
    layout.function("write")(str(tmp_path), layout.phantoms)
    read = layout.function("read")
    case = read(str(tmp_path))[1]
    lost = Path(case["image"][-1] if isinstance(case["image"], list) else case["image"])
    lost.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=case["case"].replace("(", r"\(").replace(")", r"\)")):
        read(str(tmp_path))
