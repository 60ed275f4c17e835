"""How often a training step waits for the GPU, on a GPU that is imitated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from committed import COLLECTION, SMALL_NETWORK, config_of, start, trimmed, write_dataset
from imitation import CARD, imitated_gpu
from monai.bundle import ConfigParser

from calib_monai.engines import SliceTrainer
from calib_monai.handlers.logits import histograms
from calib_monai.losses import BWCRLoss, IgnoringLoss, leaving_out
from calib_monai.phantoms import make_phantoms
from calib_monai.views import TwoViewInferer

METHODS = sorted(path.name.removeprefix("hippocampus_") for path in COLLECTION.glob("hippocampus_*"))


def loss_of(method: str) -> Any:
    """The loss of a method's bundles, for three classes."""
    return ConfigParser(config_of(f"hippocampus_{method}", "train")).get_parsed_content("loss")


def waits_of(loss: Any, images: int, dtype: torch.dtype, *, ignored: bool) -> list[str]:
    """The waits of a step with this loss, once it has been called."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(images, 1, 16, 12, generator=generator)
    target = torch.randint(3, (images, 1, 16, 12), generator=generator).to(dtype)
    if ignored:
        target[:, :, :3] = 255
    with imitated_gpu() as gpu:
        network, image, target = torch.nn.Conv2d(1, 3, 1).to(CARD), image.to(CARD), target.to(CARD)
        for _ in range(2):
            gpu.waits.clear()
            out = TwoViewInferer()(image, network) if isinstance(loss, BWCRLoss) else network(image)
            loss.to(CARD)(out, target).backward()
        return list(gpu.waits)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("method", METHODS)
def test_a_step_waits_only_for_the_range_of_its_labels(method: str, dtype: torch.dtype) -> None:
    waits = waits_of(loss_of(method), 3, dtype, ignored=False)
    assert len(waits) <= 1, waits
    assert all("targets.py" in wait for wait in waits)


@pytest.mark.parametrize("images", [2, 5])
@pytest.mark.parametrize("method", METHODS)
def test_with_an_ignored_label_a_step_waits_no_more_often_for_more_images(method: str, images: int) -> None:
    loss = leaving_out(loss_of(method), 255)
    waits = waits_of(loss, images, torch.uint8, ignored=True)
    # Which voxels other libraries' losses count, and for BWCR the nearest labels, which SciPy finds.
    more = 2 if isinstance(loss, IgnoringLoss) or getattr(loss, "boundary_weighted", False) else 0
    assert len(waits) == 1 + more, waits


PATCHES = {"patch_size": [16, 16, 8], "network_def#channels": [4, 8, 8, 8], "patches_per_volume": 1}
TRAININGS: dict[str, dict[str, Any]] = {
    "hippocampus_nacl train": SMALL_NETWORK | {"augment": False},
    "hippocampus_soft_dice train": SMALL_NETWORK | {"augment": True},
    "hippocampus_bwcr train": SMALL_NETWORK,
    "hippocampus_nacl train_volumes": PATCHES | {"augment": True},
    "hippocampus_bwcr train_volumes": PATCHES,
}


@pytest.mark.parametrize("training", TRAININGS)
def test_a_whole_training_step_waits_once(training: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(6, seed=5), 14, 20))
    options = {"device": "$torch.device('cuda:0')", "epochs": 1, "batch_size": 3, **TRAININGS[training]}
    steps, slices, iteration = [], [], SliceTrainer._iteration
    with imitated_gpu() as gpu:

        def counted(trainer: SliceTrainer, *args: Any) -> Any:
            gpu.waits.clear()
            output = iteration(trainer, *args)
            steps.append(list(gpu.waits))
            slices.extend(getattr(trainer.data_loader, "slices", {}).values())
            return output

        monkeypatch.setattr(SliceTrainer, "_iteration", counted)
        bundle, config = training.split()
        start(bundle, config, tmp_path / "data", tmp_path / "out", **options)
        assert all(block.device == CARD for kept in slices for block in kept.blocks)
    assert bool(slices) == training.endswith("train")
    first, *others = steps  # the first one also looks whether the network gives logits
    assert len([wait for wait in first if "tensor_checks.py" not in wait]) == 1, first
    assert all(len(waits) == 1 for waits in others), steps


def test_histograms_of_all_channels_are_counted_at_once() -> None:
    with imitated_gpu() as gpu:
        count = histograms(torch.randn(2, 5, 6, 4).to(CARD), torch.zeros(2, 1, 6, 4).to(CARD), 4)
        assert len([wait for wait in gpu.waits if not wait.startswith("to")]) == 1
        assert count.device == CARD
