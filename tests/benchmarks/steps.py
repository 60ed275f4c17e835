"""Cost of a training step over a plain one: `python tests/benchmarks/steps.py [--runs 7] [--device cpu]`.

A step is forward, loss, backward and Adam, with MONAI's UNet; a plain one has cross-entropy. Each time is the median of
paired runs: each run times a plain step and the step in question one after the other on the same batch; beside it is
the ratio of the least times. "one pass" shows the network both views in one batch, as `TwoViewInferer` does not. Below
the steps is what their parts take of cross-entropy. On a CPU one thread is used.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from monai.networks.nets import UNet
from torch.nn.functional import cross_entropy, interpolate

from calib_monai.boundaries import boundary_weight
from calib_monai.losses import BWCRLoss
from calib_monai.views import AugmentedBatch, TwoViewInferer, Views
from calib_monai.views.augmentation import RandomViews

NETWORKS = {
    "16..256, 2 residual units": {"channels": (16, 32, 64, 128, 256), "strides": (2, 2, 2, 2), "num_res_units": 2},
    "8..256, as in the bundles": {"channels": (8, 16, 32, 64, 128, 256), "strides": (1, 2, 2, 2, 2)},
}
SHAPES = ((16, 1, 48, 64), (4, 1, 224, 224))
NUM_CLASSES = 4
Step = Callable[[], object]


def one_pass(inputs: torch.Tensor, network: torch.nn.Module, weight: torch.Tensor | None = None) -> Views:
    """What `TwoViewInferer` gives, by one pass of the network for both views."""
    view = RandomViews()(torch.cat([inputs, inputs]))
    first, second = view.back(network(view.image)).chunk(2)
    return Views(first, second, torch.cat(view.valid().chunk(2), dim=1), weight)


def steps(network: torch.nn.Module, shape: tuple[int, ...], device: str) -> dict[str, Step]:
    """A training step of each kind, the plain one first."""
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device)
    label = interpolate(torch.rand(shape[0], NUM_CLASSES, 6, 8), size=shape[2:]).argmax(dim=1, keepdim=True)
    batch = {"image": image, "label": label.to(device, torch.uint8)}
    weight, optimizer, loss = boundary_weight(batch["label"]), torch.optim.Adam(network.parameters()), BWCRLoss()

    def stepped(pred_loss: Callable[[], torch.Tensor]) -> Step:
        def step() -> None:
            optimizer.zero_grad()
            pred_loss().backward()
            optimizer.step()

        return step

    def plain(image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return cross_entropy(network(image), label.squeeze(1).long())

    def consistent(inferer: Any, weight: torch.Tensor | None) -> torch.Tensor:
        return loss(inferer(batch["image"], network, weight=weight), batch["label"])

    return {
        "plain": stepped(lambda: plain(**batch)),
        "augmented": stepped(lambda: plain(*AugmentedBatch()(batch, device))),
        "bwcr": stepped(lambda: consistent(TwoViewInferer(), weight)),
        "bwcr, weight computed": stepped(lambda: consistent(TwoViewInferer(), None)),
        "bwcr, one pass": stepped(lambda: consistent(one_pass, weight)),
    }


def parts(shape: tuple[int, ...], device: str) -> dict[str, Step]:
    """Two views and their way back, the loss, and the weight, cross-entropy first."""
    images = torch.rand(shape, device=device)
    logits = [torch.randn(shape[0], NUM_CLASSES, *shape[2:], device=device, requires_grad=True) for _ in range(2)]
    label = torch.randint(NUM_CLASSES, (shape[0], 1, *shape[2:]), device=device, dtype=torch.uint8)
    valid = torch.rand(shape[0], 2, *shape[2:], device=device) < 0.8
    weight, loss, random_views = boundary_weight(label), BWCRLoss(), RandomViews()
    views = [random_views(images) for _ in range(2)]
    gradients = [torch.ones_like(logits[0]) for _ in range(2)]
    return {
        "cross-entropy": lambda: cross_entropy(logits[0], label.squeeze(1).long()).backward(),
        "bwcr loss": lambda: loss((*logits, valid, weight), label).backward(),
        "two views": lambda: [random_views(images).valid() for _ in range(2)],
        "two ways back": lambda: torch.autograd.backward(
            [view.back(part) for view, part in zip(views, logits, strict=True)], gradients
        ),
        "weight": lambda: boundary_weight(label),
    }


def seconds(step: Step, device: str) -> float:
    """Time of one step."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def print_ratios(made: dict[str, Step], runs: int, device: str) -> None:
    """A line for each step: milliseconds, and of the first one's time how often, by the medians and by the least."""
    first, *_ = made.values()
    for name, step in made.items():
        for warming in (first, step):
            seconds(warming, device)
        pairs = [(seconds(first, device), seconds(step, device)) for _ in range(runs)]
        ratio = statistics.median(one / base for base, one in pairs)
        least = min(one for _, one in pairs) / min(base for base, _ in pairs)
        took = 1e3 * statistics.median(one for _, one in pairs)
        print(f"  {name:<24} {took:9.1f} ms {ratio:7.2f} {least:7.2f}", flush=True)  # noqa: T201


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for shape in SHAPES:
        for name in options.networks:
            torch.manual_seed(0)
            network = UNet(spatial_dims=2, in_channels=shape[1], out_channels=NUM_CLASSES, **NETWORKS[name])
            print(f"{shape}, UNet {name}")  # noqa: T201
            print_ratios(steps(network.to(options.device), shape, options.device), options.runs, options.device)
        print(f"{shape}, parts, of cross-entropy")  # noqa: T201
        print_ratios(parts(shape, options.device), options.runs, options.device)


if __name__ == "__main__":
    main()
