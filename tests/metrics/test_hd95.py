"""HD95 and missed structures: MedPy's and MONAI's numbers, units, refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor, list_data_collate
from monai.metrics import SurfaceDistanceMetric
from monai.transforms import ConvertToMultiChannelBasedOnBratsClasses

from calib_monai.metrics import ASDMetric, HD95Metric, MissedStructuresMetric, VolumeDifferenceMetric
from calib_monai.metrics.surfaces import directed_distances, surface


def one_hot(labels: np.ndarray, num_classes: int = 4) -> torch.Tensor:
    """(D, H, W) as (1, C, H, W, D)."""
    return torch.nn.functional.one_hot(torch.tensor(labels).permute(1, 2, 0), num_classes).movedim(-1, 0).unsqueeze(0)


def box(*ranges: tuple[int, int]) -> torch.Tensor:
    """A box of class 1 in a volume of 10 x 10 x 10, one-hot."""
    labels = torch.zeros(10, 10, 10, dtype=torch.int64)
    labels[tuple(slice(*edges) for edges in ranges)] = 1
    return torch.nn.functional.one_hot(labels, 2).movedim(-1, 0).unsqueeze(0)


def test_hd95_is_medpys_on_the_golden_volumes(golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]) -> None:
    labels, shifted = one_hot(arrays["vol_labels_V1"]), one_hot(arrays["vol_pred_V5"])
    pairs = {"shape_V5_shifted": (shifted, labels)}
    for name in ("V1", "V2"):
        predicted = one_hot(arrays[f"vol_logits_{name}"].argmax(axis=1))
        pairs[f"shape_{name}"] = (predicted, one_hot(arrays[f"vol_labels_{name}"]))
    for name, (y_pred, y) in pairs.items():
        metric = HD95Metric(include_background=True)
        metric(y_pred=y_pred, y=y)
        assert metric.values()[0].tolist() == pytest.approx(golden[name]["expected"]["hd95_per_class"], abs=1e-6)


@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")
def test_directed_distances_are_monais(arrays: dict[str, np.ndarray]) -> None:
    predicted, labels = one_hot(arrays["vol_pred_V5"]), one_hot(arrays["vol_labels_V1"])
    theirs = SurfaceDistanceMetric(include_background=True)(y_pred=predicted, y=labels)
    for k in range(4):
        surfaces = (surface(masks[0, k].bool().numpy()) for masks in (predicted, labels))
        forth = directed_distances(*surfaces, (1, 1, 1))
        assert forth.mean() == pytest.approx(theirs[0, k].item(), rel=1e-5)


def test_distances_are_in_the_units_of_the_spacing() -> None:
    first, second = box((2, 5), (2, 5), (2, 5)), box((2, 5), (2, 5), (4, 7))
    assert HD95Metric()(y_pred=first, y=second).item() == 2
    assert HD95Metric(spacing=(1, 1, 3))(y_pred=first, y=second).item() == 6
    assert HD95Metric()(y_pred=first, y=second, spacing=(1, 1, 3)).item() == 6
    affine = torch.diag(torch.tensor([1.0, 1.0, 3.0, 1.0]))
    labeled = MetaTensor(second[0], affine=affine)
    assert HD95Metric()(y_pred=[first[0]], y=[labeled]).item() == 6
    collated = list_data_collate([{"label": labeled}, {"label": labeled}])["label"]
    assert HD95Metric()(y_pred=first.repeat(2, 1, 1, 1, 1), y=collated).flatten().tolist() == [6, 6]


def test_a_missed_structure_costs_the_diagonal_and_is_counted() -> None:
    there, nothing = box((2, 5), (2, 5), (2, 5)), box((0, 0), (0, 0), (0, 0))
    assert HD95Metric()(y_pred=nothing, y=there).item() == pytest.approx(math.sqrt(300))
    assert HD95Metric()(y_pred=there, y=nothing).item() == pytest.approx(math.sqrt(300))
    metric = HD95Metric()
    metric(y_pred=nothing, y=nothing)
    assert math.isnan(metric.aggregate().item())
    missed = MissedStructuresMetric()
    missed(y_pred=torch.cat([nothing, there, nothing, there]), y=torch.cat([there, nothing, nothing, there]))
    assert missed.values().flatten().tolist() == [1, 1, 0, 0]
    assert missed.aggregate().item() == 2


def test_a_few_voxels_in_the_wrong_place_do_not_hide_a_missed_structure() -> None:
    there, few = box((2, 8), (2, 8), (2, 8)), box((2, 4), (2, 4), (2, 3))  # Dice 2 * 4 / (216 + 4) = 0.036
    elsewhere = box((9, 10), (9, 10), (9, 10))
    found = MissedStructuresMetric()(y_pred=torch.cat([few, elsewhere, there]), y=there.repeat(3, 1, 1, 1, 1))
    assert found.flatten().tolist() == [1, 1, 0]
    for limit, counted in ((0.0, 0), (0.03, 0), (0.04, 1), (1.0, 1)):
        assert MissedStructuresMetric(dice_below=limit)(y_pred=few, y=there).item() == counted
    for limit in (-0.1, 1.1, math.nan, "0.1"):
        with pytest.raises(ValueError, match="dice_below"):
            MissedStructuresMetric(dice_below=limit)


@pytest.mark.parametrize("kind", [HD95Metric, ASDMetric, MissedStructuresMetric])
@pytest.mark.parametrize("wrong", [0, 1, -1, 2.0, "3", True])
def test_a_number_of_classes_that_cannot_be_is_refused(kind: Any, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"num_classes is .*; it must be a whole number, at least 2"):
        kind(num_classes=wrong)


def test_the_regions_of_brats_overlap() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.nn.functional.interpolate(torch.rand(2, 4, 4, 4, 4, generator=generator), scale_factor=3).argmax(1)
    to_regions = ConvertToMultiChannelBasedOnBratsClasses(et_label=3)
    first, second = (to_regions(volume).unsqueeze(0) for volume in labels)  # TC, WT, ET
    tumor = {"tc": (1, 3), "wt": (1, 2, 3), "et": (3,)}
    for metric in (HD95Metric, ASDMetric):
        expected = []
        for classes in tumor.values():
            alone = [torch.isin(volume, torch.tensor(classes)).long() for volume in labels]
            masks = [torch.nn.functional.one_hot(mask, 2).movedim(-1, 0).unsqueeze(0) for mask in alone]
            expected.append(metric()(y_pred=masks[0], y=masks[1]).item())
        assert metric(overlapping=True)(y_pred=first, y=second).flatten().tolist() == pytest.approx(expected)
        assert len(set(expected)) == 3
    missed = MissedStructuresMetric(overlapping=True)
    assert missed(y_pred=first & torch.tensor([1, 1, 0]).bool().view(3, 1, 1, 1), y=second).tolist() == [[0, 0, 1]]
    with pytest.raises(ValueError, match="y is not one-hot, nor are its channels masks"):
        HD95Metric(overlapping=True)(y_pred=first, y=second * 0.5)


def test_two_dimensions_are_measured_too() -> None:
    first, second = box((2, 5), (2, 5), (2, 3))[..., 2], box((4, 7), (2, 5), (2, 3))[..., 2]
    assert HD95Metric()(y_pred=first, y=second).item() == 2


def test_a_perfect_prediction_is_at_distance_zero() -> None:
    there = box((2, 5), (1, 9), (0, 10))
    assert HD95Metric()(y_pred=there, y=there).item() == 0


def test_what_does_not_fit_is_refused() -> None:
    there = box((2, 5), (2, 5), (2, 5))
    with pytest.raises(ValueError, match=r"\(1, 2, 10, 10, 10\)"):
        HD95Metric()(y_pred=there, y=there[..., :5])
    with pytest.raises(ValueError, match="3 sizes"):
        HD95Metric(spacing=(1, 1))(y_pred=there, y=there)
    with pytest.raises(ValueError, match=r"spacing is 2\.0"):
        HD95Metric(spacing=2.0)(y_pred=there, y=there)
    with pytest.raises(ValueError, match="spacing is 'ab'; it must have 3 sizes, one an axis"):
        HD95Metric(spacing="ab")(y_pred=there, y=there)  # type: ignore[arg-type] # a mistake
    for spacing in (np.array([1, 1, 5.0]), torch.tensor([1, 1, 5.0])):
        assert HD95Metric(spacing=spacing)(y_pred=there, y=there).item() == 0
    with pytest.raises(TypeError, match="spacin"):
        HD95Metric()(y_pred=there, y=there, spacin=(1, 1, 5))
    for size in (0, -1, math.nan):
        with pytest.raises(ValueError, match="above 0 mm"):
            HD95Metric(spacing=(1, 1, size))(y_pred=there, y=there)
    for metric in (HD95Metric(), MissedStructuresMetric()):
        with pytest.raises(ValueError, match="one-hot"):
            metric(y_pred=there, y=there[:, :1])
        with pytest.raises(ValueError, match="y_pred is not one-hot"):
            metric(y_pred=there * 0.9, y=there)
        with pytest.raises(ValueError, match="y_pred is not one-hot"):
            metric(y_pred=there[:, 1:], y=there[:, 1:])


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_masks_of_any_type_and_order_in_memory_are_measured_alike(dtype: torch.dtype) -> None:
    first, second = box((2, 5), (2, 5), (2, 5)), box((3, 7), (2, 6), (4, 7))
    for metric in (HD95Metric(), ASDMetric(), MissedStructuresMetric(dice_below=0.9)):
        expected = metric(y_pred=first.float(), y=second.float())
        for masks in ([first, second], [first.contiguous(), second.contiguous()]):
            assert torch.equal(metric(*(one.to(dtype) for one in masks)), expected)


def test_one_wrong_value_anywhere_in_a_large_volume_is_refused() -> None:
    right = torch.zeros(2, 3, 50, 60, 70, dtype=torch.float64)  # more than is compared at a time
    right[:, 0] = 1
    assert HD95Metric()(y_pred=right, y=right).isnan().all()
    for place in ((0, 0, 0, 0, 0), (1, 0, 49, 59, 69), (1, 2, 49, 59, 69)):
        for value in (1 - right[place].item(), 0.5, 1 + 1e-12, -1, 256, math.inf, math.nan):
            wrong = right.clone()
            wrong[place] = value
            with pytest.raises(ValueError, match="y is not one-hot"):
                HD95Metric()(y_pred=right, y=wrong)


@pytest.mark.parametrize("metric", [HD95Metric, ASDMetric])
def test_each_image_of_a_batch_has_its_own_spacing(metric: type[HD95Metric]) -> None:
    first, second = box((2, 5), (2, 5), (2, 5)), box((2, 5), (2, 5), (4, 7))
    labeled = [MetaTensor(second[0], affine=torch.diag(torch.tensor([1.0, 1, size, 1]))) for size in (1.0, 3, 0.5)]
    expected = metric()(y_pred=[first[0]] * 3, y=labeled)
    assert (expected / expected[0]).flatten().tolist() == [1, 3, 0.5]
    batch = list_data_collate(labeled)
    assert torch.equal(metric()(y_pred=first.expand(3, -1, -1, -1, -1), y=batch), expected)
    with pytest.raises(ValueError, match=r"y is 3 images with one affine, as torch\.stack leaves them"):
        metric()(y_pred=first.expand(3, -1, -1, -1, -1), y=torch.stack(labeled))
    assert metric(spacing=(1, 1, 1))(y_pred=first.expand(3, -1, -1, -1, -1), y=torch.stack(labeled)).shape == (3, 1)


def test_sheared_axes_are_measured_along_the_affine() -> None:
    sheared = torch.tensor([[1.0, 0, 2, 0], [0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]])
    first, second = box((2, 3), (2, 3), (2, 3)), box((2, 3), (2, 3), (4, 5))  # two steps along an axis of (2, 0, 3) mm
    labeled = MetaTensor(second[0], affine=sheared)
    assert HD95Metric()(y_pred=[first[0]], y=[labeled]).item() == pytest.approx(2 * 13**0.5)
    across = MetaTensor(box((0, 1), (2, 3), (3, 4))[0], affine=sheared)  # (-2, 0, 1) voxels are (0, 0, 3) mm
    assert HD95Metric()(y_pred=[first[0]], y=[across]).item() == pytest.approx(3)
    missed = HD95Metric()(y_pred=[box((0, 0), (0, 0), (0, 0))[0]], y=[labeled]).item()
    assert missed == pytest.approx(np.linalg.norm([30, 10, 30]))


def test_class_indices_have_the_distances_of_one_hot() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randint(3, (2, 1, 7, 6, 5), generator=generator) for _ in range(2)]
    masks = [torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1) for labels in maps]
    for kind in (HD95Metric, ASDMetric, MissedStructuresMetric):
        expected = kind()(*masks)
        for dtype in (torch.uint8, torch.float32):
            assert torch.equal(kind(num_classes=3)(*(labels.to(dtype) for labels in maps)), expected)
        assert torch.equal(kind(num_classes=3)(*masks), expected)
        with pytest.raises(ValueError, match=r"y_pred holds labels from 0 to 2; they must be whole numbers 0\.\.1"):
            kind(num_classes=2)(*maps)
        with pytest.raises(ValueError, match="y_pred is not one-hot: it has 1 channel"):
            kind()(*maps)


@pytest.mark.parametrize("metric", [HD95Metric, ASDMetric, MissedStructuresMetric, VolumeDifferenceMetric])
def test_of_a_single_mask_a_number_of_classes_makes_no_class_indices(metric: Any) -> None:
    predicted, labeled = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    predicted[..., 2:5, 2:5], labeled[..., 2:5, 4:7] = 1, 1
    of_mask = metric(overlapping=True)(y_pred=predicted, y=labeled)
    assert of_mask.shape == (1, 1)
    assert torch.equal(metric(overlapping=True, num_classes=4)(y_pred=predicted, y=labeled), of_mask)
