"""Multipliers in nnU-Net: of all patches of a validation, and in its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from calib_monai.losses import CRaCLoss

IGNORED = 3
Batch = tuple[list[Tensor], list[Tensor]]


def batch(seed: int) -> Batch:
    """Logits and targets of three resolutions."""
    made = torch.Generator().manual_seed(seed)
    sizes = [(2, 8 // 2**level, 8 // 2**level, 4) for level in range(3)]
    logits = [torch.randn(size[0], 3, *size[1:], generator=made) for size in sizes]
    target = [torch.randint(3, (size[0], 1, *size[1:]), generator=made, dtype=torch.int16) for size in sizes]
    target[0][0, :, :3] = IGNORED
    return logits, target


def validated(trainer: Any, *batches: Batch) -> None:
    """An epoch: a training step, then a validation of these batches."""
    logits, target = batch(0)
    trainer.loss([one.requires_grad_() for one in logits], target).backward()
    with torch.no_grad():
        for each in batches:
            trainer.loss(*each)
    trainer.on_validation_epoch_end(["of nnU-Net"])


def test_multipliers_follow_from_the_finest_outputs_of_each_validation(
    trainers: dict[str, Callable[..., Any]],
) -> None:
    trainer, other = trainers["CRaC"](deep=True, ignored=IGNORED), CRaCLoss(3, target_scale=5.0, ignore_index=IGNORED)
    batches = [batch(seed) for seed in (1, 2, 3)]
    for part in (batches[:2], batches[2:]):
        validated(trainer, *part)
        sums = [other.violation_sums(logits[0], target[0]) for logits, target in part]
        other.multipliers.update(sum(sums[1:], start=sums[0]))
    assert trainer.validated == ["of nnU-Net"]
    assert other.multipliers.updates == 2
    for name, value in other.state_dict().items():
        torch.testing.assert_close(trainer.loss.loss.state_dict()[name], value)
    first, *_ = other.multipliers.multiplier[0].tolist()
    assert trainer.log[-1].startswith(f"CRaC multipliers by class: inner {first:.2e} ")


def test_a_checkpoint_continues_with_its_multipliers(trainers: dict[str, Callable[..., Any]], tmp_path: Path) -> None:
    before, after, other = (trainers["CRaC"](deep=True, ignored=IGNORED) for _ in range(3))
    validated(before, batch(1))
    path = str(tmp_path / "checkpoint.pth")
    before.save_checkpoint(path)
    after.load_checkpoint(path)
    other.load_checkpoint(torch.load(path, weights_only=False))
    for one in (after, other):
        kept = one.loss.loss.multipliers.state_dict()
        assert kept["updates"] == 1
        assert all(value.equal(kept[name]) for name, value in before.loss.loss.multipliers.state_dict().items())


def test_a_checkpoint_without_multipliers_is_refused(trainers: dict[str, Callable[..., Any]], tmp_path: Path) -> None:
    trainer = trainers["CRaC"](deep=True, ignored=IGNORED)
    torch.save({"network_weights": {}}, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match="holds no multipliers"):
        trainer.load_checkpoint(str(tmp_path / "checkpoint.pth"))


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_writes_where_checkpoints_are_written(
    rank: int, trainers: dict[str, Callable[..., Any]], tmp_path: Path
) -> None:
    trainer = trainers["CRaC"](deep=True, ignored=IGNORED)
    trainer.local_rank, trainer.disable_checkpointing = rank, rank == 0
    trainer.save_checkpoint(str(tmp_path / "checkpoint.pth"))
    assert torch.load(tmp_path / "checkpoint.pth") == {"network_weights": {}}


def test_an_epoch_without_validation_is_refused(trainers: dict[str, Callable[..., Any]]) -> None:
    with pytest.raises(ValueError, match="there was no validation step"):
        validated(trainers["CRaC"](deep=True, ignored=IGNORED))
