"""Processes that run together: what each has, and which one writes."""

from __future__ import annotations

from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")


def gathered(value: T) -> list[T]:
    """The value of each process, the same list in all of them."""
    values: list[Any] = [value] * _num_processes()
    if len(values) > 1:
        dist.all_gather_object(values, value)
    return values


def is_first_process() -> bool:
    """Whether this is the process that writes, of several or alone."""
    return _num_processes() == 1 or dist.get_rank() == 0


def _num_processes() -> int:
    """Number of processes that run together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
