"""Contrasts: images that extreme voxels would make flat are refused or told, and no others are."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import pytest
import torch
from checked_phantoms import check, model, warnings_in
from monai.transforms import (
    Compose,
    Lambdad,
    NormalizeIntensityd,
    ScaleIntensityd,
    ScaleIntensityRangePercentilesd,
    SpatialPadd,
)
from predicted import inputs, on_demand, used_by
from torch import Tensor

from calib_monai.contrasts import SAMPLED, Scaling, check_contrast, scaling_after, scaling_of

Change = Callable[[Tensor], Any]
TOGETHER = Scaling(channel_wise=False)


def scan() -> Tensor:
    """A body of noisy tissue of about 300 in empty background, more voxels than are looked at first."""
    image = torch.zeros(1, 60, 60, 40)
    body = image[:, 10:50, 10:50]
    body += 300 + 40 * torch.randn(body.shape, generator=torch.Generator().manual_seed(0))
    assert image.numel() > SAMPLED
    return image


def changed(change: Change) -> Tensor:
    image = scan()
    change(image)
    return image


def with_one(value: float) -> Change:
    return lambda image: image[0, 3, 3, 3].fill_(value)


def with_padding(value: float) -> Change:
    return lambda image: image.masked_fill_(image == 0, value)


@pytest.mark.parametrize(
    ("change", "extreme"),
    [(with_one(1e30), "1e+30"), (with_one(-3.4e38), "-3.4e+38"), (with_padding(-3.4e38), "-3.4e+38")],
    ids=["one high voxel", "one low voxel", "padding"],
)
@pytest.mark.parametrize("small", [False, True])
def test_an_image_that_extreme_voxels_make_flat_is_refused(change: Change, extreme: str, *, small: bool) -> None:
    image = changed(change)
    image = image[:, :20, :20, :20] if small else image
    said = (
        rf"^a\.nii has voxel\(s\) of {re.escape(extreme)}, and nearly all that are not background lie between \d+.* "
        r"and \d+.*, less than 0\.01% of the range .*: they would become one value, so replace the extreme voxels$"
    )
    with pytest.raises(ValueError, match=said):
        check_contrast(image, ["a.nii"], "a.nii", TOGETHER)
    check_contrast(image, ["a.nii"], "a.nii", None)


@pytest.mark.parametrize(
    ("change", "extreme", "share"),
    [(with_one(65_535), 65_535, "0."), (with_one(-5000), -5000, "4."), (with_padding(-5000), -5000, "4.")],
    ids=["one high voxel", "one low voxel", "padding"],
)
def test_an_image_that_extreme_voxels_make_nearly_flat_is_told(
    change: Change, extreme: float, share: str, caplog: pytest.LogCaptureFixture
) -> None:
    check_contrast(changed(change), ["a.nii"], "a.nii", TOGETHER)
    [line] = caplog.messages
    assert line.startswith(f"a.nii has voxel(s) of {extreme}, and nearly all that are not background lie between 1")
    assert line.endswith(" % of the range from which the image is scaled: are the extreme voxels true?")
    assert line.split(", ")[-1].startswith(share)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: image[0, 20:23, 20:23, 20:23].fill_(20 * 300),
        lambda image: image[:, :, 15:].zero_(),
        lambda image: image[:, :, 10:].zero_()[0, 3, 3, :2].add_(torch.tensor([1, 2])),
        lambda image: image.gt_(0).mul_(255),
        lambda image: image.gt_(0).mul_(255)[0, 30, 30, 30].fill_(254),
        lambda image: image.add_(1e9),
        lambda image: image.sub_(300).div_(40),
        with_one(-300),
        lambda image: image.div_(image.max()).mul_(255).round_(),
        lambda image: image.zero_(),
    ],
    ids=[
        "usual",
        "implant",
        "a part",
        "sparse",
        "two values",
        "nearly",
        "far from zero",
        "normalized",
        "ringing",
        "bytes",
        "one value",
    ],
)
def test_an_image_with_contrast_is_in_no_doubt(change: Change, caplog: pytest.LogCaptureFixture) -> None:
    check_contrast(changed(change), ["a.nii"], "a.nii", TOGETHER)
    assert not caplog.messages


def test_channels_that_are_scaled_apart_are_looked_at_apart(caplog: pytest.LogCaptureFixture) -> None:
    image = torch.cat([scan(), scan() * 1e6])
    files = ["t1.nii", "t2.nii"]
    for scaling in (TOGETHER, Scaling(channel_wise=True)):
        check_contrast(image, files, "t1.nii (with 1 more)", scaling)
    image[1, 3, 3, 3] = 1e30
    with pytest.raises(ValueError, match=r"^t2\.nii has"):
        check_contrast(image, files, "t1.nii (with 1 more)", Scaling(channel_wise=True))
    for names, scaling in ((["all.nii"], Scaling(channel_wise=True)), (["all.nii", "b.nii"], TOGETHER)):
        with pytest.raises(ValueError, match=r"^all\.nii has"):
            check_contrast(image, names, "all.nii", scaling)
    assert not caplog.messages


def test_a_scaling_counts_where_it_depends_on_all_values() -> None:
    pad = SpatialPadd("image", [8, 8, 8])
    assert scaling_of([pad, ScaleIntensityd("image")]) == TOGETHER
    assert scaling_of([ScaleIntensityd("image", channel_wise=True)]) == Scaling(channel_wise=True)
    assert scaling_of([NormalizeIntensityd("image")]) == TOGETHER
    for steps in (
        [pad],
        [ScaleIntensityd("label")],
        [ScaleIntensityd("image", minv=None, maxv=None, factor=0.5)],
        [NormalizeIntensityd("image", 100, 20)],
        [ScaleIntensityRangePercentilesd("image", 1, 99, 0, 1, clip=True), ScaleIntensityd("image")],
        [Lambdad("image", abs), ScaleIntensityd("image")],
    ):
        assert scaling_of(steps) is None
    steps = [Lambdad("image", abs), ScaleIntensityd("image")]
    assert scaling_after(Compose(steps[:1]), Compose([Compose(steps[:1]), steps[1]])) == TOGETHER


def test_a_training_refuses_a_flat_image_and_an_inference_passes_it_over(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = phantom_dir / "imagesTr" / "phantom_003.nii.gz"
    image = nibabel.load(path)
    voxels = image.get_fdata(dtype="float32")
    voxels[0, 0, 0] = 1e30
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)
    scale = ScaleIntensityd("image")
    assert check(phantom_dir)
    # The loading of these cases consists of two steps.
    with pytest.raises(ValueError, match=r"^/.*phantom_003\.nii\.gz has voxel\(s\) of 1e\+30, and nearly all"):
        check(phantom_dir, made_for=model(transforms=Compose([Lambdad("image", abs), Lambdad("image", abs), scale])))
    cases = on_demand(phantom_dir / "imagesTr", phantom_dir, preparation=[scale])
    found = used_by(cases, cases)
    assert len(found) == 7
    [line] = found.failed
    assert line.startswith(f"{path} has voxel(s) of 1e+30, and nearly all")
    assert f"skipped: {line}" in warnings_in(caplog)
    assert len(inputs(phantom_dir / "imagesTr", phantom_dir)) == 8
