"""What the network waits for patches: `python tests/benchmarks/patches.py [--epochs 2]`.

Volumes of noise are drawn from as in a training with `--augment True`, by `configs/volumes.json` of two data sets. A
thread draws while the network computes. Printed are the seconds of a step (forward, loss, backward, Adam), the seconds
in which the network waits for its patches, their share, and the peak of the memory.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import Dataset
from monai.transforms import Compose

from calib_monai.losses import SoftDiceLoss
from calib_monai.networks import unet
from calib_monai.patches import PatchLoader, RandomPatchesd

BUNDLES = Path(__file__).parents[2] / "bundles"
VOLUMES = {"hippocampus": (48, 64, 48), "acdc": (256, 288, 20)}  # prepared, of this size
COUNT = 6


def loader_of(dataset: str) -> tuple[PatchLoader, torch.nn.Module]:
    """The patches of a data set, and its network."""
    config = ConfigParser.load_config_file(BUNDLES / f"{dataset}_soft_dice" / "configs" / "volumes.json")
    num_classes = ConfigParser.load_config_file(BUNDLES / f"{dataset}_soft_dice" / "configs" / "train.json")[
        "num_classes"
    ]
    generator = torch.Generator().manual_seed(0)
    shape = (1, *VOLUMES[dataset])
    cases = [
        {
            "image": torch.rand(shape, generator=generator),
            "label": torch.randint(num_classes, shape, generator=generator),
            "case": str(number),
        }
        for number in range(COUNT)
    ]
    made_for = SimpleNamespace(spatial_dims=3, slice_size=config["patch_size"], num_classes=num_classes)
    changes = ConfigParser(config).get_parsed_content("augmentation")
    volumes = Dataset(cases, Compose([RandomPatchesd(made_for, changes)]))
    network = unet(1, num_classes, config["patch_size"], spatial_dims=3, spacing=config["spacing"])
    return PatchLoader(volumes, config["batch_size"], augment=True), network


def timed(dataset: str, epochs: int) -> tuple[float, float]:
    """Seconds of a step and of the wait before it."""
    loader, network = loader_of(dataset)
    loss, optimizer = SoftDiceLoss(), torch.optim.Adam(network.parameters())
    waited = worked = 0.0
    for _ in range(epochs):
        batches: Any = iter(loader)
        begun = time.perf_counter()
        for batch in batches:
            drawn = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            loss(network(batch["image"]), batch["label"]).backward()
            optimizer.step()
            waited, worked = waited + drawn - begun, worked + time.perf_counter() - drawn
            begun = time.perf_counter()
    steps = epochs * len(loader)
    return worked / steps, waited / steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    epochs = parser.parse_args().epochs
    print(f"{'':14}{'step, s':>10}{'wait, s':>10}{'share':>8}{'GiB':>8}")  # noqa: T201
    for dataset in VOLUMES:
        step, wait = timed(dataset, epochs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{dataset:14}{step:10.2f}{wait:10.3f}{wait / (step + wait):8.1%}{peak:8.1f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
