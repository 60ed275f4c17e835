"""README: its code runs as it stands there, and its numbers are those of the metrics."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import UNet
from monai.networks.utils import one_hot

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
CLASSES = 4


def given(*shape: int) -> dict[str, Any]:
    """What README's code takes for given, of images of this shape."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, CLASSES, *shape, generator=generator)
    target = torch.randint(CLASSES, (2, 1, *shape), generator=generator)
    return {
        "logits": logits,
        "probs": logits.softmax(dim=1),
        "target": target,
        "one_hot_prediction": one_hot(logits.argmax(dim=1, keepdim=True), CLASSES),
        "one_hot_target": one_hot(target, CLASSES),
        "validation": [(logits, target)],
        "image": torch.randn(2, 1, *shape, generator=generator),
        "network": UNet(len(shape), 1, CLASSES, channels=(8, 16), strides=(2,)),
    }


def ran(word: str, names: dict[str, Any]) -> dict[str, Any]:
    """What the one block that holds a word makes of these names."""
    [block] = [block for block in BLOCKS if word in block]
    exec(compile(block, README.name, "exec"), names)  # noqa: S102 - our own
    return names


def test_losses_and_metrics_run() -> None:
    names = ran("NACLLoss", given(16, 16, 6))
    assert names["errors"].aggregate()["ece_plausible"] == names["ece"].aggregate()


def test_methods_that_are_more_than_a_loss_run() -> None:
    assert len(ran("TwoViewInferer", given(32, 32))["views"])


def test_a_calibrator_is_fitted_and_scripted() -> None:
    names = given(32, 32)
    names["validation"] = [(names["logits"], names["target"], names["image"])]
    calibrated = ran("LocalTemperatureScaling", names)["calibrated"]
    probs = torch.jit.script(calibrated.eval())(names["image"])
    torch.testing.assert_close(probs.sum(dim=1), torch.ones(2, 32, 32))


def test_there_is_no_other_code() -> None:
    assert len(BLOCKS) == 3
