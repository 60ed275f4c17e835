"""Patches: what is drawn follows from seed and epoch, is balanced over classes, and leaves the cache as it is."""

from __future__ import annotations

import json
import threading
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from monai.data import Dataset
from monai.transforms import Compose, RandGaussianNoised, ScaleIntensityd
from torch import Tensor

from calib_monai.patches import PatchLoader, RandomPatchesd, check_options_of_patches, patches_of
from calib_monai.presets import patch_changes
from calib_monai.views import RandomViews

SIZE = [4, 4, 4]


def volumes(count: int = 3, **settings: Any) -> Dataset:
    """Volumes of 12^3 voxels: each voxel's value is its number, and two small structures have a label."""
    label = torch.zeros(1, 12, 12, 12)
    label[:, 1, 1, 1], label[:, 9:, 9:, 9:] = 1, 2
    image = torch.arange(12.0**3).reshape(1, 12, 12, 12)
    cases = [{"image": image + number, "label": label, "case": str(number)} for number in range(count)]
    made_for = SimpleNamespace(spatial_dims=3, slice_size=SIZE, num_classes=3)
    return Dataset(cases, Compose([Compose([ScaleIntensityd("image")]), RandomPatchesd(made_for, **settings)]))


def of_epoch(loader: PatchLoader) -> list[dict[str, Tensor]]:
    """The batches of the next epoch."""
    return list(loader)


def same(first: list[dict[str, Tensor]], second: list[dict[str, Tensor]]) -> bool:
    """Whether two epochs hold the same patches."""
    return len(first) == len(second) and all(
        torch.equal(one[key], other[key])
        for one, other in zip(first, second, strict=True)
        for key in ("image", "label")
    )


def test_a_batch_holds_patches_of_image_and_label_at_one_place() -> None:
    [first, second] = of_epoch(PatchLoader(volumes(3), 2))
    assert first["image"].shape == first["label"].shape == (2, 1, *SIZE)
    assert second["image"].shape == (1, 1, *SIZE)
    assert first["image"].dtype == torch.float32
    assert set(first) == {"image", "label"}
    steps = first["image"].diff(dim=-1) * (12**3 - 1)
    assert torch.allclose(steps, torch.ones(()), atol=0.5)  # float16 rounds by up to .43 steps


def test_an_epoch_follows_from_seed_and_number_alone() -> None:
    loader, other = PatchLoader(volumes(), 2, seed=5), PatchLoader(volumes(), 2, seed=5)
    first, second = of_epoch(loader), of_epoch(loader)
    assert not same(first, second)
    other.load_state_dict({"epoch": 1})
    torch.manual_seed(99)
    assert same(of_epoch(other), second)
    assert other.state_dict() == loader.state_dict() == {"epoch": 2}
    assert not same(of_epoch(PatchLoader(volumes(), 2, seed=6)), first)


def test_the_classes_are_drawn_equally_often() -> None:
    labels = torch.cat([batch["label"] for batch in PatchLoader(volumes(1, patches_per_volume=300), 50)])
    shown = [float((labels == k).flatten(1).any(dim=1).float().mean()) for k in (1, 2)]
    assert all(share > 0.25 for share in shown)  # of uniform patches 1 in 27 would show the first one


def test_one_class_alone_is_drawn_where_only_it_is_asked_for() -> None:
    labels = torch.cat(
        [batch["label"] for batch in PatchLoader(volumes(1, patches_per_volume=20, ratios=[0, 1, 0]), 5)]
    )
    assert bool((labels == 1).flatten(1).any(dim=1).all())


@pytest.mark.parametrize(("label", "ratios"), [(0, [0, 1, 1]), (2, [0, 1, 0]), (255, None)])
def test_a_volume_without_the_classes_that_are_drawn_gives_patches_of_any_place(
    label: int, ratios: list[float] | None
) -> None:
    data = volumes(1, ratios=ratios, patches_per_volume=50)
    data.data[0]["label"] = torch.full_like(data.data[0]["label"], label)
    images = torch.cat([batch["image"] for batch in PatchLoader(data, 10)])
    corners = images[:, 0, 0, 0, 0]
    assert len(images) == 50
    assert float(corners.min()) < 0.1
    assert float(corners.max()) > 0.5


def test_changes_leave_the_cached_volumes_as_they_are() -> None:
    changed = volumes(2, augmentation=RandGaussianNoised("image", prob=1.0, std=1.0))
    loader = PatchLoader(changed, 2, augment=True)
    before = [item["image"].clone() for item in loader.cached._cache]
    first, _ = of_epoch(loader), of_epoch(loader)
    assert all(torch.equal(item["image"], image) for item, image in zip(loader.cached._cache, before, strict=True))
    assert float(first[0]["image"].max()) > 1.1
    assert float(of_epoch(PatchLoader(changed, 2))[0]["image"].max()) <= 1


def test_an_image_of_a_wide_range_is_held_as_float32_and_others_as_float16() -> None:
    assert PatchLoader(volumes(1), 1).cached._cache[0]["image"].dtype == torch.float16
    wide = volumes(1)
    wide.transform = Compose(wide.transform.transforms[1:])
    wide.data[0]["image"] = wide.data[0]["image"] * 1e6
    assert PatchLoader(wide, 1).cached._cache[0]["image"].dtype == torch.float32


def test_processes_share_a_batch() -> None:
    whole = of_epoch(PatchLoader(volumes(4), 4, seed=1))
    parts = [of_epoch(PatchLoader(volumes(4), 4, seed=1, process=rank, num_processes=2)) for rank in (0, 1)]
    assert [len(part[0]["image"]) for part in parts] == [2, 2]
    assert all(part[0]["share"] == 1 for part in parts)
    assert len(whole[0]["image"]) == 4
    last = [of_epoch(PatchLoader(volumes(3), 2, process=rank, num_processes=2))[-1]["share"] for rank in (0, 1)]
    assert last == [2, 0]


def test_an_error_while_patches_are_drawn_is_raised() -> None:
    def broken(_data: Any) -> Any:
        raise ValueError("no patch today")

    loader = PatchLoader(volumes(2, augmentation=broken), 1, augment=True)
    with pytest.raises(RuntimeError) as error:
        of_epoch(loader)
    assert "no patch today" in str(error.getrepr(chain=True))


def test_an_epoch_that_is_left_early_leaves_no_thread() -> None:
    loader = PatchLoader(volumes(3), 1)
    before = set(threading.enumerate())
    for _ in loader:
        break
    assert set(threading.enumerate()) <= before  # others, such as that of a progress bar, may have ended
    assert len(of_epoch(loader)) == 3


def test_an_epoch_leaves_the_global_generator_as_it_is() -> None:
    torch.manual_seed(3)
    torch.rand(1)
    before = torch.get_rng_state()
    of_epoch(PatchLoader(volumes(3), 1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"patches_per_volume": 0}, "patches_per_volume is 0"),
        ({"ratios": [1, 1]}, r"ratios are \[1, 1\]; there are 3 classes"),
        ({"ratios": [1, -1, 1]}, "a number in ratios is -1"),
        ({"ratios": [1, float("nan"), 1]}, "a number in ratios is nan"),
        ({"ratios": [0, 0, 0]}, r"ratios are \[0, 0, 0\]; one must be above 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        volumes(1, **settings)


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({}, {"augmentation"}),
        ({"ratios": [1, 2, 1]}, {"ratios"}),
        ({"patches_per_volume": 2}, {"patches_per_volume"}),
    ],
)
def test_settings_tell_how_patches_are_drawn_and_changed(settings: dict[str, Any], changed: set[str]) -> None:
    def drawn(rotation: float, **settings: Any) -> dict[str, Any]:
        turned = patch_changes(SIZE, [1, 1, 1], rotation)
        loader = PatchLoader(volumes(1, augmentation=turned, **settings), 1, augment=True)
        before = deepcopy(loader.settings)
        assert of_epoch(loader)
        assert PatchLoader(volumes(1, augmentation=turned, **settings), 1, augment=True).settings == before
        return before

    usual, other = drawn(10), drawn(10 if settings else 20, **settings)
    assert drawn(10) == usual
    assert {name for name in usual if usual[name] != other[name]} == changed
    assert json.loads(json.dumps(usual)) == usual
    still = PatchLoader(volumes(1, augmentation=patch_changes(SIZE, [1, 1, 1], 10)), 1).settings
    assert still == PatchLoader(volumes(1), 1).settings  # nothing changes the patches


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"empty_slices": False}, "empty_slices is False: patches have no slices to leave out"),
        ({"extra_keys": ["weight"]}, r"extra_keys are \['weight'\]: patches are of image and label alone"),
        ({"augment": True, "random_views": RandomViews(rotation=3)}, "random_views has options: with augment patches"),
    ],
)
def test_options_that_change_nothing_for_patches_are_refused(options: dict[str, Any], said: str) -> None:
    check_options_of_patches(augment=True, random_views=RandomViews())
    check_options_of_patches(augment=False, random_views=RandomViews(rotation=3))
    with pytest.raises(ValueError, match=said):
        check_options_of_patches(**options)


def test_patches_of_slices_are_refused() -> None:
    with pytest.raises(ValueError, match="spatial_dims is 2; patches are for networks of 3"):
        RandomPatchesd(SimpleNamespace(spatial_dims=2, slice_size=[32, 32], num_classes=2))


def test_labels_that_were_interpolated_are_refused() -> None:
    wrong = volumes(1)
    wrong.data[0]["label"] = wrong.data[0]["label"] / 2
    with pytest.raises(RuntimeError) as error:
        PatchLoader(wrong, 1)
    assert "case 0: after the preparation the label holds 0.5" in str(error.value.__cause__)


def test_it_is_found_at_the_end_of_transforms_only() -> None:
    transform = volumes(1).transform
    assert patches_of(transform) is transform.transforms[-1]
    assert patches_of(Compose([transform.transforms[-1], ScaleIntensityd("image")])) is None
    assert patches_of(None) is None
