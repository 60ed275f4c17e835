"""Copies of transforms: a copy for each thread and each worker process."""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import itk

T = TypeVar("T")


def _by_name(kind: Any) -> tuple[Callable[[str], Any], tuple[str]]:
    """Copy a type of ITK by its name: ITK knows each type by its identity, and forgets it when a copy is deleted."""
    return itk.ctype, (kind.name,)


copyreg.pickle(type(itk.F), _by_name)  # `deepcopy` asks it too


def copied(transform: T) -> T:
    """A copy that another thread may call: MONAI's readers are not safe with threads."""
    return deepcopy(transform)


def why_not_sent(transform: Any) -> str:
    """The reason why transforms cannot be sent to another process, or an empty text."""
    try:
        pickle.dumps(transform)
    except Exception as error:  # noqa: BLE001 - every object has errors of its own
        return str(error)
    return ""
