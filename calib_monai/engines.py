"""Engines: MONAI's trainer for batches of slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.engines import PrepareBatch, PrepareBatchDefault, PrepareBatchExtraInput, SupervisedTrainer
from monai.engines.utils import IterationEvents

from calib_monai.losses import leaving_out
from calib_monai.views import AugmentedBatch, RandomViews


class SliceTrainer(SupervisedTrainer):
    """MONAI's `SupervisedTrainer` with augmentation, and with a label that is ignored.

    Batches are not decollated, because nothing looks at single slices. Gradients are set to None between steps.
    The output of an iteration is a list of one dictionary, from which MONAI's tracking can take the loss.

    Args:
        loss_function: the loss, a module, which is moved to the device.
        augment: whether each slice of a batch is seen in a random view; None where the method has no such choice.
        random_views: draws the views; None uses the defaults of `RandomViews`.
        ignore_index: label of voxels that the loss leaves out, or None.
        extra_keys: keys of further maps of a batch, which the inferer gets by their names.
        kwargs: as in MONAI's.
    """

    def __init__(
        self,
        *,
        loss_function: Any,
        augment: bool | None = None,
        random_views: RandomViews | None = None,
        ignore_index: int | None = None,
        extra_keys: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        prepare: PrepareBatch = AugmentedBatch(augment, random_views) if augment is not None else PrepareBatchDefault()
        if extra_keys:
            prepare = PrepareBatchExtraInput({key: key for key in extra_keys})
        own: dict[str, Any] = {"prepare_batch": prepare, "decollate": False, "optim_set_to_none": True}
        super().__init__(
            loss_function=leaving_out(loss_function.to(kwargs["device"]), ignore_index), **{**own, **kwargs}
        )
        self.add_event_handler(IterationEvents.MODEL_COMPLETED, _list_output)


def _list_output(engine: SupervisedTrainer) -> None:
    """Put the output of an iteration into a list, as MONAI does when it takes a batch apart."""
    state: Any = engine.state
    if isinstance(state.output, dict):
        state.output = [state.output]
