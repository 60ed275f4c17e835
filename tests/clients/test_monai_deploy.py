"""MONAI Deploy's `MonaiBundleInferenceOperator`: the steps of its `compute`, which is not installed here.

As `monai/deploy/operators/monai_bundle_inference_operator.py` of the MONAI Deploy App SDK 4.0.0: it takes the
configuration and the network from the file of `ckpt_export`, and takes out transforms called ...LoadImage... or
...SaveImage.... It hands over an image in memory, without a channel, with meta data from DICOM.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from driven import Driven
from monai.bundle import ConfigParser, ckpt_export, run
from monai.data import MetaTensor
from monai.transforms import MapTransform

TAKEN_OUT = ("LoadImage", "SaveImage")


def predicted(file: Path, values: np.ndarray, affine: np.ndarray) -> torch.Tensor:
    """What the operator hands on as the image "pred", (1, H, W, D)."""
    stored = {"inference.json": "", "metadata.json": ""}
    network = torch.jit.load(file, map_location="cpu", _extra_files=stored).eval()
    parser = ConfigParser()
    parser.read_meta(f=json.loads(stored["metadata.json"]))
    parser.read_config(json.loads(stored["inference.json"]))
    parser.parse()
    before, after = (parser.get_parsed_content(name) for name in ("preprocessing", "postprocessing"))
    for compose in (before, after):
        compose.transforms = tuple(
            one for one in compose.transforms if not any(name in type(one).__name__ for name in TAKEN_OUT)
        )
        assert isinstance(compose.transforms[0], MapTransform)  # else it hands over no dictionary
    meta = {"original_affine": affine, "affine": affine.copy(), "spatial_shape": np.asarray(values.shape)}
    meta |= {"original_channel_dim": "no_channel", "row_pixel_spacing": 1.0}
    image = MetaTensor.ensure_torch_and_prune_meta(torch.as_tensor(values), meta)
    with torch.no_grad():
        prepared = before({"image": image})["image"]
        output = parser.get_parsed_content("inferer")(inputs=prepared[None], network=network)
        return after({"pred": output[0], "image": prepared})["pred"]


def test_the_operator_gives_the_label_of_the_bundle(
    bundle_of: Callable[[str], Driven], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = bundle_of("hippocampus_nacl")
    configs, file = driven.root / "configs", tmp_path / "model.ts"
    files = {"meta_file": str(configs / "metadata.json"), "config_file": driven.inference}
    ckpt_export("network_def", str(file), str(driven.root / "models" / "model.pt"), **files)
    image = driven.cases["test"][0]["image"]
    run(config_file=driven.inference, input=image, bundle_root=str(driven.root), output_dir=str(tmp_path))
    [own] = (tmp_path / "predictions").glob("*/*_label.nii.gz")
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    scan = nibabel.load(image)
    label = predicted(file, np.asarray(scan.dataobj), scan.affine)
    assert np.array_equal(nibabel.load(own).get_fdata(), label[0])
    assert not list((tmp_path / "app").iterdir())
