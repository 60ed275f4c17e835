"""Kept items: a volume is prepared once, unless memory does not allow it or a transform is random."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.transforms import Compose, MapTransform, RandGaussianNoised

import calib_monai.memory
from calib_monai.kept_items import KeptDataset


class Load(MapTransform):
    """Makes an image of a number, and counts how often."""

    calls = 0

    def __call__(self, data: Any) -> dict[Any, Any]:
        """The data with the image."""
        self.calls += 1
        return {**data, "image": torch.full((1, 4, 4), float(data["image"]))}


def epochs(*others: Any, count: int = 3) -> tuple[Load, list[list[torch.Tensor]]]:
    """The loader, and the images of some epochs of two items."""
    load = Load("image")
    dataset = KeptDataset([{"image": 1}, {"image": 2}], Compose([Compose([load]), *others]))
    return load, [[item["image"] for item in dataset] for _ in range(count)]


def test_items_are_prepared_once_though_their_transforms_are_nested() -> None:
    load, found = epochs()
    assert load.calls == 2
    assert all(torch.equal(*pair) for later in found[1:] for pair in zip(found[0], later, strict=True))


def test_without_the_memory_they_are_prepared_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.memory, "MOST", 64)  # the first fits
    load, _ = epochs()
    assert load.calls == 1 + 3


def test_a_random_transform_draws_each_time() -> None:
    load, found = epochs(Compose([RandGaussianNoised("image", prob=1.0)]), count=2)
    assert load.calls == 4
    assert not torch.equal(found[0][0], found[1][0])


def test_what_is_done_to_an_item_is_not_kept() -> None:
    dataset = KeptDataset([{"image": 1}], Compose([Load("image")]))
    dataset[0].pop("image")
    assert set(dataset[0]) == {"image"}
