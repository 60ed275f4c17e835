"""Processes that torchrun starts together: their devices and values, and which of them logs and writes."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")

LONGEST_WAIT = timedelta(hours=6)  # of the others while the first one draws; torchrun ends all when one has died


def check_alone() -> None:
    """Raise ValueError if several processes were started and each would do all the work."""
    count = os.environ.get("WORLD_SIZE", "1")
    if count != "1" and not _are_joined():
        raise ValueError(
            f"{count} processes were started, and each would do all of this: start one process; a training or "
            "an evaluation is shared with configs/multi_gpu_train.json or multi_gpu_evaluate.json: see docs/README.md"
        )


def join() -> None:
    """Join the processes that torchrun started, by NCCL if there are GPUs, else by Gloo.

    From here on, processes other than the first log only errors.

    Raises:
        ValueError: torchrun did not start this, or there are fewer GPUs than processes.
    """
    if "LOCAL_RANK" not in os.environ:
        raise ValueError(
            "configs/multi_gpu_*.json are for several processes: start them as docs/README.md shows, with "
            "torchrun --standalone --nproc_per_node NUMBER -m monai.bundle run"
        )
    here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if 0 < gpus < here:
        raise ValueError(f"{here} processes were started, and there are {gpus} GPU(s): one process a GPU")
    if gpus:
        torch.cuda.set_device(own_device())
    dist.init_process_group("nccl" if gpus else "gloo", timeout=LONGEST_WAIT)
    if not is_first_process():
        logging.disable(logging.WARNING)
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end of the process


def own_device() -> torch.device:
    """The GPU of this process, or the CPU if there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def parallel(network: torch.nn.Module) -> DistributedDataParallel:
    """The network for training in all processes together: each step uses the mean of their gradients.

    On GPUs, batch normalization uses the slices of all processes.

    Raises:
        ValueError: for a network that normalizes over batches, on the CPU, where torch cannot do that.
    """
    if next(network.parameters(), torch.empty(0)).is_cuda:
        network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    elif num_processes() > 1 and any(isinstance(part, _BatchNorm) for part in network.modules()):
        raise ValueError(
            f"{type(network).__name__} normalizes over batches, which processes can share on GPUs only: start "
            "one process"
        )
    return DistributedDataParallel(network, broadcast_buffers=False)  # the same in all: what is there comes from all


class OwnPart(list[T]):
    """The values for one of several processes.

    Attributes:
        whole: the values for all of them.
    """

    def __init__(self, part: Sequence[T], whole: Sequence[T]) -> None:
        super().__init__(part)
        self.whole = whole


def own_part(values: Sequence[T]) -> OwnPart[T]:
    """The values for this process, in order; each value belongs to one process.

    Raises:
        ValueError: there are too few.
    """
    check_enough(len(values))
    return OwnPart(share(values), values)


def own_cases(dataset: Any) -> Any:
    """A dataset with the cases for this process alone, whoever listed them.

    Args:
        dataset: MONAI's, with its cases as `data`; it is changed.

    Raises:
        ValueError: there are too few cases.
    """
    change = getattr(dataset, "set_data", partial(setattr, dataset, "data"))  # a CacheDataset reads them anew
    change(own_part(dataset.data))
    return dataset


def share(values: Sequence[T]) -> list[T]:
    """The same as `own_part`, and nothing for some processes where there are too few values."""
    count, rank = num_processes(), own_rank()
    return list(values[len(values) * rank // count : len(values) * (rank + 1) // count])


def check_enough(num_cases: int) -> None:
    """Raise ValueError if there are more processes than cases."""
    if num_cases < num_processes():
        raise ValueError(f"{num_processes()} processes were started for {num_cases} case(s): start at most as many")


def gathered(value: T) -> list[T]:
    """The values of all processes; each process gets the same list."""
    values: list[Any] = [value] * num_processes()
    if len(values) > 1:
        dist.all_gather_object(values, value)
    return values


def all_gathered(values: Sequence[T]) -> list[T]:
    """The values of all processes, process by process, in one list; each process gets the same."""
    return [value for of_process in gathered(values) for value in of_process]


def is_first_process() -> bool:
    """Whether this is the process that writes files, of several or alone."""
    return own_rank() == 0


def bar_is_hidden() -> bool:
    """Whether this process shows no progress bar: there is one, on a terminal.

    To tqdm that would be None, which MONAI does not pass on.
    """
    return not (is_first_process() and sys.stderr.isatty())


def own_rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if _are_joined() else 0


def num_processes() -> int:
    """Number of processes that run together."""
    return dist.get_world_size() if _are_joined() else 1


def _are_joined() -> bool:
    """Whether several processes may run together."""
    return dist.is_available() and dist.is_initialized()
