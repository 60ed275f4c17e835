"""Every data set's layout: what is written is found again and loaded as it was; its folds; what is no such folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from bundle_parts import dataset_part
from monai.bundle import ConfigParser

from calib_monai.datalists.inputs import channels_in, ended_in, listed_cases
from calib_monai.phantoms import Phantom, make_phantoms

IGNORED = 255  # in MRBrainS
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
    _, part = dataset_part(request.param)
    return Layout(request.param, part, make_phantoms(8, seed=1, num_classes=len(part["train"]["class_names"])))


@pytest.fixture(scope="module")
def folder(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(layout.name)
    layout.function("write")(str(folder), layout.phantoms)
    return folder


def class_counts(labels: np.ndarray) -> list[int]:
    """Number of voxels of each foreground class, of those that count."""
    return np.bincount(labels[labels != IGNORED].astype(int))[1:].tolist()


def test_what_is_written_is_loaded_again(layout: Layout, folder: Path) -> None:
    cases = layout.function("read")(str(folder))
    names = [case["case"] for case in cases]
    assert len(set(names)) == len(names) == len(layout.phantoms)
    numbers = layout.part.get("numbers", {})
    shared = {"loading": json.loads((PARTS.parent / "both.json").read_text(encoding="utf-8"))["loading"]}
    counts = {
        "num_classes": len(layout.part["train"]["class_names"]),
        "in_channels": len(layout.part["image"]["channels"]),
    }
    parser = ConfigParser(shared | layout.part["both"] | numbers | counts | {"keys": ["image", "label"]})
    loading = parser.get_parsed_content("loading")
    loaded = [loading(case) for case in cases]
    for volume in loaded:
        assert volume["image"].shape == (len(layout.part["image"]["channels"]), *volume["label"].shape[1:])
    written = list(layout.phantoms.values())
    if layout.name == "busi":  # pictures
        written = [Phantom(*(array[..., array.shape[-1] // 2] for array in phantom)) for phantom in written]
    found = sorted(class_counts(np.asarray(volume["label"])) for volume in loaded)
    assert found == sorted(class_counts(phantom.label) for phantom in written)
    slices = sorted(volume["label"].shape[-1] for volume in loaded)
    assert slices == sorted(phantom.label.shape[-1] for phantom in written)
    contrast = contrasts([(volume["image"][0], volume["label"][0]) for volume in loaded])
    assert contrast == pytest.approx(contrasts(written), abs=0.02)


def contrasts(pairs: Iterable[tuple[Any, Any]]) -> list[float]:
    """Correlation of image and structures where they lie: another, were a label turned or shifted, sorted."""
    values = []
    for image, label in pairs:
        structures = (np.asarray(label) > 0) & (np.asarray(label) != IGNORED)
        box = tuple(slice(axis.min(), axis.max() + 1) for axis in structures.nonzero())
        values.append(float(np.corrcoef(np.asarray(image)[box].ravel(), structures[box].ravel())[0, 1]))
    return sorted(values)


def test_channels_of_any_folder_come_in_the_order_of_the_data_set(layout: Layout, folder: Path) -> None:
    endings = layout.part.get("inference", {}).get("cases", {}).get("endings")
    if endings is None:
        assert all(isinstance(case["image"], str) for case in layout.function("read")(str(folder)))
    else:
        images = sorted(case["image"] for case in layout.function("read")(str(folder)))
        assert sorted(case["image"] for case in channels_in(folder, endings)) == images


def test_an_inference_calls_each_image_as_a_training_does(layout: Layout, folder: Path) -> None:
    """In a folder and in a list. Else it does not know the cases of the training, and a score not their labels."""
    if layout.name == "nci_isbi":
        pytest.skip("an inference calls DICOM series by their headers")
    endings = layout.part.get("inference", {}).get("cases", {}).get("endings", [])
    cases = {str(case["image"]): case for case in layout.function("read")(str(folder))}
    names = {image: case["case"] for image, case in cases.items()}
    listed = listed_cases([case["image"] for case in cases.values()], "the list", endings=endings)
    for called in (listed, ended_in(folder, endings)):
        assert {str(case["image"]): case["case"] for case in called} == names


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


def test_a_label_that_is_lost_is_named_or_its_case_is_none(layout: Layout, tmp_path: Path) -> None:
    layout.function("write")(str(tmp_path), layout.phantoms)
    read = layout.function("read")
    case = read(str(tmp_path))[1]
    labels = case["label"] if isinstance(case["label"], list) else [case["label"]]
    for label in labels:
        Path(label).unlink()
    said, left = "", []
    try:
        left = [other["case"] for other in read(str(tmp_path))]
    except ValueError as error:
        said = str(error)
    assert case["case"] in said or len({*left} - {case["case"]}) == len(left) == len(layout.phantoms) - 1


def test_an_image_that_is_lost_is_named(layout: Layout, tmp_path: Path) -> None:
    layout.function("write")(str(tmp_path), layout.phantoms)
    read = layout.function("read")
    case = read(str(tmp_path))[1]
    lost = Path(case["image"][-1] if isinstance(case["image"], list) else case["image"])
    lost.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=case["case"].replace("(", r"\(").replace(")", r"\)")):
        read(str(tmp_path))
