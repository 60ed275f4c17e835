"""Multipliers: updated after each validation of nnU-Net, and kept in its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calib_monai.lagrangian import AREAS, ViolationSums
from calib_monai.losses import CRaCLoss
from calib_monai.processes import gathered
from calib_monai.whole_files import whole_file

KEY = "calib_monai_multipliers"  # in a checkpoint of nnU-Net


class NNUNetMultiplierUpdate:
    """Updates the multipliers of a CRaC loss from the patches of nnU-Net's validation of an epoch.

    Where outputs of several resolutions are trained, the finest one counts.

    Args:
        crac: the loss that has the multipliers.
        called: what the trainer calls with outputs and targets: `crac`, or nnU-Net's wrapper of it.
    """

    def __init__(self, crac: CRaCLoss, called: nn.Module) -> None:
        self.crac = crac
        self.sums: ViolationSums | None = None
        called.register_forward_hook(self.collect)

    def collect(self, _called: nn.Module, given: tuple[Tensor | list[Tensor], ...], value: Tensor) -> None:
        """Add the violations of a validation step; a training step, whose loss has a gradient, adds none."""
        if value.requires_grad:
            return
        logits, target = (part if isinstance(part, Tensor) else part[0] for part in given)
        sums = self.crac.violation_sums(logits, target).to("cpu")
        self.sums = sums if self.sums is None else self.sums + sums

    def update(self) -> str:
        """Update from the violations of all processes, and give a line for the log.

        Raises:
            ValueError: a violation that is NaN or infinite, or there was no validation step.
        """
        parts = [sums for sums in gathered(self.sums) if sums is not None]
        self.sums = None
        if not parts:
            raise ValueError("there was no validation step, and the multipliers of CRaC need one in each epoch")
        multipliers = self.crac.multipliers
        multipliers.update(sum(parts[1:], start=parts[0]))
        rows = zip(AREAS, multipliers.multiplier.tolist(), strict=True)
        told = (f"{area} {' '.join(f'{value:.2e}' for value in values)}" for area, values in rows)
        return f"CRaC multipliers by class: {', '.join(told)}"

    def write(self, checkpoint: str) -> None:
        """Add the multipliers to a checkpoint that nnU-Net has written: it has no place for more of its own."""
        content = torch.load(checkpoint, map_location="cpu", weights_only=False)
        with whole_file(Path(checkpoint)) as file:
            torch.save({**content, KEY: self.crac.multipliers.state_dict()}, file)

    def read(self, checkpoint: str | dict[str, Any]) -> None:
        """Continue with the multipliers of a checkpoint, which is a file or its content.

        Raises:
            ValueError: the checkpoint has none.
        """
        told, content = "the checkpoint", checkpoint
        if isinstance(content, str):
            told, content = content, torch.load(content, map_location="cpu", weights_only=False)
        if KEY not in content:
            raise ValueError(f"{told} holds no multipliers: nnUNetTrainerCRaC did not write all of it")
        self.crac.multipliers.load_state_dict(content[KEY])
