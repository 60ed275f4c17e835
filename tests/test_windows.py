"""Windows: images of other units than Hounsfield units are told, and no CT is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import pytest
import torch
from checked_phantoms import check, model, warnings_in
from monai.transforms import Compose, Lambdad, NormalizeIntensityd, ScaleIntensityRanged
from predicted import inputs
from torch import Tensor

from calib_monai.loading import LoadCased
from calib_monai.presets import window
from calib_monai.windows import Window, doubt_of_units, window_of

WINDOWS = [Window(-79, 304), Window(-160, 240)]  # of KiTS and FLARE
Change = Callable[[Tensor], Tensor]


def ct() -> Tensor:
    """A body of fat and organs with a bone and contrast, in noisy air, in Hounsfield units, (1, 60, 60, 20)."""
    image = torch.full((1, 60, 60, 20), -1000.0)
    image[:, 8:52, 8:52] = -100
    image[:, 12:48, 12:48] = 50
    image[:, 20:30, 20:34, 5:12] = 280
    image[:, 36:44, 20:28] = 900
    return image + 12 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def padded(value: float) -> Change:
    """What fills the corners, which a scanner does not see."""

    def change(image: Tensor) -> Tensor:
        image[:, :8, :8] = value
        return image

    return change


def implant(image: Tensor) -> Tensor:
    image[:, 30:33, 30:33] = 30_000
    return image


@pytest.mark.parametrize("of", WINDOWS)
@pytest.mark.parametrize(
    "change",
    [
        torch.clone,
        padded(-1024),
        padded(-3024),
        padded(-32768),
        implant,
        lambda image: image[:, 10:50, 10:50],
        lambda image: image[:, 16:36, 16:36],
        lambda image: image.clip(-1024, 3071),
        lambda image: image.clip(-200, 300),
        lambda image: torch.nn.functional.pad(image, [0, 0, 100, 100, 100, 100], value=-1000.0),
    ],
    ids=["whole", "padded", "below", "far below", "implant", "body", "organ", "12 bits", "clipped", "small"],
)
def test_a_ct_in_hounsfield_units_is_in_no_doubt(change: Change, of: Window) -> None:
    assert not doubt_of_units(change(ct()), "ct.nii.gz", of)


@pytest.mark.parametrize("of", WINDOWS)
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda image: (image + 1024).clip(0), "none is below 0"),
        (lambda image: padded(-2000)(image[:, 10:50, 10:50] + 1024), "lie above it"),
        (lambda image: image * 10, "lie above it"),
        (lambda image: ((image + 160) / 400 * 255).clip(0, 255).round(), "none is below 0"),
        (lambda image: implant(image - 1200), "nearly all lie below the window"),
    ],
)
def test_a_ct_in_other_units_is_told(change: Change, why: str, of: Window) -> None:
    assert why in doubt_of_units(change(ct()), "ct.nii.gz", of)


@pytest.mark.parametrize("of", WINDOWS)
@pytest.mark.parametrize("change", [lambda image: ((image + 1000) / 2000).clip(0, 1), lambda image: image - 2000])
def test_an_image_without_contrast_in_the_window_is_refused(change: Change, of: Window) -> None:
    with pytest.raises(ValueError, match=r"^ct.nii.gz has values of .*, which fill less than 5% of the window of"):
        doubt_of_units(change(ct()), "ct.nii.gz", of)


def test_a_window_counts_where_the_values_are_those_of_the_file() -> None:
    steps: Any = [LoadCased("image"), window([-79, 304])]
    assert window_of(Compose([Compose(steps[:1]), steps[1]])) == (-79, 304)
    for other in (NormalizeIntensityd("image"), Lambdad("image", abs)):
        assert window_of(Compose([steps[0], other, steps[1]])) is None
    for last in ([], [ScaleIntensityRanged("image", -79, 304, 0, 1)], [ScaleIntensityRanged("other", 0, 1, clip=True)]):
        assert window_of(Compose([steps[0], *last])) is None
    assert not doubt_of_units(ct() + 1024, "mr.nii.gz", None)


def test_a_training_and_an_inference_tell_the_first_image_and_refuse_one_without_contrast(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A phantom has no value below 0, and here many far above the window."""
    for path in (phantom_dir / "imagesTr").iterdir():
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(image.get_fdata() * 2000 / image.get_fdata().max(), image.affine), path)
    told = "of 8 image(s) look as if they were in other units than the window of -79 to 304 to which they are clipped, "
    made_for = model(transforms=Compose([window([-79, 304])]))
    check(phantom_dir, made_for=made_for)
    inputs(phantom_dir / "imagesTr", phantom_dir, preparation=[window([-79, 304])])
    assert [f"8 {told}first phantom_00" in line for line in warnings_in(caplog)] == [True, True]
    path = phantom_dir / "imagesTr" / "phantom_003.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(image.get_fdata() / image.get_fdata().max(), image.affine), path)
    with pytest.raises(ValueError, match=r"phantom_003.nii.gz has values of 0 to 1, which fill less than 5% of the"):
        check(phantom_dir, made_for=made_for)
    assert len(inputs(phantom_dir / "imagesTr", phantom_dir, preparation=[window([-79, 304])])) == 7
