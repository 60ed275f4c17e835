"""Slices: each once an epoch, in an order that follows from the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import Dataset, MetaTensor
from monai.transforms import Flipd, Lambdad, Rotate90d, Spacingd

from calib_monai.slices import SliceLoader


def volumes(*depths: int, size: tuple[int, int] = (4, 6)) -> list[dict[str, object]]:
    """Volumes whose every slice holds its own number, in image and label alike."""
    made, number = [], 0
    for depth in depths:
        numbers = torch.arange(number, number + depth).expand(1, *size, depth)
        made.append({"image": numbers.double(), "label": numbers, "case": f"case_{len(made)}"})
        number += depth
    return made


def drawn(loader: SliceLoader) -> list[int]:
    return [int(image[0, 0, 0]) for batch in loader for image in batch["image"]]


def test_what_else_is_wanted_comes_with_its_slice() -> None:
    made = [{**volume, "weight": volume["image"] / 8, "other": volume["image"]} for volume in volumes(3, 5)]
    for batch in SliceLoader(made, batch_size=3, extra_keys=("weight",)):
        assert list(batch) == ["image", "label", "weight"]
        assert batch["weight"].dtype == torch.float32
        assert torch.equal(8 * batch["weight"], batch["image"])
    [batch] = SliceLoader(made, batch_size=8, extra_keys=["weight", "other"], empty_slices=False)
    assert torch.equal(batch["other"], batch["image"])
    assert len(batch["weight"]) == 7


def test_what_else_is_wanted_is_not_rounded() -> None:
    made = [{**volume, "weight": volume["image"] * 1e5} for volume in volumes(3)]
    [batch] = SliceLoader(made, batch_size=3, extra_keys=("weight",))
    assert torch.equal(batch["weight"], batch["image"] * 1e5)


def test_a_2d_image_is_its_own_slice() -> None:
    images = [{"image": torch.full((3, 4, 6), number), "label": torch.ones(1, 4, 6)} for number in range(5)]
    for image in images:
        image["image"][0, 1, 0] = 9
    [batch] = SliceLoader(images, batch_size=8)
    assert batch["image"].shape == (5, 3, 4, 6)
    assert sorted(batch["image"][:, 0, 0, 0].tolist()) == [0, 1, 2, 3, 4]


def test_empty_slices_can_be_left_out() -> None:
    made = volumes(3, 5)
    made[0]["label"] = made[0]["label"] % 2  # type: ignore[operator]
    assert sorted(drawn(SliceLoader(made, batch_size=2, empty_slices=False))) == [1, 3, 4, 5, 6, 7]
    for volume in made:
        volume["label"] = volume["label"] * 0  # type: ignore[operator]
    with pytest.raises(ValueError, match="no slice of the 2 volumes shows anything but background"):
        SliceLoader(made, batch_size=2, empty_slices=False)


@pytest.mark.parametrize(("empty_slices", "expected"), [(False, [3, 4]), (True, [0, 2, 3, 4])])
def test_a_slice_of_nothing_but_ignored_voxels_is_left_out(expected: list[int], *, empty_slices: bool) -> None:
    [volume] = volumes(5)
    label = torch.zeros(1, 4, 6, 5)
    label[..., 1:] = 255
    label[:, 1, 2, 2] = 0
    label[:, 1, 2, 3:] = 1
    made = [volume | {"label": label}]
    options = {"batch_size": 2, "empty_slices": empty_slices}
    assert sorted(drawn(SliceLoader(made, ignore_index=255, **options))) == expected
    with pytest.raises(ValueError, match="anything but background and the ignored label 255"):
        SliceLoader([volume | {"label": torch.full_like(label, 255)}], ignore_index=255, **options)


def test_every_slice_of_every_volume_comes_once_an_epoch() -> None:
    loader = SliceLoader(volumes(3, 5, 4), batch_size=5)
    assert sorted(drawn(loader)) == list(range(12))
    assert len(loader) == 3


def test_an_image_keeps_its_label() -> None:
    for batch in SliceLoader(volumes(3, 5), batch_size=3):
        assert torch.equal(batch["image"].to(torch.uint8), batch["label"])
        assert batch["image"].dtype == torch.float32
        assert type(batch["image"]) is torch.Tensor


def test_the_order_follows_from_seed_and_epoch() -> None:
    one, same, other = (SliceLoader(volumes(9, 9), batch_size=4, seed=seed) for seed in (1, 1, 2))
    first, second = drawn(one), drawn(one)
    assert first != second
    assert [drawn(same), drawn(same)] == [first, second]
    assert drawn(other) != first


def test_slices_of_two_sizes_are_refused_by_case() -> None:
    with pytest.raises(ValueError, match=r"case_9 are \(5, 6\)"):
        SliceLoader([*volumes(3), {**volumes(3, size=(5, 6))[0], "case": "case_9"}], batch_size=2)


@pytest.mark.parametrize(("depths", "batch_size", "said"), [((), 2, "no volume"), ((3,), 0, "batch_size is 0")])
def test_nothing_to_draw_is_refused(depths: tuple[int, ...], batch_size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SliceLoader(volumes(*depths), batch_size=batch_size)


def test_a_loader_goes_on_with_the_order_that_another_was_at() -> None:
    first, second = (SliceLoader(volumes(3, 5), batch_size=4, seed=1) for _ in range(2))
    before = drawn(first)
    second.load_state_dict(first.state_dict())
    assert drawn(second) == drawn(first) != before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"label": torch.full((1, 4, 6, 2), 0.5)},
            "the label holds 0.5, and labels must be whole numbers from 0 to 255",
        ),
        ({"label": torch.full((1, 4, 6, 2), 256)}, "the label holds 256"),
        ({"label": torch.full((1, 4, 6, 2), -1)}, "the label holds -1"),
        ({"label": torch.ones(1, 4, 5, 2)}, r"2 slice\(s\) of the image are 4 x 6 .* 2 of label are 4 x 5"),
        ({"label": torch.ones(1, 4, 6, 3)}, r"and 3 of label are 4 x 6"),
    ],
)
def test_a_preparation_that_spoils_labels_is_refused(changed: dict[str, torch.Tensor], said: str) -> None:
    with pytest.raises(ValueError, match=f"^case case_1: .*{said}"):
        SliceLoader([*volumes(2), {**volumes(2)[0], "case": "case_1", **changed}], batch_size=2)


def test_a_preparation_that_moves_the_image_alone_is_refused() -> None:
    affine = torch.diag(torch.tensor([0.8, 0.8, 3.0, 1.0], dtype=torch.float64))
    tensors = {"image": torch.rand(1, 8, 8, 3), "label": torch.ones(1, 8, 8, 3)}
    volume = {key: MetaTensor(tensor, affine=affine) for key, tensor in tensors.items()} | {"case": "a"}
    for transform in (Flipd("image", spatial_axis=0), Rotate90d("image", 2, spatial_axes=(0, 1))):
        with pytest.raises(ValueError, match=r'^case a: after the preparation .* lie in the same place: .*"@keys"'):
            SliceLoader([transform(volume)], batch_size=2)
    shifted = affine.clone()
    shifted[0, 3] = 0.3
    apart = volume | {"label": MetaTensor(tensors["label"], affine=shifted)}
    for fine in (
        Flipd(("image", "label"), spatial_axis=0)(volume),
        Spacingd(("image", "label"), (0.4, 0.4, 3.0), mode="nearest")(apart),
        Lambdad("image", np.log1p)(volume),  # which leaves no affine
    ):
        SliceLoader([fine], batch_size=2)


def test_a_preparation_that_makes_an_image_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="case case_0: after the preparation the image holds one value only, 2: look"):
        SliceLoader([volumes(3)[0] | {"image": torch.full((1, 4, 6, 3), 2.0)}], batch_size=2)


def test_a_transform_that_fails_is_told_with_its_case() -> None:
    volume = {"image": torch.rand(1, 8, 8, 3), "label": torch.ones(1, 4, 6, 2), "case": "a"}
    with pytest.raises(
        ValueError, match=r"^case a cannot be prepared: KeyError: .*Key `img` of transform `Flipd` was missing"
    ):
        SliceLoader(Dataset([volume], Flipd("img", spatial_axis=0)), batch_size=2)
