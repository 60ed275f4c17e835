"""The start of a run: all of its checks, the cheap ones first and before any file of a case is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.handlers import CheckpointLoader

from calib_monai.checks import (
    check_bundle_root,
    check_fold,
    check_model,
    check_network,
    check_noise,
    check_schedule,
    check_slice_size,
    check_split,
    check_writable,
)
from calib_monai.handlers.calibration import CalibratorFit
from calib_monai.handlers.class_maps import check_metrics
from calib_monai.loss_checks import check_loss
from calib_monai.made_for import MadeFor, check_made_for
from calib_monai.processes import check_alone

CONFIGS = ("train.json", "inference.json")  # of a bundle; each says what its models are made for


def check_run(
    bundle_root: str,
    folders: Sequence[str],
    made_for: MadeFor,
    *,
    epochs: int = 1,
    val_interval: int = 1,
    datalist: Callable[[], object] | None = None,
    batch_size: int | None = None,
    loss: torch.nn.Module | None = None,
    inferer: Callable[[torch.Tensor, torch.nn.Module], Any] | None = None,
    metrics: Iterable[Mapping[str, Any] | None] = (),
    noise_std: float = 0.0,
    handlers: Sequence[Any] = (),
    parts: Sequence[Any] = (),  # noqa: ARG001 - they are made, which is their check
) -> None:
    """Raise ValueError if a run cannot work; no file of a case is read.

    Args:
        bundle_root: folder of the bundle.
        folders: folders that the run writes to.
        made_for: the network, the classes, the channels and the slices of the run.
        epochs: number of epochs of a training.
        val_interval: number of epochs from one validation to the next.
        datalist: of a training, gives the split.
        batch_size: the batch size of a training, or None.
        loss: the loss of a training, or None.
        inferer: of a training, what applies the network.
        metrics: MONAI's handlers of metrics by name, for each kind of metric.
        noise_std: deviation of the noise that an evaluation adds.
        handlers: handlers of an evaluator. If a `CheckpointLoader` is among them its file must be a model for such a
            run; if a `CalibratorFit` is, the model's split must be there.
        parts: other parts of the run that refuse wrong arguments when they are made.

    Raises:
        ValueError: the message is one line with the value and the rule.
    """
    check_alone()
    check_bundle_root(bundle_root)
    check_writable(folders)
    check_slice_size(made_for.slice_size)
    check_schedule(epochs, val_interval)
    if datalist is not None:
        check_fold(datalist)
    check_noise(noise_std)
    for loader in (one for one in handlers if isinstance(one, CheckpointLoader)):
        folder = str(Path(loader.load_path).parent)
        check_model(loader.load_path, made_for.network)
        check_made_for(made_for, folder, _config_in(bundle_root))
    for fit in (one for one in handlers if isinstance(one, CalibratorFit)):
        check_split(fit.ckpt_dir)
    network, num_classes, in_channels = made_for.network, made_for.num_classes, made_for.in_channels
    device = next((weights.device for weights in network.parameters()), torch.device("cpu"))
    check_network(network, in_channels, num_classes, made_for.slice_size, device, batch_size)
    if loss is not None and inferer is not None:
        check_loss(loss, network, inferer, in_channels, num_classes, made_for.slice_size, device)
    check_metrics(metrics, num_classes)


def _config_in(bundle_root: str) -> str:
    """The file of a bundle that says what its models are made for, without options."""
    paths = [Path(bundle_root) / "configs" / name for name in CONFIGS]
    return str(next((path for path in paths if path.is_file()), paths[0]))
