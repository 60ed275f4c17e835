"""Margins miss at most the promised share on average, and are as small as their thresholds allow."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from calib_monai.posthoc import MarginFit, Margins
from calib_monai.posthoc.margins import EVERYTHING, THRESHOLDS, missed_shares

DRAWS = 2000


def exchangeable_cases(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (count, 2, 5, 4) that are wrong, and labels whose voxels err together within a case."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(count, 5, 4, generator=generator)
    shift = torch.randn(count, 1, 1, generator=generator)
    labels = torch.rand(count, 5, 4, generator=generator) < (2 * logits + shift).sigmoid()
    probs = logits.sigmoid()
    return torch.stack([1 - probs, probs], dim=1), labels.long()[:, None]


def test_the_risk_is_at_most_the_level_in_two_thousand_draws() -> None:
    cases, miss_rate = 9, 0.2
    probs, labels = exchangeable_cases(DRAWS * (cases + 1))
    missed = []
    for draw in range(DRAWS):
        first, last = draw * (cases + 1), (draw + 1) * (cases + 1) - 1
        fit = MarginFit()
        fit.add(probs[first:last], labels[first:last])
        [mask] = Margins(fit.missed(), fit.counts(), miss_rate).masks(probs[last])
        inside = labels[last, 0] == 1
        if inside.any() and fit.counts().item() == cases:
            missed.append((~mask & inside).sum().item() / inside.sum().item())
    risk = torch.tensor(missed)
    assert len(risk) > 0.9 * DRAWS
    error = 4 * risk.std().item() / sqrt(len(risk))
    assert risk.mean().item() <= miss_rate + error
    assert risk.mean().item() >= miss_rate - 2 / (cases + 1) - 0.02 - error  # it is not just everything


def test_too_few_cases_that_show_a_structure_promise_nothing() -> None:
    probs, labels = exchangeable_cases(25)
    labels[:6] = 0
    fit = MarginFit()
    fit.add(probs[:24], labels[:24])
    few = Margins(fit.missed(), fit.counts())
    assert (few.counts, few.promised, few.thresholds) == ([18], [False], [EVERYTHING])
    assert few.masks(probs[0]).all()
    assert few.sizes(probs[0]) == [None]
    assert Margins(fit.missed(), fit.counts(), 0.06).promised == [True]
    fit.add(probs[24:], labels[24:])
    enough = Margins(fit.missed(), fit.counts())
    assert (enough.counts, enough.promised) == ([19], [True])
    assert enough.thresholds[0] <= probs[6:, 1][labels[6:, 0] == 1].min()  # 19 cases allow no missed voxel
    assert enough.sizes(probs[0]) == [int((probs[0, 1] >= enough.thresholds[0]).sum())]


def test_the_cases_of_a_patient_weigh_as_one() -> None:
    probs, labels = exchangeable_cases(4)
    labels[3] = 0  # the last case does not have the structure
    fit, single = MarginFit(), [MarginFit() for _ in range(3)]
    fit.add(probs, labels, patients=["a", "b", "a", "c"])
    for index, one in enumerate(single):
        one.add(probs[index : index + 1], labels[index : index + 1])
    assert fit.counts().tolist() == [2]
    torch.testing.assert_close(fit.missed(), (single[0].missed() + single[2].missed()) / 2 + single[1].missed())
    with pytest.raises(ValueError, match="there were 0 cases"):
        MarginFit().missed()


def test_the_threshold_is_the_largest_within_the_bound() -> None:
    missed = torch.linspace(0, 40, len(THRESHOLDS), dtype=torch.float64)[None]
    margins = Margins(missed, torch.tensor([99]), 0.05)
    place = THRESHOLDS.tolist().index(margins.thresholds[0])
    assert (missed[0, place] + 1) / 100 <= 0.05 < (missed[0, place + 1] + 1) / 100


def test_the_missed_share_counts_the_voxels_below_each_threshold() -> None:
    inside = torch.tensor([0.0, float(THRESHOLDS[1]), 0.5, 0.5, 1.0])
    assert missed_shares(inside).tolist() == [(inside < limit).double().mean().item() for limit in THRESHOLDS]
    assert missed_shares(inside)[0] == 0  # whatever is nowhere below the threshold of everything
    assert missed_shares(inside[:0]).isnan().all()


def test_ignored_voxels_and_cases_without_a_structure_do_not_count() -> None:
    probs = torch.tensor([[0.8, 0.9, 0.1, 0.1], [0.1, 0.05, 0.2, 0.8], [0.1, 0.05, 0.7, 0.1]]).view(1, 3, 2, 2)
    labels, ignored = torch.tensor([[1, 0], [1, 1]]).view(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    ignored[..., 0, 0] = True
    fit = MarginFit()
    fit.add(probs, labels, ignored)
    fit.add(probs, torch.zeros_like(labels))
    assert fit.counts().tolist() == [1, 0]
    assert fit.missed()[0].equal(missed_shares(torch.tensor([0.2, 0.8])))
    assert not fit.missed()[1].any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_a_mask_holds_the_voxels_that_the_fit_counted_in_any_type(dtype: torch.dtype) -> None:
    inside = torch.cat([THRESHOLDS, THRESHOLDS.double() * (1 - 1e-9), THRESHOLDS * (1 - 1e-3)]).to(dtype)
    for place in range(0, len(THRESHOLDS), 20):
        margins = Margins(torch.zeros(1, len(THRESHOLDS)), torch.tensor([99]))
        margins.thresholds = [float(THRESHOLDS[place])]
        mask = margins.masks(torch.stack([1 - inside, inside]))
        assert (~mask).double().mean().item() == missed_shares(inside)[place].item()


@pytest.mark.parametrize("miss_rate", [0, 1, 5])
def test_what_is_no_miss_rate_is_refused(miss_rate: float) -> None:
    with pytest.raises(ValueError, match=f"miss_rate is {miss_rate}; it must be a number above 0 and below 1"):
        Margins(torch.zeros(1, len(THRESHOLDS)), torch.tensor([30]), miss_rate)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="probs have 3 classes; the margins are for 2"):
        Margins(torch.zeros(1, len(THRESHOLDS)), torch.tensor([30])).masks(torch.zeros(3, 4))


def test_logits_are_refused() -> None:
    with pytest.raises(ValueError, match="probs holds values from -1 to 2"):
        Margins(torch.zeros(1, len(THRESHOLDS)), torch.tensor([30])).masks(torch.tensor([[2.0], [-1.0]]))
