"""Loaders: load volumes in worker processes, which may be forked, spawned or started by a server."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any

from monai.data import DataLoader, Dataset, MetaTensor, list_data_collate
from monai.transforms import TraceableTransform, Transform
from monai.utils import TraceKeys

from calib_monai.copies import why_not_sent
from calib_monai.processes import is_first_process

FORK = "fork"

logger = logging.getLogger(__name__)


class VolumeLoader(DataLoader):
    """MONAI's `DataLoader`, whose workers may be started in any way.

    Workers that are not forked get copies of the transforms. An inverse knows its transforms by their ids, so the
    operations of the copies are noted under the ids of the originals. Transforms that cannot be copied, for example
    with a `lambda` in JSON, run in this process, and a warning says so.

    Args:
        dataset: the dataset, with its transforms under `transform`.
        num_workers: number of processes that load volumes; they stay for the next epoch. 0 loads in this process.
        kwargs: further arguments of MONAI's class.
    """

    def __init__(self, dataset: Dataset, num_workers: int = 0, **kwargs: Any) -> None:
        transform = getattr(dataset, "transform", None)
        method = _start_method(kwargs.get("multiprocessing_context"))
        if num_workers and method != FORK and (reason := why_not_sent(transform)):
            if is_first_process():
                logger.warning(
                    "num_workers is %s and volumes are loaded in this process, for workers that are started by %s need "
                    "a copy of the transforms: %s",
                    num_workers,
                    method,
                    reason,
                )
            num_workers = 0
            kwargs.pop("multiprocessing_context", None)
        options = {"collate_fn": UnderOriginalIds(transform), "persistent_workers": bool(num_workers)}
        super().__init__(dataset, num_workers, **options | kwargs)


class UnderOriginalIds:
    """MONAI's `list_data_collate`, which notes the operations of copied transforms under their originals.

    Args:
        transform: the original, with the transforms inside it.
    """

    def __init__(self, transform: Any) -> None:
        self.transforms = list(_traceable(transform, set()))
        self.ids = [id(part) for part in self.transforms]

    def __call__(self, items: Sequence[Any]) -> Any:
        """The items as one batch."""
        original = {id(part): known_as for part, known_as in zip(self.transforms, self.ids, strict=True)}
        for item in items:
            for image in item.values() if isinstance(item, dict) else ():
                for applied in image.applied_operations if isinstance(image, MetaTensor) else ():
                    _rename(applied, original)
        return list_data_collate(items)


def _rename(applied: dict[str, Any], original: dict[int, int]) -> None:
    """Give the operations of a transform, and of the transforms inside it, the ids of the originals."""
    if TraceKeys.ID in applied:
        applied[TraceKeys.ID] = original.get(applied[TraceKeys.ID], applied[TraceKeys.ID])
    for inner in applied.values():
        if isinstance(inner, dict):
            _rename(inner, original)


def _traceable(part: Any, seen: set[int]) -> Iterator[TraceableTransform]:
    """The transforms inside a transform, itself included, that note their operations; each once."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, TraceableTransform):
        yield part
    inside = vars(part).values() if isinstance(part, Transform) else part if isinstance(part, list | tuple) else ()
    for inner in inside:
        yield from _traceable(inner, seen)


def _start_method(context: Any) -> str:
    """The method that starts worker processes: "fork", "spawn" or "forkserver"."""
    if isinstance(context, str):
        return context
    started = context or multiprocessing
    return str(started.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0])
