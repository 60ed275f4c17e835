"""Blocks: slices come out as they went in, to the rounding that is allowed."""

from __future__ import annotations

import pytest
import torch

import calib_monai.blocks
from calib_monai.blocks import Blocks


def test_slices_of_many_blocks_come_out_as_they_went_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.blocks, "BLOCK_BYTES", 3 * 2 * 4 * 6)  # three slices
    slices = torch.arange(11).reshape(-1, 1, 1, 1).expand(-1, 2, 4, 6)
    kept = Blocks(torch.uint8)
    for part in slices.split((1, 7, 0, 3)):
        kept.add(part)
    assert [len(block) for block in kept.blocks] == [3, 3, 3, 3]
    assert (len(kept), kept.nbytes) == (11, 11 * 2 * 4 * 6)
    index = torch.tensor([10, 0, 5, 3, 3])
    assert torch.equal(kept.take(index), slices[index].to(torch.uint8))
    kept.move(torch.device("cpu"))
    assert len(kept.blocks) == 4


def test_on_a_device_slices_lie_in_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.blocks, "BLOCK_BYTES", 2 * 4 * 6)
    kept = Blocks(torch.uint8)
    kept.add(torch.zeros(5, 1, 4, 6))
    kept.move(torch.device("meta"))
    [block] = kept.blocks
    assert (block.device.type, tuple(block.shape)) == ("meta", (5, 1, 4, 6))
    assert tuple(kept.take(torch.tensor([4, 4, 1], device="meta")).shape) == (3, 1, 4, 6)


@pytest.mark.parametrize(
    ("scale", "shift", "dtype"),
    [
        (1, 0, torch.float16),
        (4095, -1024, torch.float16),
        (1e-3, 0, torch.float16),
        (1, 4000, torch.float32),
        (1e6, 0, torch.float32),
        (1e-9, 0, torch.float32),
    ],
)
def test_images_are_kept_as_float16_where_that_rounds_by_less_than_a_two_thousandth_of_their_range(
    scale: float, shift: float, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(5, 1, 8, 8, generator=generator), torch.rand(3, 1, 8, 8, generator=generator)
    second = second * scale + shift
    kept = Blocks(torch.float16)
    for slices in (first, second, second[:0]):
        kept.add(slices)
    assert kept.dtype == dtype
    assert all(block.dtype == dtype for block in kept.blocks)
    taken = kept.take(torch.arange(8))
    assert taken.dtype == torch.float32
    assert (taken[:5] - first).abs().max() <= 1 / 2000
    assert (taken[5:] - second).abs().max() <= scale / 2000


def test_the_range_of_a_volume_is_that_of_each_channel() -> None:
    wide, narrow = (
        torch.linspace(0, 4000, 400).reshape(4, 1, 10, 10),
        torch.linspace(1000, 1001, 400).reshape(4, 1, 10, 10),
    )
    blocks = Blocks(torch.float16)
    blocks.add(torch.cat([wide, narrow], dim=1))
    assert blocks.dtype == torch.float32
