"""Slices: keeps one slice of each evaluated case for the report."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import Any

import nibabel
import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from torch import Tensor

from calib_monai.case_names import case_of
from calib_monai.handlers.engine_state import given_of, ignored_label, items
from calib_monai.metrics.inputs import plain
from calib_monai.processes import gathered, is_first_process
from calib_monai.reports.slice_files import IGNORED
from calib_monai.whole_files import UNFINISHED


class SliceSaver:
    """Writes `slices/CASE.npz`: image, label and probabilities of the slice with most foreground.

    The label alone determines the slice, so that figures of several methods show the same one. The file holds these
    arrays:

    * `image` (H, W), `label` (H, W) with 255 in ignored voxels, `probs` (C, H, W);
    * `index`, the number of the slice; a picture has none;
    * `from_below`, whether the second axis runs upwards. It does if it leads to the front or to the head of a
      patient. In a picture it does not;
    * `voxel_aspect`, the length of a voxel along the second axis divided by its length along the first.

    Args:
        output_dir: folder in which `slices` is made.
    """

    def __init__(self, output_dir: str) -> None:
        self.folder = Path(output_dir) / "slices"
        self.unfinished = self.folder.with_name(f"{UNFINISHED}slices")

    def attach(self, engine: Engine) -> None:
        """Write after every iteration of an evaluator; the slices of the earlier run are replaced at the end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, _engine: Engine) -> None:
        """Make a folder for the slices of this run."""
        if is_first_process():
            rmtree(self.unfinished, ignore_errors=True)
            self.unfinished.mkdir(parents=True)
        gathered(None)  # no process writes before that

    def finish(self, _engine: Engine) -> None:
        """Replace the slices of the earlier run by those of this run."""
        gathered(None)  # no process writes after that
        if is_first_process():
            rmtree(self.folder, ignore_errors=True)
            self.unfinished.rename(self.folder)

    def update(self, engine: Engine) -> None:
        """Write the slices of this iteration's cases."""
        for item in items(engine):
            image, probs = plain(item["image"])[0], plain(item["prob"])
            _, labels, ignored = given_of(item, ignored_label(engine))
            label = labels[0, 0]
            is_picture = label.ndim == 2  # noqa: PLR2004 - axes
            if is_picture:
                image, label, probs = image.unsqueeze(-1), label.unsqueeze(-1), probs.unsqueeze(-1)
            index = int(torch.stack([(plane != 0).sum(dim=0) for plane in label]).sum(dim=0).argmax())
            label = label if ignored is None else label.masked_fill(ignored[0, 0].view_as(label), IGNORED)
            place: dict[str, Any] = {} if is_picture else {"index": index}
            np.savez_compressed(
                self.unfinished / f"{case_of(item)}.npz",
                image=image[..., index].cpu().numpy(),
                label=label[..., index].to(torch.uint8).cpu().numpy(),
                probs=probs[..., index].cpu().numpy(),
                **place,
                from_below=_from_below(item["image"]),
                voxel_aspect=_voxel_aspect(item["image"]),
            )


def _voxel_aspect(image: Tensor) -> float:
    """The length of a voxel along the second axis of an image (C, H, W[, D]) divided by its length along the first."""
    if not isinstance(image, MetaTensor):
        return 1.0
    along_first, along_second = image.pixdim[:2].tolist()
    return float(along_second / along_first)


def _from_below(image: Tensor) -> bool:
    """Whether the second axis of an image (C, H, W[, D]) is shown upright from below."""
    if image.ndim == 3:  # noqa: PLR2004 - a picture
        return False
    return not isinstance(image, MetaTensor) or nibabel.aff2axcodes(image.affine.cpu().numpy())[1] in "AS"  # type: ignore[no-untyped-call]
