"""docs/python.md: its code runs as it stands there, on images that it takes for given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.networks.nets import UNet
from monai.transforms import LoadImage
from pages import PAGES, REPOSITORY, blocks_of, named

CLASSES = 4
BLOCKS = [block.code for block in blocks_of(REPOSITORY / "docs" / "python.md", "python")]


def given(*shape: int) -> dict[str, Any]:
    """What the code takes for given, of images of this shape."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, CLASSES, *shape, generator=generator)
    target = torch.randint(CLASSES, (2, 1, *shape), generator=generator)
    return {
        "logits": logits,
        "probs": logits.softmax(dim=1),
        "target": target,
        "prediction": logits.argmax(dim=1, keepdim=True),
        "validation": [(logits, target)],
        "image": torch.randn(2, 1, *shape, generator=generator),
        "network": UNet(len(shape), 1, CLASSES, channels=(8, 16), strides=(2,)),
    }


def ran(word: str, names: dict[str, Any]) -> dict[str, Any]:
    """What the one block that holds a word makes of these names."""
    [block] = [block for block in BLOCKS if word in block]
    exec(compile(block, "python.md", "exec"), names)  # noqa: S102 - our own
    return names


def test_the_page_gives_images_to_try_it_with() -> None:
    names = ran("metric_by_name", ran("torch.randn(", {}))
    assert names["values"]["nll_all"] > 0


def test_a_model_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ran("metric_by_name", given(16, 16, 6))
    assert names["values"].keys() == set(names["names"])
    for name, values in (("probs", names["probs"][0].movedim(0, -1)), ("labels", names["target"][0, 0])):
        (tmp_path / name).mkdir()
        image = nibabel.Nifti1Image(values.numpy().astype(np.float32), np.eye(4))
        nibabel.save(image, tmp_path / name / "CASE.nii.gz")
    monkeypatch.chdir(tmp_path)
    ran("Orientation", names)
    assert names["probs"].shape == (CLASSES, 16, 16, 6)
    assert names["measures"].aggregate()["nll_all"] > 0
    assert ran("top_label_bins", names)["bins"].accuracy().shape == (15,)


@pytest.mark.parametrize("affine", [np.eye(4), np.diag([-1.0, -1, 1, 1]), np.eye(4)[[2, 0, 1, 3]]])
def test_files_of_nnunet_are_measured_as_their_label_is_stored(
    affine: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ran("metric_by_name", given(6, 5, 4))
    expected = names["measures"].aggregate()["nll_all"]
    probs, target = names["probs"], names["target"]
    monkeypatch.chdir(tmp_path)
    Path("labels").mkdir()
    names["measures"].reset()
    for one, label in zip(probs, target, strict=True):
        nibabel.save(nibabel.Nifti1Image(label[0].numpy().astype(np.uint8), affine), "labels/CASE.nii.gz")
        np.savez("CASE.npz", probabilities=one.permute(0, 3, 2, 1).numpy())
        ran("np.load", names | {"LoadImage": LoadImage})
    torch.testing.assert_close(names["measures"].aggregate()["nll_all"], expected)


def test_losses_and_metrics_run() -> None:
    names = ran("NACLLoss", given(16, 16, 6))
    assert names["errors"].aggregate()["ece_plausible"] == names["ece"].aggregate()


def test_methods_that_are_more_than_a_loss_run() -> None:
    assert len(ran("TwoViewInferer", given(32, 32))["views"])


def test_a_calibrator_is_fitted_and_scripted() -> None:
    names = given(32, 32)
    names["with_images"] = [(names["logits"], names["target"], names["image"])]
    calibrated = ran("LocalTemperatureScaling", names)["calibrated"]
    assert torch.equal(names["calibrated_probs"].argmax(dim=1), names["probs"].argmax(dim=1))
    probs = torch.jit.script(calibrated.eval())(names["image"])
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(2, 32, 32))


def test_a_volume_has_an_interval() -> None:
    names = given(8, 8, 4)
    intervals = ran("ConformalFit", names)["conformal"].intervals(names["probs"][0])
    assert len(intervals) == CLASSES - 1
    assert all(low <= high for low, high in intervals)


def test_there_is_no_other_code() -> None:
    """Those of bundles run in tests/clients and test_commands.py; that of nnunet.md needs nnU-Net."""
    blocks = {named(page): len(blocks_of(page, "python")) for page in PAGES if blocks_of(page, "python")}
    assert blocks == {
        "docs/clients.md": 1,
        "docs/nnunet.md": 1,
        "docs/predict.md": 1,
        "docs/python.md": 11,
    }
