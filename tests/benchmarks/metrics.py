"""Cost of the metrics beside others': `python tests/benchmarks/metrics.py [--runs 7] [--shape 155 240 240]`.

A volume of four classes, of which 2.6 % is foreground and 3 % plausible, or 17 % and 20 % where a row says so, one
thread, medians of paired runs. Memory is the
peak above the inputs, over the size of the probabilities, in a process of its own. "Together" is in a
`MetricCollection`, which selects the voxels of a region once; apart each metric selects them itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from memory import peak_growth, printed_by
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy.ndimage import gaussian_filter

from calib_monai.metrics import (
    ASDMetric,
    BrierMetric,
    CECEMetric,
    ECEMetric,
    HD95Metric,
    MetricCollection,
    NLLMetric,
    TACEMetric,
)
from calib_monai.metrics.by_name import metrics_by_name

EVALUATE = Path(__file__).parents[2] / "scripts" / "parts" / "evaluate.json"
SHARES = (0.026, 0.03)  # of the voxels, those of the foreground and the plausible ones
LARGE_SHARES = (0.17, 0.2)
SURE = 12.0  # added to the background's logit elsewhere
Work = Callable[[], object]


def volume(shape: tuple[int, ...], shares: tuple[float, float] = SHARES) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (1, 4, ...) and labels (1, 1, ...) in blobs, uint8, that the logits mostly follow."""
    generator = torch.Generator().manual_seed(0)
    fields = [torch.randn(shape, generator=generator).numpy() for _ in range(3)]
    smooth = torch.stack([torch.tensor(gaussian_filter(field, 4, truncate=2)) for field in fields])
    height, which = smooth.max(dim=0)
    lowest = [height.flatten().kthvalue(int((1 - share) * height.numel())).values for share in shares]
    labels = torch.where(height > lowest[0], which + 1, 0)[None, None].to(torch.uint8)
    logits = torch.randn((1, 4, *shape), generator=generator)
    logits.scatter_add_(1, labels.long(), torch.full(labels.shape, 4.0))
    logits[0, 0][height <= lowest[1]] += SURE
    return logits, labels


def compact(shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Three ellipsoids 30 to 60 voxels long and a prediction of each, one-hot, float32 as in an evaluation."""
    axes = torch.meshgrid(*(torch.arange(length) for length in shape), indexing="ij")
    labels = torch.zeros(shape, dtype=torch.int64)
    organs = {(0.3, 0.3, 0.3): (15, 20, 18), (0.5, 0.6, 0.5): (30, 25, 28), (0.7, 0.3, 0.7): (20, 28, 22)}  # radii
    for k, (center, radii) in enumerate(organs.items()):
        ball = zip(axes, shape, center, radii, strict=True)
        labels[sum(((axis - length * at) / radius) ** 2 for axis, length, at, radius in ball) < 1] = k + 1
    predicted = labels.roll((2, 3), dims=(0, 1))
    return {
        name: torch.nn.functional.one_hot(volume[None], 4).movedim(-1, 1).float().contiguous()
        for name, volume in (("y_pred", predicted), ("y", labels))
    }


def torchmetrics_ece(probs: torch.Tensor, labels: torch.Tensor) -> object:
    """The ECE of torchmetrics on the foreground of a volume."""
    from torchmetrics.functional.classification import multiclass_calibration_error  # noqa: PLC0415 - slow to import

    return multiclass_calibration_error(probs, labels[:, 0].long(), num_classes=4, n_bins=15, ignore_index=0)


def chosen_before(probs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same of the foreground's voxels alone, as who wants speed would call it."""
    inside = (labels != 0)[0, 0]
    return probs[:, :, inside], labels[:, :, inside]


def works(shape: tuple[int, ...]) -> dict[str, tuple[Work, Work]]:
    """What is timed, and what it is compared with."""
    logits, labels = volume(shape)
    probs = logits.softmax(dim=1)
    one_hot = {
        "y_pred": torch.nn.functional.one_hot(logits.argmax(dim=1), 4).movedim(-1, 1).to(torch.uint8).contiguous(),
        "y": torch.nn.functional.one_hot(labels[:, 0].long(), 4).movedim(-1, 1).to(torch.uint8).contiguous(),
    }
    soft = {"y_pred": probs, "y": labels}
    large = dict(zip(("y_pred", "y"), volume(shape, LARGE_SHARES), strict=True))
    large["y_pred"] = large["y_pred"].softmax(dim=1)
    organs = compact(shape)
    spacing = (1.0, 1.0, 1.5)

    def ours(*metrics: Callable[..., object], of: dict[str, Any]) -> Work:
        return lambda: [metric()(**of) for metric in metrics]

    def softmax() -> object:
        return logits.softmax(dim=1)

    def theirs(of: dict[str, Any]) -> Work:
        return lambda: [compute_hausdorff_distance(**of, percentile=95), compute_average_surface_distance(**of)]

    def errors(of: dict[str, Any], *regions: str) -> Work:
        return lambda: MetricCollection(
            {f"{kind.__name__} {region}": kind(region=region) for region in regions for kind in (ECEMetric, CECEMetric)}
        )(**of)

    def apart(*metrics: Callable[..., object]) -> Work:
        return lambda: [metric(region="foreground")(**soft) for metric in metrics]

    handlers = json.loads(EVALUATE.read_text(encoding="utf-8"))["+validate"]["additional_metrics"]
    of_an_evaluation = metrics_by_name(handlers["calibration"]["metrics"])

    return {
        "ece + cece, together / torchmetrics ece": (
            errors(soft, "foreground"),
            lambda: torchmetrics_ece(probs, labels),
        ),
        "ece + cece, together / the same, chosen": (
            errors(soft, "foreground"),
            lambda: torchmetrics_ece(*chosen_before(probs, labels)),
        ),
        "ece + cece, together / softmax": (errors(soft, "foreground"), softmax),
        "the same of both regions / softmax": (errors(soft, "foreground", "plausible"), softmax),
        "the same of 17 % and 20 % / softmax": (errors(large, "foreground", "plausible"), softmax),
        "ece + cece, apart / torchmetrics ece": (apart(ECEMetric, CECEMetric), lambda: torchmetrics_ece(probs, labels)),
        "evaluate.json's, together / apart": (
            lambda: MetricCollection(of_an_evaluation)(y_pred=probs, y=one_hot["y"]),
            lambda: [metric(y_pred=probs, y=one_hot["y"]) for metric in of_an_evaluation.values()],
        ),
        "tace / softmax": (apart(TACEMetric), softmax),
        "brier + nll / softmax": (ours(BrierMetric, NLLMetric, of=soft), softmax),
        "hd95 + asd / MONAI's": (ours(HD95Metric, ASDMetric, of=one_hot), theirs(one_hot)),
        "hd95 + asd, compact / MONAI's": (
            ours(HD95Metric, ASDMetric, of=organs | {"spacing": spacing}),
            theirs(organs | {"spacing": spacing}),
        ),
    }


def seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--shape", type=int, nargs=3, default=(155, 240, 240))
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.peak:
        print(peak_growth(works(tuple(options.shape))[options.peak][0]))  # noqa: T201 - read by the one that started it
        return
    print(f"{'':48}{'ratio of times':>16}{'ms':>8}{'memory':>8}")  # noqa: T201
    for name, (work, other) in works(tuple(options.shape)).items():
        pairs = [(seconds(work), seconds(other)) for _ in range(options.runs + 1)][1:]
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        took = 1000 * statistics.median(ours for ours, _ in pairs)
        peak = printed_by(__file__, "--peak", name, "--shape", *map(str, options.shape))
        memory = peak / (16 * torch.Size(options.shape).numel())
        print(f"{name:48}{ratio:16.2f}{took:8.0f}{memory:8.2f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
