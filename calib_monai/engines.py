"""Engines: MONAI's trainer on the slices or the patches of volumes, and its evaluator on whole volumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import Dataset
from monai.engines import (
    PrepareBatch,
    PrepareBatchDefault,
    PrepareBatchExtraInput,
    SupervisedEvaluator,
    SupervisedTrainer,
)
from monai.engines.utils import IterationEvents
from monai.inferers import SimpleInferer
from torch.nn.parallel import DistributedDataParallel

from calib_monai.case_names import check_different, names_in
from calib_monai.composed import random_in
from calib_monai.inferers import MEMBER_LABELS, MembersInferer
from calib_monai.loaders import VolumeLoader
from calib_monai.losses import leaving_out
from calib_monai.lost_cases import LOST, LosingDataset, why_lost
from calib_monai.memory import free_at_once, keep_freed
from calib_monai.networks import EnsembleNetwork
from calib_monai.patches import PatchLoader, check_options_of_patches, patches_of
from calib_monai.processes import OwnPart, num_processes, own_rank
from calib_monai.slices import SliceLoader
from calib_monai.tensor_checks import check_gives_logits
from calib_monai.transforms import BoundaryWeightd
from calib_monai.views import AugmentedBatch, RandomViews

WEIGHT = "weight"  # of each voxel, by which `TwoViewInferer` gives it to its loss


class SliceTrainer(SupervisedTrainer):
    """MONAI's `SupervisedTrainer` on shuffled batches of the slices of volumes, see `SliceLoader`.

    If the last transform of the data set is a `calib_monai.patches.RandomPatchesd`, batches hold patches of volumes,
    see `PatchLoader`. With `augment` they are changed by the `augmentation` of that transform, and not by
    `random_views`. A `BWCRLoss` then computes its weights from the labels of each patch.

    Batches are not decollated, because nothing looks at single slices. Gradients are set to None between steps. Several
    processes share each batch. The output of an iteration is a list of one dictionary, from which MONAI's tracking can
    take the loss.

    Args:
        dataset: the prepared volumes.
        batch_size: slices in a batch of all processes together.
        device: the device of network, loss and slices.
        loss_function: the loss, a module.
        seed: decides the order of the slices.
        empty_slices: whether slices with nothing but background are used.
        ignore_index: label of voxels that are not trained on, or None.
        augment: whether each slice of a batch is seen in a random view; None where the method has no such choice.
        random_views: draws the views; None uses the defaults of `RandomViews`.
        extra_keys: keys of further maps of the volumes, which the inferer gets by their names. A `BWCRLoss` that weighs
            voxels by their distance to a boundary adds "weight", which is computed once for each volume.
        kwargs: as in MONAI's.

    Attributes:
        loss: the loss as it was given.
        starts: what is called when the trainer runs for the first time, before its first epoch.

    Raises:
        ValueError: several processes run together and the network is not parallel, both augment and extra_keys, a
            random transform of the volumes of slices, or for patches an option that changes nothing for them.
    """

    def __init__(
        self,
        *,
        dataset: Dataset,
        batch_size: int,
        device: torch.device,
        loss_function: Any,
        seed: int = 0,
        empty_slices: bool = True,
        ignore_index: int | None = None,
        augment: bool | None = None,
        random_views: RandomViews | None = None,
        extra_keys: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        _check_parallel(kwargs.get("network"))
        if augment is not None and extra_keys:
            raise ValueError(
                f"augment is {augment} and extra_keys are {list(extra_keys)}: views are drawn of images and "
                "labels alone, so set augment to None"
            )
        shared: dict[str, Any] = {"process": own_rank(), "num_processes": num_processes()}
        prepare: PrepareBatch = PrepareBatchDefault()
        loader: Any
        if patches_of(getattr(dataset, "transform", None)) is not None:
            check_options_of_patches(
                augment=augment, empty_slices=empty_slices, extra_keys=extra_keys, random_views=random_views
            )
            loader = PatchLoader(dataset, batch_size, seed, augment=bool(augment), **shared)
        else:
            _check_not_random(dataset, augment)
            if augment is None and getattr(loss_function, "boundary_weighted", False) and WEIGHT not in extra_keys:
                weighing = BoundaryWeightd(names=WEIGHT, loss=loss_function, ignore_index=ignore_index)
                dataset = Dataset(dataset, weighing)  # type: ignore[arg-type] # a dataset is a sequence
                extra_keys = [*extra_keys, WEIGHT]
            kept = {"empty_slices": empty_slices, "ignore_index": ignore_index, "extra_keys": extra_keys}
            loader = SliceLoader(dataset, batch_size, seed, device=device, **kept, **shared)  # type: ignore[arg-type]
            prepare = _prepare_slices(augment, random_views, extra_keys)
        self.loss = loss_function
        self.starts: list[Callable[[], None]] = []
        own: dict[str, Any] = {"prepare_batch": prepare, "decollate": False, "optim_set_to_none": True}
        own["non_blocking"] = True  # a copy to a GPU need not wait for the step before
        super().__init__(
            device=device,
            train_data_loader=loader,
            loss_function=leaving_out(loss_function.to(device), ignore_index),
            **{**own, **kwargs},
        )
        self.add_event_handler(IterationEvents.FORWARD_COMPLETED, _check_first_output)
        self.add_event_handler(IterationEvents.MODEL_COMPLETED, _list_output)

    def run(self) -> None:  # type: ignore[override] # as MONAI's
        """Train, after what has to be done at the start.

        A client of federated learning sets weights and epochs and runs the trainer in each round: later rounds keep
        them.
        """
        for start in self.starts:
            start()
        self.starts = []
        try:
            super().run()
        finally:
            free_at_once()

    def _iteration(self, engine: Any, batchdata: Any) -> Any:
        """A step, as MONAI's. On the CPU freed memory is kept for the next one, also after a validation in between."""
        if self.state.device.type == "cpu":
            keep_freed()
        return super()._iteration(engine, batchdata)


class VolumeEvaluator(SupervisedEvaluator):
    """MONAI's `SupervisedEvaluator` on whole volumes, one after the other, see `VolumeLoader`.

    If the network is an ensemble, its members predict whole volumes one after the other, see `MembersInferer`. The
    output of an iteration then has "member_labels", their class indices (B, M, H, W[, D]) on the network's grid.

    Args:
        dataset: the prepared volumes.
        device: the device of the network.
        num_workers: number of processes that load volumes.
        kwargs: as in MONAI's.

    Attributes:
        handlers: the handlers.
        cases: the volumes before they are prepared.

    Raises:
        ValueError: several processes run together, and each would evaluate all cases.
    """

    def __init__(self, *, dataset: Dataset, device: torch.device, num_workers: int = 0, **kwargs: Any) -> None:
        self.handlers = kwargs.get("val_handlers") or []
        self.cases = dataset.data
        _check_shared(self.cases)
        members = isinstance(kwargs.get("network"), EnsembleNetwork)
        if members:
            kwargs["inferer"] = MembersInferer(kwargs.get("inferer") or SimpleInferer())
        super().__init__(device, VolumeLoader(dataset, num_workers, batch_size=1), **kwargs)
        if members:
            self.add_event_handler(IterationEvents.FORWARD_COMPLETED, _keep_labels_of_members)

    def run(self, global_epoch: int = 1) -> None:  # type: ignore[override] # as MONAI's
        """Evaluate all volumes.

        Args:
            global_epoch: the epoch of the trainer that validates.

        Raises:
            ValueError: there is no volume, or two have one name; or as when it was made.
        """
        _check_shared(self.cases)
        check_different(self.cases)
        free_at_once()  # whole volumes are larger than what a training keeps
        super().run(global_epoch)


class InputEvaluator(VolumeEvaluator):
    """The evaluator of an inference: a case that cannot be loaded or predicted is noted, and does not end the run.

    The iteration of such a case has an empty batch and an empty output.

    Args:
        dataset: the prepared images.
        lose: notes the name of a case and the reason.
        kwargs: as in `VolumeEvaluator`.
    """

    def __init__(self, *, dataset: Dataset, lose: Callable[[str, str], None], **kwargs: Any) -> None:
        super().__init__(dataset=LosingDataset(dataset), **kwargs)
        self.lose = lose

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> Any:
        """Predict a case, as MONAI's."""
        [why] = batchdata.get(LOST, [""])
        try:
            if not why:
                return super()._iteration(engine, batchdata)
        except Exception as error:
            why = why_lost(error)
            if not why:
                raise
        [case] = names_in(batchdata)
        self.lose(case, why)
        state: Any = engine.state
        state.batch = []
        return []


def input_evaluator(
    *, dataset: Dataset, cases: Any, device: torch.device, num_workers: int = 0, **kwargs: Any
) -> InputEvaluator:
    """The evaluator of an inference, after those of its images are left out that cannot be predicted.

    Args:
        dataset: the prepared images.
        cases: the `calib_monai.predicted_cases.InputsOnDemand` of the inference, which checks the data of the dataset.
        device: the device of the network.
        num_workers: number of processes that load volumes.
        kwargs: as in `VolumeEvaluator`.

    Raises:
        ValueError: as `InputsOnDemand.used`, or cases that are a list.
    """
    if isinstance(cases, list | tuple):
        raise ValueError("cases is a list, and nothing checks it: a list of cases is given as dataset#data")  # noqa: TRY004
    cases.used(dataset, num_workers)
    return InputEvaluator(dataset=dataset, lose=cases.lose, device=device, num_workers=num_workers, **kwargs)


def _check_parallel(network: Any) -> None:
    """Raise ValueError if several processes run together, and each would train a network of its own."""
    if num_processes() > 1 and not isinstance(network, DistributedDataParallel):
        raise ValueError(
            f"{num_processes()} processes run together, and each would train a network of its own: train with "
            "configs/multi_gpu_train.json over configs/train.json, or in one process"
        )


def _prepare_slices(
    augment: bool | None,  # noqa: FBT001 - as the trainer has it
    random_views: RandomViews | None,
    extra_keys: Sequence[str],
) -> PrepareBatch:
    """What makes the inputs of the network from a batch of slices; arguments as those of `SliceTrainer`."""
    if augment is not None:
        return AugmentedBatch(augment, random_views)
    return PrepareBatchExtraInput({key: key for key in extra_keys}) if extra_keys else PrepareBatchDefault()


def _check_not_random(dataset: Dataset, augment: bool | None) -> None:  # noqa: FBT001 - as the trainer has it
    """Raise ValueError if a transform of the volumes is random: their slices are kept, and would never change again."""
    if random := random_in(getattr(dataset, "transform", None)):
        mend = "" if augment is None else ", and give --augment True for other views in each epoch"
        raise ValueError(
            f"the preprocessing of the training has {random[0]}, which is random, and slices are prepared once: it "
            f"would be drawn once and then stay; leave it out{mend}"
        )


def _check_shared(cases: Sequence[Any]) -> None:
    """Raise ValueError if several processes run together and would evaluate the same cases, each of which counts."""
    if num_processes() > 1 and not isinstance(cases, OwnPart):
        raise ValueError(
            f"{num_processes()} processes run together, and each would evaluate all {len(cases)} case(s), which would "
            "count several times: give each its own by `calib_monai.processes.own_cases`, as configs/multi_gpu_*.json "
            "do, or evaluate in one process"
        )


def _keep_labels_of_members(engine: VolumeEvaluator) -> None:
    """Put the label maps of an ensemble's members into the output, and forget them elsewhere."""
    state: Any = engine.state
    inferer: Any = engine.inferer
    state.output[MEMBER_LABELS], inferer.labels = inferer.labels, None


def _check_first_output(engine: Any) -> None:
    """Raise ValueError if the network gives probabilities in its first step; later ones would wait for a GPU."""
    if engine.state.iteration == 1:
        check_gives_logits(engine.state.output["pred"])


def _list_output(engine: Any) -> None:
    """Put the output of an iteration into a list, as MONAI does when it takes a batch apart."""
    if isinstance(engine.state.output, dict):
        engine.state.output = [engine.state.output]
