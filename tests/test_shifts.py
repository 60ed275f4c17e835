"""Shifts: images become worse by MONAI's transforms, the more the stronger, and keep their range."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.transforms import AdjustContrast, GaussianSmooth

from calib_monai.shifts import Shiftd, disturbed

STRENGTHS = {
    "noise": (0.02, 0.05, 0.1),
    "blur": (0.5, 1, 2),
    "bias_field": (0.1, 0.2, 0.4),
    "gamma": (1.25, 1.5, 2),
    "spacing": (1.5, 2, 3),
}  # of the workflow
AXES = torch.linspace(0, 6, 24)
WAVES = (AXES.sin()[:, None] * AXES.cos() + 1) / 2 + torch.rand(24, 24, generator=torch.manual_seed(0)) / 2  # (24, 24)


def shifted(image: torch.Tensor, shift: str, case: str = "one") -> torch.Tensor:
    """The image of a case after a shift."""
    changed: torch.Tensor = disturbed(shift)({"image": image, "case": case})["image"]
    return changed


@pytest.mark.parametrize(("kind", "strengths"), STRENGTHS.items())
@pytest.mark.parametrize("shape", [(2, 24, 24), (1, 24, 24, 6)])
def test_a_stronger_shift_changes_more_and_but_for_noise_keeps_the_range(
    kind: str, strengths: tuple[float, ...], shape: tuple[int, ...]
) -> None:
    image = 40 * (WAVES if len(shape) == 3 else WAVES[..., None]).expand(*shape).clone() - 7
    results = [shifted(image, f"{kind}_{strength}") for strength in strengths]
    changes = [(changed - image).abs().mean().item() for changed in results]
    assert 0 < changes[0] < changes[1] < changes[2]
    for changed in results if kind != "noise" else ():
        assert changed.shape == image.shape
        assert changed.amin().item() == pytest.approx(image.amin().item(), abs=1e-4)
        assert changed.amax().item() == pytest.approx(image.amax().item(), abs=1e-4)


@pytest.mark.parametrize("shift", ["noise_0.05", "bias_field_0.2"])
def test_what_a_shift_draws_follows_from_the_case_alone(shift: str) -> None:
    first = shifted(WAVES[None], shift)
    torch.manual_seed(7)
    transform = disturbed(shift)
    transform.set_random_state(8)
    transform({"image": WAVES[None], "case": "before"})
    again = transform({"image": WAVES[None], "case": "one"})["image"]
    torch.testing.assert_close(again, first, rtol=0, atol=0)
    assert not torch.allclose(shifted(WAVES[None], shift, "other"), first, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", ["blur", "spacing"])
def test_slices_are_not_mixed(kind: str) -> None:
    image = torch.zeros(1, 24, 24, 3)
    image[..., 1] = WAVES
    assert not shifted(image, f"{kind}_3")[..., ::2].any()


def test_blur_and_gamma_are_those_of_monai() -> None:
    image = (WAVES - WAVES.min()) / (WAVES.max() - WAVES.min())
    gamma: Any = AdjustContrast(1.5)(image[None])
    torch.testing.assert_close(shifted(image[None], "gamma_1.5"), gamma, rtol=0, atol=1e-6)
    blur: Any = GaussianSmooth([1.0, 1.0])(image[None])
    expected = (blur - blur.min()) / (blur.max() - blur.min())
    torch.testing.assert_close(shifted(image[None], "blur_1"), expected, rtol=0, atol=1e-6)


def test_an_image_of_one_value_stays_as_it_is() -> None:
    image = torch.full((1, 8, 8), 3.0)
    assert torch.equal(Shiftd("image", "gamma", 2.0)({"image": image})["image"], image)


@pytest.mark.parametrize("shift", ["bluri", "blurr_1", "_2", 2, None])
def test_an_unknown_shift_is_refused(shift: Any) -> None:
    with pytest.raises(ValueError, match=r"shift is .*; it must be none, or one of noise, blur, .* as blur_2"):
        disturbed(shift)


@pytest.mark.parametrize("shift", ["blur", "noise_0", "gamma_1", "spacing_0.5"])
def test_a_strength_that_changes_nothing_is_refused(shift: str) -> None:
    with pytest.raises(ValueError, match=rf"shift is '{shift}'; the strength of .* must be above [01]"):
        disturbed(shift)


def test_without_a_shift_nothing_is_changed() -> None:
    assert not disturbed().transforms
