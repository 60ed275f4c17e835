"""A segmentation or a constant in other numbers is refused, and probabilities of few values are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from applied_probs import applied, scored
from saved_probs import FORMS, Folders, sharpened, with_more

from calib_monai.score import main
from calib_monai.scoring.variety import check_varied


def smoothed(probs: Any) -> Any:
    """The most probable class with 0.933, and each other one with 0.033."""
    hard = probs.argmax(0) == np.arange(len(probs))[:, None, None, None]
    return (0.9 * hard + 0.1 / len(probs)).astype(np.float32)


def constant(probs: Any) -> Any:
    """The same in each voxel."""
    return np.broadcast_to(np.float32([0.9, 0.06, 0.04])[:, None, None, None], probs.shape).copy()


@pytest.mark.parametrize(("name", "stored"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (smoothed, r"such as 0.93\d*, 0.03\d*, 0.03\d*, in all voxels of a predicted class: a segmentation in other"),
        (constant, "has the same probabilities in all its voxels, 0.9.*; needed are those of a network"),
    ],
)
def test_probabilities_that_say_nothing_of_a_voxel_are_refused(
    folders: Callable[..., Folders], name: str, stored: Callable[[Any], Any], change: Callable[[Any], Any], said: str
) -> None:
    given = folders()
    for case, one in given.cases.items():
        given.write(case, name, stored(change(one.probs)))
    with pytest.raises(ValueError, match=f"case_0.* {said}"):
        main(given.options)


@pytest.mark.parametrize("change", [smoothed, constant])
def test_they_are_refused_as_logits_and_as_one_structure(
    folders: Callable[..., Folders], change: Callable[[Any], Any]
) -> None:
    given = folders()
    for case, one in given.cases.items():
        given.write(case, "{}.npy", 3 * np.log(change(one.probs)) + 1)
    with pytest.raises(ValueError, match=r"case_0.npy has the same probabilities"):
        main([*given.options, "--logits"])
    for case, one in given.cases.items():
        given.write(case, "{}.npy", change(one.probs)[1:2])
    with pytest.raises(ValueError, match=r"case_0.npy has the same probabilities"):
        main(given.line("--classes", "background", "liver", "--foreground", "--ignore_label", "2"))


def test_a_temperature_is_neither_fitted_nor_applied_to_them(folders: Callable[..., Folders]) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        given.write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
    scored(given)
    given.write("case_3", "{}.npz", smoothed(given.cases["case_3"].probs).transpose(0, 3, 2, 1))
    with pytest.raises(ValueError, match=r"case_3.npz has the same probabilities"):
        applied(given)
    assert not (given.probs.parent / "applied" / "case_2.npz").exists()
    given.write("case_0", "{}.npz", smoothed(given.cases["case_0"].probs).transpose(0, 3, 2, 1))
    with pytest.raises(ValueError, match=r"case_0.npz has the same probabilities"):
        scored(given)


SIZE = (6, 7, 8)
RNG = np.random.default_rng(0)


def votes(of: int) -> torch.Tensor:
    """The share of several segmentations that give each class."""
    counts = RNG.binomial(of, np.linspace(0, 1, SIZE[0])[:, None, None], SIZE)
    return torch.from_numpy(np.stack([counts, of - counts]) / of).float()


SURE = torch.stack([torch.ones(SIZE), 1e-12 * torch.rand(SIZE), 1e-12 * torch.rand(SIZE)])
ONE_VOXEL = torch.from_numpy(smoothed(np.zeros((3, *SIZE))))
ONE_VOXEL[:, -1, -1, -1] = torch.tensor([0.93, 0.04, 0.03])


@pytest.mark.parametrize(
    "probs",
    [
        *(votes(of) for of in (2, 3, 5)),
        SURE,  # nothing is predicted
        ONE_VOXEL,  # the last one is another
        torch.from_numpy(smoothed(RNG.random((3, 3, 4, 5)))),  # tiny
    ],
    ids=["two votes", "three votes", "five votes", "sure", "one voxel", "tiny"],
)
def test_probabilities_of_few_values_are_taken(probs: torch.Tensor) -> None:
    check_varied("file", probs)


def test_rounding_of_a_softmax_is_no_variety() -> None:
    hard = torch.from_numpy(smoothed(RNG.random((3, *SIZE))))
    with pytest.raises(ValueError, match="a segmentation in other numbers"):
        check_varied("file", hard * (1 + 1e-7 * torch.randn(hard.shape)))
