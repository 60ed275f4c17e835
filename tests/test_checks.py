"""Checks: what cannot work is refused in one line that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from calib_monai.checks import (
    check_bundle_root,
    check_last_batch,
    check_model,
    check_network,
    check_outputs,
    check_schedule,
    check_slice_size,
    check_split,
    first_line,
)
from calib_monai.descriptions import described
from calib_monai.networks import unet
from calib_monai.path_options import check_writable
from calib_monai.slices import SliceLoader


class Doubling(torch.nn.Module):
    """Logits of two classes on a grid twice as fine, of images that can be halved."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        halves = torch.cat([image[..., ::2, :], image[..., 1::2, :]], dim=1)
        return torch.nn.functional.interpolate(halves, scale_factor=(4.0, 2.0))


def test_a_network_that_cannot_take_the_slices_is_refused() -> None:
    network, device = Doubling(), torch.device("cpu")
    with pytest.raises(ValueError, match=r"Doubling cannot take slices of the shape \(1, 1, 5, 4\): Sizes of tensors"):
        check_network(network, 1, 2, [5, 4], device)
    with pytest.raises(ValueError, match=r"gives \(1, 2, 8, 8\) for slices .* it must give \(1, 2, 4, 4\)"):
        check_network(network, 1, 2, [4, 4], device)
    check_network(torch.nn.Conv2d(1, 2, 1), 1, 2, [4, 4], device)
    assert network.training


def over_batches() -> torch.nn.Module:
    """A network that normalizes one value a slice and class over the batch."""
    return torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Conv2d(1, 2, 4), torch.nn.BatchNorm2d(2))


def slices(count: int, batch_size: int) -> SliceLoader:
    volume = {"image": torch.rand(1, 4, 4, count), "label": torch.zeros(1, 4, 4, count)}
    return SliceLoader([volume], batch_size)


@pytest.mark.parametrize(
    ("count", "batch_size", "said"),
    [
        (15, 8, None),
        (15, 15, None),
        (15, 100, None),
        (15, 7, r"15 slices and a batch_size of 7 the last batch is one slice of 4 x 4, on .*; set --batch_size 6"),
        (15, 14, r"more than 1 value per channel.*; set --batch_size 13"),
        (15, 2, "; set --batch_size 3"),
        (3, 2, "; set --batch_size 3"),
        (5, 1, "; set --batch_size 3"),
        (1, 8, "; train on more slices"),
    ],
)
def test_a_last_batch_of_one_slice_is_refused_where_the_network_cannot_take_it(
    count: int, batch_size: int, said: str | None
) -> None:
    network, without, loader = over_batches(), torch.nn.Conv2d(1, 2, 1), slices(count, batch_size)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    drawn = torch.get_rng_state()
    if said is None:
        check_last_batch(network, loader)
    else:
        with pytest.raises(ValueError, match=said):
            check_last_batch(network, loader)
    check_last_batch(without, loader)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())


def test_training_on_single_slices_is_refused_where_the_network_cannot_take_them() -> None:
    device = torch.device("cpu")
    network = torch.nn.Sequential(over_batches(), torch.nn.Upsample(scale_factor=4))
    for batch_size in (None, 2):
        check_network(network, 1, 2, [4, 4], device, batch_size)
    with pytest.raises(ValueError, match=r"cannot be trained on single slices of 4 x 4: Expected more than 1 value"):
        check_network(network, 1, 2, [4, 4], device, 1)
    check_network(torch.nn.Conv2d(1, 2, 1), 1, 2, [4, 4], device, 1)


@pytest.mark.parametrize(("epochs", "val_interval"), [(0, 1), (2, 5), (2, 0), ("two", 1), (True, 1), (2, True)])
def test_a_training_that_never_validates_is_refused(epochs: int, val_interval: int) -> None:
    check_schedule(3, 3)
    with pytest.raises(ValueError, match=f"epochs is {epochs} and val_interval {val_interval}"):
        check_schedule(epochs, val_interval)


def test_a_bundle_root_and_a_model_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no configs/metadata\.json"):
        check_bundle_root(str(tmp_path))
    with pytest.raises(ValueError, match=r"no model at .*model\.pt"):
        check_model(str(tmp_path / "model.pt"), Doubling())


def test_folders_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.touch()
    check_writable([str(tmp_path), str(tmp_path / "new" / "folder")])
    assert not (tmp_path / "new").exists()
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "unmounted")
    for there, folder in ((file, file), (file, file / "folder"), (dangling, dangling)):
        with pytest.raises(ValueError, match=f"nothing can be written to {folder}: {there} is not a folder"):
            check_writable([str(tmp_path), str(folder)])
    with pytest.raises(ValueError, match=r"nothing can be written to .*: the name is too long"):
        check_writable([str(tmp_path / ("x" * 300) / "eval")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(3)}, None),
        ({"weight": torch.zeros(3, 2)}, r"1 of 2 are missing \(first bias\)"),
        ({"weight": torch.zeros(4, 2), "bias": torch.zeros(4)}, r"2 are of another size \(first weight\)"),
        ({"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "x": torch.zeros(1)}, r"1 are not of the network"),
        ({"network": {"weight": torch.zeros(3, 2)}}, "holds no weights"),
        (b"", r"is damaged, or no model \(0 bytes\): it must be the whole model\.pt that a training wrote$"),
        (b"no weights", r"is damaged, or no model \(10 bytes\)"),
        (Path, r"is damaged, or no model"),  # code, which is not run
    ],
)
def test_a_model_of_another_network_is_refused(content: object, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    if said is None:
        check_model(str(path), torch.nn.Linear(2, 3))
    else:
        with pytest.raises(ValueError, match=rf"model\.pt.* {said}"):
            check_model(str(path), torch.nn.Linear(2, 3))


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        (torch.tensor([0.0, float("nan"), 0.0]), r"1 of 2 hold NaN or infinite values \(first bias\)"),
        (torch.tensor([0.0, -float("inf"), 0.0]), r"1 of 2 hold NaN or infinite values \(first bias\)"),
        (torch.tensor([0.0, 1e300, 0.0], dtype=torch.float64), r"1 of 2 hold NaN or infinite values \(first bias\)"),
        (torch.zeros(3, dtype=torch.complex64), r"1 of 2 hold no real numbers \(first bias\)"),
        (torch.zeros(3, dtype=torch.int8), r"1 of 2 hold no real numbers \(first bias\)"),
        (torch.zeros(3, dtype=torch.float16), None),
    ],
)
def test_weights_that_are_no_numbers_are_refused(bias: torch.Tensor, said: str | None, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3, 2), "bias": bias}, tmp_path / "model.pt")
    if said is None:
        check_model(str(tmp_path / "model.pt"), torch.nn.Linear(2, 3))
    else:
        with pytest.raises(ValueError, match=rf"model\.pt is damaged: of its weights {said}"):
            check_model(str(tmp_path / "model.pt"), torch.nn.Linear(2, 3))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"in_channels": 2}, r"UNet with in_channels 2, but of one with 1"),
        (
            {"channels": [2, 4, 8, 16, 16, 16]},
            r"UNet with channels \[2, 4, 8, 16, 16, 16\], but of one with \[8, 16.*",
        ),
        ({"num_res_units": 1}, "UNet with num_res_units 1, but of one with 0"),
    ],
)
def test_a_model_of_other_channels_or_layers_is_told_by_what_differs(
    other: dict[str, Any], said: str, tmp_path: Path
) -> None:
    trained = unet(1, 3)
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    (tmp_path / "model.json").write_text(json.dumps({"network": described(trained)}))
    with pytest.raises(ValueError, match=rf"model.pt is not of this network, {said}: of its weights"):
        check_model(str(tmp_path / "model.pt"), unet(**{"in_channels": 1, "out_channels": 3} | other))


@pytest.mark.parametrize(
    ("outputs", "dtype", "said"),
    [
        (["label", "spread"], "uint8", None),
        (["labels"], "float32", "did you mean label"),
        ("label", "float32", "must be a list"),
        ([], "float32", "must be a list"),
        (["label"], "float16", "probs_dtype is 'float16'"),
    ],
)
def test_outputs_that_nobody_knows_are_refused(outputs: object, dtype: str, said: str | None) -> None:
    if said is None:
        check_outputs(outputs, dtype, 2)  # type: ignore[arg-type]
    else:
        with pytest.raises(ValueError, match=said):
            check_outputs(outputs, dtype, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("num_views", [1, 0, 8.0, "8"])
def test_one_view_has_no_spread(num_views: object) -> None:
    with pytest.raises(ValueError, match=f"num_views is {num_views!r}; it must be a whole number, at least 2"):
        check_outputs(["spread"], "float32", num_views)  # type: ignore[arg-type]


def test_without_a_split_nothing_is_fitted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no split\.json in"):
        check_split(str(tmp_path))
    (tmp_path / "split.json").touch()
    check_split(str(tmp_path))


@pytest.mark.parametrize("slice_size", [[50, 64], [0, 64], [48, -16], [48], 128, "48"])
def test_a_slice_size_that_no_network_can_halve_is_refused(slice_size: object) -> None:
    check_slice_size([48, 64])
    with pytest.raises(ValueError, match=r"slice_size is .*; it must be height and width, multiples of 16"):
        check_slice_size(slice_size)  # type: ignore[arg-type]


@pytest.mark.parametrize(("here", "there", "said"), [(2, 3, "volumes, .*: give"), (3, 2, "slices, .*: leave out")])
def test_a_model_of_slices_is_none_of_volumes_by_its_weights(here: int, there: int, said: str, tmp_path: Path) -> None:
    kinds = {2: torch.nn.Conv2d, 3: torch.nn.Conv3d}
    torch.save(kinds[there](1, 2, 3).state_dict(), tmp_path / "model.pt")
    check_model(str(tmp_path / "model.pt"), kinds[there](1, 2, 3))
    with pytest.raises(ValueError, match=f"model.pt is of a network for {said}"):
        check_model(str(tmp_path / "model.pt"), kinds[here](1, 2, 3))


def test_patches_have_three_sizes_and_slices_two() -> None:
    check_slice_size([16, 24, 8], 3)
    with pytest.raises(ValueError, match=r"patch_size is \[48, 64\]; it must be three whole numbers"):
        check_slice_size([48, 64], 3)
    with pytest.raises(ValueError, match=r"slice_size is \[16, 24, 8\]; it must be height and width"):
        check_slice_size([16, 24, 8])


SOURCE = "/work/ITK-source/ITK/Modules/IO/src/itkAnIO.cxx:490:\n"
CLASS = "ITK ERROR: AnIO(0x562e49962a70): "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{SOURCE}{CLASS}File cannot be read: a.mha.\nReason: none", "File cannot be read: a.mha."),
        (f"{SOURCE.replace('.cxx', '.hxx')}ITK ERROR: Zero-valued spacing", "Zero-valued spacing"),
        (f"{SOURCE}{CLASS}Error reading a:\n[nrrd] trouble\n[nrrd] 2 of 3\n", "Error reading a: [nrrd] 2 of 3"),
        (SOURCE, "RuntimeError"),
        ("", "RuntimeError"),
        (" one:\ntwo", "one:"),
    ],
)
def test_the_first_line_of_an_error_is_its_reason(text: str, told: str) -> None:
    assert first_line(RuntimeError(text)) == told
