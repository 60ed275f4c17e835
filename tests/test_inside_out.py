"""Labels inside out: inverted masks are told, and labels of large structures are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from checked_phantoms import check, warnings_in
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.inside_out import is_inside_out, tell_inside_out


def disk(radius: int, depth: tuple[int, ...] = ()) -> Tensor:
    """A disk in 20 x 20 pixels, (1, 20, 20[, D])."""
    rows, columns = torch.meshgrid(torch.arange(20), torch.arange(20), indexing="ij")
    plane = ((rows - 9.5) ** 2 + (columns - 9.5) ** 2 < radius**2) * 1
    return plane.view(1, 20, 20, *[1 for _ in depth]).expand(1, 20, 20, *depth)


@pytest.mark.parametrize("depth", [(), (3,)])
def test_an_inverted_mask_is_inside_out(depth: tuple[int, ...]) -> None:
    for mask, is_so in [
        (1 - disk(5, depth), True),
        (torch.ones_like(disk(5, depth)), True),
        (disk(5, depth), False),
        (disk(9, depth), False),  # large, away from the border
        (1 - disk(9, depth), False),  # only around a large background
        (torch.zeros_like(disk(5, depth)), False),
    ]:
        assert is_inside_out(mask) == is_so
    assert not is_inside_out(9 - 9 * disk(5, depth), ignore_index=9)
    assert not is_inside_out(torch.full_like(disk(5, depth), 9), ignore_index=9)


@pytest.mark.parametrize("change", [lambda label: 1 * (label == 0), np.ones_like, lambda label: 2 - label])
def test_the_first_case_of_an_inverted_label_is_named(
    change: Callable[[NDArray[Any]], NDArray[Any]], phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check(phantom_dir)
    assert "most of their border" not in caplog.text
    path = phantom_dir / "labelsTr" / "phantom_003.nii.gz"
    label = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(change(np.asarray(label.dataobj)).astype(np.uint8), label.affine), path)
    check(phantom_dir, overwrite=True)
    [line] = [line for line in warnings_in(caplog) if "border" in line]
    assert line.startswith("1 of 8 label(s), first that of phantom_003, show structures in most of their voxels and at")


def test_data_whose_labels_are_all_so_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    tell_inside_out({"a": True, "b": True, "c": False})
    tell_inside_out({str(place): place < 3 for place in range(10)})  # as of tiles, some of which a tumor fills
    tell_inside_out({"a": False})
    assert not caplog.text
