"""The start of a run: all of its checks, the cheap ones first and before any file of a case is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.handlers import CheckpointLoader, CheckpointSaver, LrScheduleHandler

from calib_monai.checks import (
    check_bundle_root,
    check_fold,
    check_model,
    check_network,
    check_schedule,
    check_slice_size,
    check_split,
)
from calib_monai.ensembles import check_members
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.handlers.calibration import CalibratorFit
from calib_monai.handlers.class_maps import check_metrics
from calib_monai.handlers.resuming import TRAINING, check_earlier
from calib_monai.handlers.savers import EVALUATION, ResultsSaver
from calib_monai.handlers.training_checks import (
    check_best,
    check_learning,
    check_multipliers,
    check_steps,
    enabled_handlers,
)
from calib_monai.inferers import check_windows
from calib_monai.locks import check_free
from calib_monai.loss_checks import check_loss
from calib_monai.made_for import MadeFor, check_axes, check_made_for
from calib_monai.networks import members_of
from calib_monai.patches import check_options_of_patches
from calib_monai.path_options import check_writable
from calib_monai.processes import check_alone
from calib_monai.running import given_in_python

OF_SLICES = ("augment", "empty_slices", "extra_keys", "random_views")  # options that patches may not have
CONFIGS = ("train.json", "inference.json")  # of a bundle; each says what its models are made for
VOLUMES = "volumes.json"  # laid over it for networks of volumes; an exported package has it in the others


def check_run(
    bundle_root: str,
    folders: Sequence[str],
    made_for: MadeFor,
    *,
    datalist: Callable[[], object] | None = None,
    batch_size: int | None = None,
    loss: torch.nn.Module | None = None,
    inferer: Callable[[torch.Tensor, torch.nn.Module], Any] | None = None,
    whole_inferer: object = None,
    metrics: Iterable[Mapping[str, Any] | None] = (),
    handlers: Sequence[Any] = (),
) -> None:
    """Raise ValueError if a run cannot work; no file of a case is read.

    A run that can work holds the lock of what it will write, if the folder is there.

    Args:
        bundle_root: folder of the bundle.
        folders: folders that the run writes to.
        made_for: the network, the classes, the channels and the slices or patches of the run.
        datalist: of a training, gives the split.
        batch_size: the batch size of a training, or None.
        loss: the loss of a training, or None.
        inferer: of a training, what applies the network.
        whole_inferer: what applies the network to whole images.
        metrics: MONAI's handlers of metrics by name, for each kind; those of a `ResultsSaver` are checked, too.
        handlers: handlers of an evaluator. If a `CheckpointLoader` is among them its file must be a model for such a
            run; if a `CalibratorFit` is, the model's split must be there; if a `ResultsSaver` is, no results of another
            kind may be.

    Raises:
        ValueError: the message is one line with the value and the rule.
    """
    _check_place(bundle_root, folders, made_for.slice_size, made_for.spatial_dims)
    check_windows(whole_inferer, made_for.slice_size)
    if datalist is not None:
        check_fold(datalist)
    for loader in (one for one in handlers if isinstance(one, CheckpointLoader)):
        file = Path(loader.load_path)
        members = members_of(made_for.network, str(file.parent))
        if len(members) > 1:
            check_members(str(file.parent), [folder for _, folder in members])
        for member, folder in members:
            check_axes(made_for, folder)
            check_model(f"{folder}/{file.name}", member)
            check_made_for(made_for, folder, _configs_in(bundle_root, made_for))
    for fit in (one for one in handlers if isinstance(one, CalibratorFit)):
        check_split(fit.ckpt_dir)
    for saver in (one for one in handlers if isinstance(one, ResultsSaver)):
        saver.check_earlier(made_for.network)
    network, num_classes, in_channels = made_for.network, made_for.num_classes, made_for.in_channels
    device = next((weights.device for weights in network.parameters()), torch.device("cpu"))
    check_network(network, in_channels, num_classes, made_for.slice_size, device, batch_size)
    if loss is not None and inferer is not None:
        check_loss(loss, network, inferer, in_channels, num_classes, made_for.slice_size, device, made_for.ignore_index)
    measured = [one for saver in handlers if isinstance(saver, ResultsSaver) for one in saver.metrics]
    check_metrics([*metrics, *measured], num_classes)
    _check_free(handlers, network)


def _check_free(handlers: Sequence[Any], network: object) -> None:
    """Raise ValueError if another process writes what these handlers write."""
    for one in handlers:
        if isinstance(one, CalibratorFit):
            check_free(one.ckpt_dir, one.lock_of(network))
        elif isinstance(one, ResultsSaver):
            check_free(str(one.folder), EVALUATION)


def check_training(config: ConfigParser | None = None) -> None:
    """Raise ValueError if a training cannot work; nothing of its cases is read.

    Each part of the training is made right before its check, in this order: `bundle_root`, `ckpt_dir`, `output_dir`,
    `slice_size` and `spatial_dims`; `epochs` and `val_interval`; `made_for`, `datalist`, `batch_size`, `loss`,
    `train#inferer` and the metrics of `validate`; `training_box`, `random_views` and `lr_scheduler`; the savers in
    `validate#handlers`, the schedules in `train#handlers` and `train#trainer#optimizer`; last, with `resume` and
    `overwrite`, what is left of an earlier training. A key that somebody has removed is passed over, but for the first
    four and `made_for`.

    Args:
        config: the configuration of the training; by default the one that runs.

    Raises:
        ValueError: the message is one line with the value and the rule.
    """
    given = None if config is not None else given_in_python()
    parser = config if given is None else given.config
    if parser is None:
        raise ValueError("check_training needs the configuration of a training: no configuration runs")
    needed: Callable[[str], Any] = parser.get_parsed_content
    if parser.ref_resolver.is_resolved():
        needed = parser.ref_resolver.get_resolved_content  # which does not parse anew what is being parsed

    def part(name: str) -> Any:
        return needed(name) if name in parser else None

    folders = [str(needed("ckpt_dir")), str(needed("output_dir"))]
    sizes = needed("slice_size"), part("spatial_dims") or 2  # of an earlier version's file
    _check_place(needed("bundle_root"), folders, *sizes)  # before the network is made
    if "epochs" in parser and "val_interval" in parser:
        check_schedule(part("epochs"), part("val_interval"))
    check_run(
        needed("bundle_root"),
        folders,
        needed("made_for"),
        datalist=part("datalist"),
        batch_size=part("batch_size"),
        loss=part("loss"),
        inferer=part("train::inferer"),
        whole_inferer=part("inferer"),
        metrics=[part("validate::key_metric"), part("validate::additional_metrics")],
    )
    for name in ("training_box", "random_views", "lr_scheduler"):  # which refuse wrong arguments
        part(name)
    _check_parts(parser, part)
    check_earlier(*folders, resume=bool(part("resume")), overwrite=bool(part("overwrite")))
    for folder in folders:
        check_free(folder, TRAINING)


def _check_parts(parser: ConfigParser, part: Callable[[str], Any]) -> None:
    """Raise ValueError if the parts of a training would fail together, or learn nothing, only epochs later.

    Args:
        parser: the configuration of the training.
        part: gives a part of it by its id.
    """
    if part("spatial_dims") == SPATIAL_DIMS:
        options = {name: part(f"train::trainer::{name}") for name in OF_SLICES if f"train#trainer#{name}" in parser}
        check_options_of_patches(**options)
    scheduler, savers = None, enabled_handlers(parser.get("validate#handlers"), CheckpointSaver)
    if "validate#key_metric" in parser:
        check_best(part("validate::key_metric"), [saver for _, saver in savers])
    for place, handler in enabled_handlers(parser.get("train#handlers"), LrScheduleHandler):
        steps = part(f"train::handlers::{place}::lr_scheduler")
        if "step_transform" not in handler:
            check_steps(f"train#handlers#{place}", steps)
        scheduler = steps if handler.get("epoch_level", True) is True else None
    if isinstance(loss := part("loss"), torch.nn.Module):
        check_multipliers(loss, part("validate::additional_metrics"))
    if (optimizer := part("train::trainer::optimizer")) is not None:
        check_learning(part("made_for").network, optimizer, scheduler, part("epochs") or 1)


def _check_place(bundle_root: str, folders: Sequence[str], slice_size: Sequence[int], spatial_dims: int) -> None:
    """Raise ValueError if a run has the wrong place or company, or slices that no network takes."""
    check_alone()
    check_bundle_root(str(bundle_root))
    check_writable(folders)
    check_slice_size(slice_size, spatial_dims)


def _configs_in(bundle_root: str, made_for: MadeFor) -> list[str]:
    """The files of a bundle that say what its models of slices or of volumes are made for, without options."""
    folder = Path(bundle_root) / "configs"
    first = next((folder / name for name in CONFIGS if (folder / name).is_file()), folder / CONFIGS[0])
    laid_over = [folder / VOLUMES] if made_for.spatial_dims == SPATIAL_DIMS else []
    return [str(first), *(str(path) for path in laid_over if path.is_file())]
