"""MONAI Label's app `monaibundle`: the calls of its tasks, which are not installed here.

As `tasks/infer/bundle.py`, `tasks/infer/basic_infer.py` and `tasks/train/bundle.py` of MONAI Label 0.8.5 call a bundle:
the transforms one by one on a dictionary with "image" and "image_path", and a training with cases of its own and a
`CheckpointLoader` before the other handlers.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import config_of
from driven import KINDS, QUICK, Driven
from monai.bundle import ConfigParser, run
from monai.transforms import Compose


def parser_of(file: str | Path, root: Path) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(str(file))
    parser.config.update({"bundle_root": str(root)})
    return parser


def inferred(driven: Driven, image: Any) -> dict[str, Any]:
    """What is left of a request after the last transform."""
    parser = parser_of(driven.inference, driven.root)
    parser.config["use_click"] = False
    network = parser.get_parsed_content("network_def")
    network.load_state_dict(torch.load(driven.root / "models" / "model.pt", weights_only=True), strict=False)
    parser.config.update({"device": "cpu"})
    data: dict[str, Any] = {"image": image, "image_path": image, "device": "cpu", "model": driven.root.name}
    for transform in parser.get_parsed_content("preprocessing").transforms:
        assert not isinstance(transform, Compose)
        data = transform(data)
    with torch.no_grad():
        data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network.eval())[0]
    for transform in parser.get_parsed_content("postprocessing").transforms:
        data = transform(data)
    return data


def test_a_request_gives_the_label_and_the_probabilities_of_the_image(driven: Driven) -> None:
    image = driven.cases["test"][0]["image"]
    data = inferred(driven, image)
    config = config_of(driven.root, "inference")
    file = image[0] if isinstance(image, list) else image
    if file.endswith(".nii.gz"):
        assert data["pred"].shape[1:] == nibabel.load(file).shape
        assert np.allclose(data["pred"].affine, nibabel.load(file).affine)
    assert data["pred"].max() < config["num_classes"]
    assert data["prob"].shape == (config["num_classes"], *data["pred"].shape[1:])
    assert not (driven.root / "eval").exists()  # the app writes the label itself


@pytest.mark.parametrize("label", ["nowhere/label.nii.gz", ["nowhere/a.png", "nowhere/b.png"]])
def test_the_label_of_a_listed_case_is_not_read(driven: Driven, label: Any) -> None:
    preprocessing = parser_of(driven.inference, driven.root).get_parsed_content("preprocessing")
    image = driven.cases["test"][0]["image"]
    data = preprocessing({"image": image, "label": label})
    assert data["label"] == label
    assert torch.equal(data["image"].as_tensor(), preprocessing({"image": image})["image"].as_tensor())


def test_the_label_is_the_one_of_the_bundle(bundle_of: Callable[[str], Driven], tmp_path: Path) -> None:
    driven = bundle_of("hippocampus_nacl")
    image = driven.cases["test"][0]["image"]
    places = {"bundle_root": str(driven.root), "output_dir": str(tmp_path)}
    run(config_file=driven.inference, input=image, outputs=["label"], **places)
    [own] = (tmp_path / "predictions").glob("*/*_label.nii.gz")
    assert np.array_equal(nibabel.load(own).get_fdata(), inferred(driven, image)["pred"][0])


def test_the_scores_of_uncertainty_set_the_dropout_of_the_network(driven: Driven) -> None:
    parser = parser_of(driven.inference, driven.root)
    parser["network_def"]["dropout"] = 0.2
    network = parser.get_parsed_content("network_def", instantiate=True)
    assert {layer.p for layer in network.modules() if isinstance(layer, torch.nn.Dropout)} == {0.2}


def test_its_labels_are_the_classes_without_the_background(driven: Driven) -> None:
    [pred] = config_of(driven.root, "metadata")["network_data_format"]["outputs"].values()
    labels = {name: int(index) for index, name in pred["channel_def"].items() if name != "background"}
    assert list(labels.values()) == list(range(1, config_of(driven.root, "inference")["num_classes"]))


@pytest.mark.parametrize("name", KINDS)
def test_a_training_goes_on_from_the_model_and_replaces_it(
    name: str, bundle_of: Callable[[str], Driven], tmp_path: Path
) -> None:
    driven = bundle_of(name)
    root = shutil.copytree(driven.root, tmp_path / name)
    config = root / "configs" / "train.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | QUICK))
    listed = [case for cases in driven.cases.values() for case in cases]
    last = torch.load(root / "models" / "model.pt", weights_only=True)
    for _ in range(2):
        handlers = parser_of(config, root).get("train#handlers")
        handlers.insert(
            0,
            {
                "_target_": "CheckpointLoader",
                "load_path": str(root / "models" / "model.pt"),
                "load_dict": {"model": "$@network"},
                "strict": False,
            },
        )
        overrides = {
            "bundle_root": str(root),
            "train#trainer#max_epochs": 2,
            "train#dataset#data": listed[1:],
            "device": "cpu",
            "train#handlers": handlers,
            "validate#dataset#data": listed[:1],
        }
        metadata = str(root / "configs" / "metadata.json")
        run(run_id="run", init_id=None, final_id=None, meta_file=metadata, config_file=str(config), **overrides)
        weights = torch.load(root / "models" / "model.pt", weights_only=True)
        assert any(not torch.equal(last[key], value) for key, value in weights.items())
        last = weights
    assert len((root / "eval" / "history.csv").read_text().splitlines()) == 3
    assert json.loads((root / "models" / "model.json").read_text())["training_images"]["count"] == len(listed) - 1
