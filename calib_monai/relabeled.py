"""Relabeled: gives values of a label others, and tells a label whose values are not those of its data set."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapLabelValued
from torch import Tensor

from calib_monai.case_keys import LABEL
from calib_monai.label_values import values_in_words

logger = logging.getLogger(__name__)


class Relabeld(MapLabelValued):
    """MONAI's MapLabelValued, which also looks at the values that a label has before.

    Args:
        old: values in the file.
        new: the value for each of these.
        keys: labels; missing ones are passed over.
        apart: whether no label may hold both a value and the other one that it becomes.
        one_of: values of which each label of the data set holds one; a warning tells, once in a process, a label that
            holds none. Without any, none is told.

    Raises:
        ValueError: from a call, if `apart` and a label holds both; the message names the file.
    """

    def __init__(
        self,
        old: Sequence[int],
        new: Sequence[int],
        keys: KeysCollection = LABEL,
        *,
        apart: bool = False,
        one_of: Sequence[int] = (),
    ) -> None:
        super().__init__(keys, list(old), list(new), allow_missing_keys=True)
        self.apart, self.one_of = apart, tuple(one_of)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the new values."""
        for key in self.key_iterator(dict(data)):
            label = torch.as_tensor(data[key]).as_subclass(Tensor)
            file = str(getattr(data[key], "meta", {}).get("filename_or_obj", "a label"))
            if self.apart:
                self._check_apart(label, file)
            if self.one_of and not _holds(label, self.one_of):
                _tell(file, values_in_words(torch.unique(label).tolist()), self.one_of)
        return super().__call__(data)

    def _check_apart(self, label: Tensor, file: str) -> None:
        """Raise ValueError if a label holds both a value and the one that it becomes, which becomes no other itself."""
        for old, new in self.mapper.pair:
            if new not in self.mapper.orig_labels and _holds(label, [old]) and _holds(label, [new]):
                raise ValueError(
                    f"{file} holds both of the label values {old} and {new}, and {old} becomes {new}: a label of this "
                    "data set must hold one of them at most"
                )


def _holds(label: Tensor, values: Sequence[int]) -> bool:
    """Whether a label holds one of some values."""
    return any(bool((label == value).any()) for value in values)


@cache
def _tell(file: str, values: str, one_of: tuple[int, ...]) -> None:
    """Warn, once in a process, of a label with none of the values of which each has one."""
    logger.warning(
        "%s holds the label value(s) %s, and none of %s, of which each label of this data set holds one: does it have "
        "the values of another release?",
        *(file, values, ", ".join(map(str, one_of))),
    )
