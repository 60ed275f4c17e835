"""Logits are told from other logarithms of probabilities, and clipped ones are told of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from saved_probs import Folders, made
from wrong_probs import last

from calib_monai.score import main
from calib_monai.scoring.logarithms import check_logarithms, warn_of_clipped

OTHERS: dict[str, Callable[[Any], Any]] = {
    "to the base 10": np.log10,
    "to the base 2": np.log2,
    "negative logarithms": lambda p: -np.log(p),
    "log odds": lambda p: np.log(p / (1 - p + 1e-6)),
}


def write(given: Folders, change: Callable[[Any], Any], dtype: type[np.generic] = np.float32) -> list[str]:
    """The options of a score of logits, after they are written."""
    for case, one in given.cases.items():
        given.write(case, "{}.npy", change(last(one.probs)).astype(dtype))
    return [*given.options, "--logits"]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("said", "change"), OTHERS.items(), ids=OTHERS)
def test_other_logarithms_are_refused(
    folders: Callable[..., Folders], said: str, change: Callable[[Any], Any], dtype: type[np.generic]
) -> None:
    given = folders()
    with pytest.raises(ValueError, match=f"case_0.npy holds .*{said}.* and no logits, as their sums tell: give the n"):
        main(write(given, change, dtype))


@pytest.mark.parametrize(("said", "change"), OTHERS.items(), ids=OTHERS)
def test_where_nothing_is_predicted_the_other_voxels_tell(said: str, change: Callable[[Any], Any]) -> None:
    values = torch.from_numpy(change(made(0).probs))
    values[:, 2] = 0
    with pytest.raises(ValueError, match=said):
        check_logarithms("file", values, 0.0)
    two = torch.from_numpy(change(made(0, classes=2).probs))
    if said == "log odds":  # which are centered logits, too
        check_logarithms("file", two, 0.0)
    else:
        with pytest.raises(ValueError, match=said):
            check_logarithms("file", two, 0.0)


def of_two(z: torch.Tensor) -> torch.Tensor:
    """Centered logits of two classes."""
    return torch.stack([z, -z])


Z = 4 * torch.randn(5, 6, 7, generator=torch.Generator().manual_seed(0))
PROBS = torch.from_numpy(made(1).probs)


@pytest.mark.parametrize(
    "logits",
    [
        of_two(Z),
        of_two(10 * Z),
        torch.cat([of_two(Z), torch.full((1, 5, 6, 7), -1e4)]),  # with a class that is never there
        torch.stack([torch.full_like(Z, 12), torch.full_like(Z, -15), torch.full_like(Z, -14)]),  # sure
        torch.stack([torch.full_like(Z, 150), torch.full_like(Z, -150), torch.full_like(Z, -150)]),
        PROBS.log(),
        PROBS.clamp(1e-2, 0.99).log(),
        PROBS.log() - PROBS.log().amax(0),
        3 * PROBS.log(),
        PROBS.log().half().float(),
        (PROBS.log() - PROBS.log().amax(0)).round(),
        torch.zeros(3, 5, 6, 7),
        PROBS[:, :1, :1, :1].log(),
    ],
)
def test_logits_are_taken(logits: torch.Tensor) -> None:
    before = logits.clone()
    for step in (0.0, 1e-3, 1.0):
        check_logarithms("file", logits, step)
    torch.testing.assert_close(logits, before, rtol=0, atol=0)


def test_clipped_logits_are_told_once(folders: Callable[..., Folders], caplog: pytest.LogCaptureFixture) -> None:
    given = folders()
    assert main(write(given, lambda p: np.clip(4 * np.log(p) + 6, -3, 3))) == 0
    [told] = [one.getMessage() for one in caplog.records if "least and greatest logit" in one.getMessage()]
    assert "case_0.npy holds -3 and 3, its least and greatest logit, in many voxels" in told
    assert told.endswith("no probability lies above 0.9951")


def test_clipped_logits_are_told_from_others() -> None:
    def is_told(logits: torch.Tensor) -> bool:
        return warn_of_clipped("file", logits)

    assert is_told(of_two(Z).clamp(-3, 3))
    assert is_told(torch.stack([0 * Z, Z.clamp(-3, 3)]))  # one structure
    assert not is_told(of_two(Z))
    assert not is_told(torch.stack([0 * Z, Z]))
    assert not is_told(PROBS.clamp(1e-7, 1).log())  # a harmless bound
    air = 3 * torch.randn(3, 5, 6, 7, generator=torch.Generator().manual_seed(1)).clamp(-1, 1) * 0.9
    air = air + 0.01 * torch.randn(air.shape, generator=torch.Generator().manual_seed(2))
    air[:, :3] = torch.tensor([4.0, -4.0, -3.5])[:, None, None, None]  # where nothing changes
    assert not is_told(air)
