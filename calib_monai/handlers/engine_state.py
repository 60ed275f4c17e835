"""Typed access to the state and the output of an engine, which Ignite leaves without types."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.metrics.inputs import ProbsAndLabels, labels_and_ignored, measured_voxels, plain, probs_and_labels
from calib_monai.processes import is_first_process
from calib_monai.regions import Region
from calib_monai.same_images import label_digest_of

logger = logging.getLogger(__name__)


def output_of(engine: Engine) -> dict[str, Any]:
    """The output of an evaluator's iteration with its input, before MONAI takes the batch apart; it may be added to."""
    state: Any = engine.state
    output: dict[str, Any] = state.output
    return output


def ignored_label(engine: Engine) -> int | None:
    """The ignored label in a run of this engine, None without `IgnoredLabel`."""
    return getattr(engine.state, "ignore_index", None)


def start_cautions(engine: Engine) -> None:
    """Forget what `add_caution` noted in an earlier run."""
    state: Any = engine.state
    state.cautions = []


def add_caution(engine: Engine, caution: str) -> None:
    """Log and note a caution about the numbers, which summary and report repeat; only the first process does."""
    if is_first_process():
        logger.warning("%s", caution)
        state: Any = engine.state
        state.cautions.append(caution)


def loss_of(output: Any) -> Any:
    """The loss in what a trainer puts out for an iteration, decollated or not, without its gradient."""
    return torch.as_tensor((output if isinstance(output, dict) else output[0])["loss"]).detach()


def logits_of(engine: Engine) -> Tensor:
    """Logits (B, C, ...) of an iteration after the forward pass. MONAI calls them "pred" until the postprocessing."""
    return plain(output_of(engine)["pred"])


def logits_and_target(engine: Engine) -> tuple[Tensor, Tensor]:
    """Logits (B, C, ...) and class indices (B, 1, ...) of an iteration; an ignored voxel keeps the ignored label."""
    logits, ignore_index = logits_of(engine).detach(), ignored_label(engine)
    labels, ignored = labels_and_ignored(plain(output_of(engine)["label"]), logits.shape[1], ignore_index)
    return logits, labels if ignored is None else labels.int().masked_fill_(ignored, ignore_index or 0)


def items(engine: Engine) -> list[dict[str, Any]]:
    """The cases of an iteration, input and output together, after MONAI has taken the batch apart."""
    state: Any = engine.state
    return [{**batch, **output} for batch, output in zip(state.batch, state.output, strict=True)]


def voxels_of(item: dict[str, Any], region: Region, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Probabilities (C, N) and labels (N,) of the N voxels of a case's region.

    Args:
        item: a case with "prob" and "label"; if a label is ignored, with "target" (class indices) instead of "label".
        region: the voxels looked at.
        ignore_index: label of voxels that are in no region.

    Raises:
        ValueError: "prob" or "label" that are none, as the metrics refuse them.
    """
    [voxels] = measured_voxels(region, *given_of(item, ignore_index))
    return voxels


def given_of(item: dict[str, Any], ignore_index: int | None) -> ProbsAndLabels:
    """The input of the metrics for a case, as a batch of one from `probs_and_labels`; arguments as in `voxels_of`."""
    label = item["label" if ignore_index is None else "target"]
    return probs_and_labels(item["prob"][None], label[None], ignore_index)


def label_digest(item: Mapping[str, Any]) -> bytes:
    """What is the same for the labels of two cases that agree in all voxels; nothing for a one-hot label."""
    label = plain(item["label"]).cpu()
    return label_digest_of(label, affine_of(item)) if len(label) == 1 else b""


def affine_of(item: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """The affine of a case's label, (4, 4), if it has one."""
    return np.asarray(item["label"].affine) if hasattr(item["label"], "affine") else None
