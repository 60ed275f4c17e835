"""Intervals of volumes hold the true volume as often as they promise, whatever the probabilities are."""

from __future__ import annotations

from math import inf, sqrt

import pytest
import torch

from calib_monai.conformal import conformal_quantile
from calib_monai.metrics.volume_error import expected_voxels
from calib_monai.posthoc import Conformal, ConformalFit, MarginFit
from calib_monai.posthoc.conformal import expected_and_spread

DRAWS, NEEDED = 2000, 9


def exchangeable_cases(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (count, 3, 6, 5) that are wrong, and labels whose voxels err together within a case."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(count, 3, 6, 5, generator=generator, dtype=torch.float64)
    shift = torch.randn(count, 3, 1, 1, generator=generator, dtype=torch.float64)
    truth = (2 * logits + shift).softmax(dim=1).movedim(1, -1)
    labels = truth.reshape(-1, 3).multinomial(1, generator=generator).view(count, 1, 6, 5)
    return logits.softmax(dim=1), labels


def test_coverage_is_the_level_in_two_thousand_draws() -> None:
    """Each draw is of other ten of a thousand cases: of them, too, each is the last as often as any other."""
    probs, labels = exchangeable_cases(1000)
    covered, generator = torch.zeros(2), torch.Generator().manual_seed(1)
    fit = ConformalFit()
    fit.add(probs, labels)
    scores, volumes = fit.scores(), torch.stack([(labels == k).flatten(1).sum(1) for k in (1, 2)], dim=1)
    for _ in range(DRAWS):
        *fitted, last = torch.randperm(len(probs), generator=generator)[: NEEDED + 1].tolist()
        for k, interval in enumerate(Conformal(scores[:, fitted], torch.arange(NEEDED), 0.9).intervals(probs[last])):
            assert interval is not None
            covered[k] += interval[0] <= volumes[last, k] <= interval[1]
    error = sqrt(0.9 * 0.1 / DRAWS)  # 9 cases promise 9 / 10 exactly
    assert ((covered / DRAWS - 0.9).abs() < 4 * error).all()


def test_the_cases_of_a_patient_weigh_as_one() -> None:
    """Each draw is of other patients; they have eight cases, which are nearly the same."""
    generator = torch.Generator().manual_seed(2)
    patients = torch.arange(600).repeat_interleave(8)
    scores = torch.rand(600, generator=generator)[patients] + 0.01 * torch.rand(len(patients), generator=generator)
    covered, one_by_one = 0.0, 0.0
    for _ in range(DRAWS):
        *fitted, last = torch.randperm(600, generator=generator)[:14].tolist()
        known, new = torch.isin(patients, torch.tensor(fitted)), scores[patients == last]
        covered += (new <= conformal_quantile(scores[known], 0.9, patients[known])).double().mean().item()
        one_by_one += (new <= conformal_quantile(scores[known], 0.9)).double().mean().item()
    error = sqrt(0.9 * 0.1 / DRAWS)
    assert abs(covered / DRAWS - 13 / 14) < 3 * error
    assert one_by_one / DRAWS < 0.9 - 4 * error  # as if all cases were of different patients


def test_patients_and_not_cases_must_be_enough() -> None:
    probs, labels = exchangeable_cases(16)
    fit = ConformalFit()
    fit.add(probs, labels, patients=[f"patient {number // 2}" for number in range(16)])
    assert fit.patients().tolist() == [number // 2 for number in range(16)]
    conformal = Conformal(fit.scores(), fit.patients())
    assert (conformal.patients, conformal.factors) == (8, [inf, inf])
    of_loader = ConformalFit()
    for place in range(0, 16, 4):  # as a loader collates numbers
        some = slice(place, place + 4)
        of_loader.add(probs[some], labels[some], patients=torch.arange(16)[some] // 2)  # type: ignore[arg-type]
    assert of_loader.patients().tolist() == fit.patients().tolist()
    with pytest.raises(ValueError, match="there are 1 patients for 16"):
        fit.add(probs, labels, patients=["one"])


def test_too_few_cases_promise_nothing() -> None:
    probs, labels = exchangeable_cases(9)
    fit = ConformalFit()
    fit.add(probs[:8], labels[:8])
    assert Conformal(fit.scores(), fit.patients()).intervals(probs[8]) == [None, None]
    assert None not in Conformal(fit.scores(), fit.patients(), 0.88).intervals(probs[8])
    fit.add(probs[8:], labels[8:])
    assert None not in Conformal(fit.scores(), fit.patients()).intervals(probs[8])


def test_an_interval_is_the_expected_volume_and_so_many_spreads() -> None:
    probs = torch.tensor([0.005, 0.2, 0.5, 1.0])
    expected, spread = expected_and_spread(probs)
    assert expected == expected_voxels(probs) == pytest.approx(1.7)
    assert spread == pytest.approx(1 + 0.16 + 0.25)
    conformal = Conformal(torch.full((1, 9), 2.0), torch.arange(9))
    assert conformal.intervals(torch.stack([1 - probs, probs])) == [(0, pytest.approx(1.7 + 2 * spread))]
    assert expected_and_spread(torch.zeros(4)) == (0, 1)  # a score is finite where nothing is expected


def test_ignored_voxels_count_for_neither_volume_and_an_absent_structure_counts() -> None:
    probs = torch.tensor([[0.5, 0.5, 0.1, 0.9], [0.5, 0.5, 0.9, 0.1]]).view(1, 2, 2, 2)
    labels, ignored = torch.tensor([[0, 1], [1, 0]]).view(1, 1, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    ignored[..., 0, 1] = True
    fit = ConformalFit()
    fit.add(probs, labels, ignored)
    fit.add(probs, torch.zeros_like(labels))
    with_ignored = abs(1 - 1.5) / (1 + 0.25 + 0.09 + 0.09)
    absent = 2.0 / (1 + 0.25 + 0.25 + 0.09 + 0.09)
    assert fit.scores().tolist() == [pytest.approx([with_ignored, absent])]


def test_what_does_not_fit_is_refused() -> None:
    of_nine = Conformal(torch.zeros(1, 9), torch.arange(9))
    with pytest.raises(ValueError, match="coverage is 90; it must be a number above 0 and below 1"):
        Conformal(torch.zeros(1, 9), torch.arange(9), 90)
    for patients, said in ((0.9, "float"), (None, "NoneType"), (torch.arange(8), r"\(8,\)")):
        with pytest.raises(ValueError, match=f"patients is {said}; it must be a number for each of 9 cases"):
            Conformal(torch.zeros(1, 9), patients)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="probs have 3 classes; the intervals are for 2"):
        of_nine.intervals(torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"probs holds values from -1 to 2; probabilities lie in 0\.\.1"):
        of_nine.intervals(torch.tensor([[2.0], [-1.0]]))
    with pytest.raises(ValueError, match="probs holds NaN"):
        of_nine.intervals(torch.full((2, 4), float("nan")))
    with pytest.raises(ValueError, match="the values of probs do not sum to 1"):  # a batch of two, with two classes
        of_nine.intervals(torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).repeat(2, 1, 4, 4))
    with pytest.raises(ValueError, match="there were 0 cases"):
        ConformalFit().scores()


@pytest.mark.parametrize("fit", [ConformalFit(), MarginFit()])
def test_cases_that_do_not_fit_are_refused(fit: ConformalFit | MarginFit) -> None:
    labels = torch.zeros(1, 1, 4, 4, dtype=torch.long)
    fit.add(torch.full((1, 2, 4, 4), 0.5), labels)
    with pytest.raises(ValueError, match="probs have 4 classes, and those before had 2"):
        fit.add(torch.full((1, 4, 4, 4), 0.25), labels)
    with pytest.raises(ValueError, match="probs holds values from -3 to -3"):
        fit.add(torch.full((1, 2, 4, 4), -3.0), labels)


@pytest.mark.parametrize("fit", [ConformalFit(), MarginFit()])
@pytest.mark.parametrize("label", [-1, 0.5, 2, 255])
def test_labels_that_are_no_classes_are_refused_where_they_are_not_ignored(
    fit: ConformalFit | MarginFit, label: float
) -> None:
    probs, labels = torch.full((1, 2, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    labels[0, 0, 0, 0] = label
    with pytest.raises(ValueError, match=rf"labels holds labels from .*{label}.*; they must be whole numbers 0\.\.1"):
        fit.add(probs, labels)
    fit.add(probs, labels, labels == label)


def test_a_case_of_ignored_voxels_alone_does_not_count() -> None:
    probs, labels = torch.full((2, 2, 4, 4), 0.5), torch.ones(2, 1, 4, 4)
    ignored = torch.zeros_like(labels, dtype=torch.bool)
    ignored[0] = True
    fit = ConformalFit()
    fit.add(probs, labels, ignored)
    assert fit.scores().flatten().tolist() == [8 / 5]  # 8 of 16 voxels expected, with a spread of 1 + 16 / 4
