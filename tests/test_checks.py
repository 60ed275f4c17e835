"""Checks: what cannot work is refused in one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from calib_monai.checks import check_bundle_root, check_model, check_network, check_schedule, check_slice_size


class Doubling(torch.nn.Module):
    """Logits of two classes on a grid twice as fine, of images that can be halved."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        halves = torch.cat([image[..., ::2, :], image[..., 1::2, :]], dim=1)
        return torch.nn.functional.interpolate(halves, scale_factor=(4.0, 2.0))


def test_a_network_that_cannot_take_the_slices_is_refused() -> None:
    network, device = Doubling(), torch.device("cpu")
    with pytest.raises(SystemExit, match=r"Doubling cannot take slices of the shape \(1, 1, 5, 4\): Sizes of tensors"):
        check_network(network, 1, 2, [5, 4], device)
    with pytest.raises(SystemExit, match=r"gives \(1, 2, 8, 8\) for slices .* it must give \(1, 2, 4, 4\)"):
        check_network(network, 1, 2, [4, 4], device)
    check_network(torch.nn.Conv2d(1, 2, 1), 1, 2, [4, 4], device)
    assert network.training


@pytest.mark.parametrize(("epochs", "val_interval"), [(0, 1), (2, 5), (2, 0), ("two", 1)])
def test_a_training_that_never_validates_is_refused(epochs: int, val_interval: int) -> None:
    check_schedule(3, 3)
    with pytest.raises(SystemExit, match=f"epochs is {epochs} and val_interval {val_interval}"):
        check_schedule(epochs, val_interval)


def test_a_bundle_root_and_a_model_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds no configs/metadata\.json"):
        check_bundle_root(str(tmp_path))
    with pytest.raises(SystemExit, match=r"no model at .*model\.pt"):
        check_model(str(tmp_path / "model.pt"))


@pytest.mark.parametrize("slice_size", [[50, 64], [0, 64], [48, -16], [48], 128, "48"])
def test_a_slice_size_that_no_network_can_halve_is_refused(slice_size: object) -> None:
    check_slice_size([48, 64])
    with pytest.raises(SystemExit, match=r"slice_size is .*; it must be height and width, multiples of 16"):
        check_slice_size(slice_size)  # type: ignore[arg-type]
