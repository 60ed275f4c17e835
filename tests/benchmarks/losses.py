"""Cost of each loss over plain cross-entropy: `python tests/benchmarks/losses.py [--runs 7] [--device cpu]`.

Time is forward and backward, the median of paired runs: each run times cross-entropy and the loss one
after the other on the same tensors. Memory is the peak above the tensors given, over the size of the
logits; the gradient, which must be kept, is 1 of it. On a CPU one thread is used, and a process of its
own for each peak.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from memory import peak_growth, printed_by
from monai.losses import DiceCELoss, FocalLoss

from calib_monai.losses import ACELoss, CRaCLoss, ECPLoss, MbLSLoss, NACLLoss, SoftDiceLoss, SVLSLoss

SHAPES = ((16, 4, 224, 224), (16, 9, 192, 192), (2, 4, 96, 96, 96))
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def plain_cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, target.squeeze(1))


CRAC = {num_classes: CRaCLoss(num_classes) for _, num_classes, *_ in SHAPES}


def crac(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return CRAC[logits.shape[1]].to(logits.device)(logits, target)


LOSSES: dict[str, Loss] = {
    "cross-entropy": plain_cross_entropy,
    "ecp": ECPLoss(),
    "mbls": MbLSLoss(),
    "mbls quadratic": MbLSLoss(penalty="quadratic"),
    "svls": SVLSLoss(),
    "soft dice": SoftDiceLoss(),
    **{f"nacl {prior}": NACLLoss(prior=prior) for prior in ("mean", "gaussian", "max", "min", "median", "mode")},
    "crac": crac,
    "ace": ACELoss(),
    "ace soft": ACELoss("soft"),
    "MONAI dice_ce": DiceCELoss(to_onehot_y=True, softmax=True),
    "MONAI focal": FocalLoss(to_onehot_y=True, use_softmax=True, gamma=3.0),
}


def tensors(shape: tuple[int, ...], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of spread 4, and labels in blobs."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(shape, generator=generator)
    coarse = torch.rand(shape[0], shape[1], *(size // 16 for size in shape[2:]), generator=generator)
    target = torch.nn.functional.interpolate(coarse, size=shape[2:]).argmax(dim=1, keepdim=True)
    return logits.to(device).requires_grad_(), target.to(device)


def seconds(loss: Loss, logits: torch.Tensor, target: torch.Tensor) -> float:
    """Time of one forward and backward pass."""
    logits.grad = None
    if logits.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    loss(logits, target).backward()
    if logits.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def time_ratio(name: str, shape: tuple[int, ...], runs: int, device: str) -> float:
    """Median over paired runs of the loss's time over cross-entropy's."""
    logits, target = tensors(shape, device)
    for loss in (plain_cross_entropy, LOSSES[name]):
        seconds(loss, logits, target)
    pairs = [(seconds(plain_cross_entropy, logits, target), seconds(LOSSES[name], logits, target)) for _ in range(runs)]
    return statistics.median(ours / plain for plain, ours in pairs)


def memory_ratio(name: str, shape: tuple[int, ...], device: str) -> float:
    """Peak memory of a forward and backward pass above what was there before, over the logits."""
    size = torch.Size(shape).numel() * 4
    if device != "cpu":
        logits, target = tensors(shape, device)
        seconds(LOSSES[name], logits, target)
        logits.grad = None
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        LOSSES[name](logits, target).backward()
        return (torch.cuda.max_memory_allocated() - before) / size
    return printed_by(__file__, "--peak", name, "--shape", *map(str, shape)) / size


def print_peak(name: str, shape: tuple[int, ...]) -> None:
    """The growth of this process's peak memory in a pass, bytes, after a pass on small tensors."""
    torch.set_num_threads(1)
    small = tensors((2, shape[1], *(32 for _ in shape[2:])), "cpu")
    seconds(LOSSES[name], *small)
    logits, target = tensors(shape, "cpu")
    print(peak_growth(lambda: LOSSES[name](logits, target).backward()))  # noqa: T201 - read by the one that started it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="*", default=list(LOSSES), choices=list(LOSSES))
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--shape", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak, tuple(options.shape))
        return
    torch.set_num_threads(1)
    print(f"{'time | memory':<16}" + "".join(f"{shape!s:>24}" for shape in SHAPES))  # noqa: T201
    for name in options.only:
        cells = [
            f"{time_ratio(name, shape, options.runs, options.device):.2f} | "
            f"{memory_ratio(name, shape, options.device):.2f}"
            for shape in SHAPES
        ]
        print(f"{name:<16}" + "".join(f"{cell:>24}" for cell in cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
