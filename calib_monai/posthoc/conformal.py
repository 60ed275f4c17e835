"""Volumes with a guarantee: conformal intervals, fitted to the errors of expected volumes in validation cases."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import isfinite

import torch
from torch import Tensor

from calib_monai.arguments import check_share
from calib_monai.conformal import LEVELS, conformal_quantile
from calib_monai.metrics.inputs import check_in_pieces, checked_cases
from calib_monai.metrics.volume_error import expected_voxels
from calib_monai.regions import PLAUSIBLE

Interval = tuple[float, float]


class ConformalFit:
    """Collects the scores of validation cases, from which `Conformal` makes intervals.

    The score of a structure is |true volume - expected volume| / spread, as `expected_and_spread` has them. Each case
    counts, also one whose label does not have the structure.
    """

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.of_patients: list[Hashable] = []

    def add(
        self, probs: Tensor, labels: Tensor, ignored: Tensor | None = None, patients: Sequence[Hashable] = ()
    ) -> None:
        """Add cases, on the grid on which volumes are measured.

        Args:
            probs: probabilities, (B, C, H, W[, D]).
            labels: class indices, (B, 1, H, W[, D]).
            ignored: voxels that do not count, (B, 1, H, W[, D]), bool.
            patients: the patient of each case, B; without them each case is a patient.

        Raises:
            ValueError: values that are no probabilities, labels that are no classes, another number of classes than
                before, or another number of patients than of cases.
        """
        for patient, voxels, of_case in checked_cases(probs, labels, ignored, patients):
            if self.rows and len(self.rows[0]) != len(voxels) - 1:
                raise ValueError(f"probs have {len(voxels)} classes, and those before had {len(self.rows[0]) + 1}")
            true = of_case.long().bincount(minlength=len(voxels))[1:].tolist()
            found = [expected_and_spread(of_class) for of_class in voxels[1:]]
            scores = [abs(one - expected) / spread for one, (expected, spread) in zip(true, found, strict=True)]
            self.rows.append(torch.tensor(scores, dtype=torch.float64))
            self.of_patients.append(patient)

    def scores(self) -> Tensor:
        """The scores of all cases so far, (C - 1, cases), float64.

        Raises:
            ValueError: there was no case.
        """
        if not self.rows:
            raise ValueError("there were 0 cases; intervals need scores of some")
        return torch.stack(self.rows, dim=1)

    def patients(self) -> Tensor:
        """The number of the patient of each case so far, from 0, (cases,), int64."""
        numbers = {patient: number for number, patient in enumerate(dict.fromkeys(self.of_patients))}
        return torch.tensor([numbers[patient] for patient in self.of_patients], dtype=torch.long)


class Conformal:
    """Intervals for the volumes of structures that hold the true volume with a chosen probability.

    Split conformal prediction (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173) with normalized scores: an interval
    is the expected volume plus and minus q times its spread, where q is the `conformal_quantile` of the scores of the
    cases of n validation patients. Over such patients and a new one that is exchangeable with them, the interval of a
    case drawn at random from the new one holds the true volume with a probability of at least `coverage`. If each
    patient has one case and no two scores are equal, it is at most coverage + 1 / (n + 1). This is so for each
    structure by itself, whatever the network is, if neither the network nor its calibrator was chosen with these
    patients. The bundles choose the best epoch and fit the calibrator on them, so the probability may be slightly
    lower.

    Args:
        scores: from `ConformalFit.scores`, (C - 1, cases).
        patients: from `ConformalFit.patients`, (cases,).
        coverage: the share of cases whose interval holds the true volume, above 0 and below 1.

    Attributes:
        factors: q of each structure, infinite if there are fewer patients than `calib_monai.conformal.fewest_cases`.
        cases: of all patients.
        patients: n.

    Raises:
        ValueError: another `coverage`, or patients that are not one for each case.

    Examples:
        >>> scores = torch.tensor([[0.5, 1.0, 2.0, 0.1, 0.2, 0.3, 0.7, 0.6, 0.9]])
        >>> conformal = Conformal(scores, patients=torch.arange(9), coverage=0.9)
        >>> probs = torch.tensor([0.0, 0.5, 1.0, 1.0]).view(1, 4, 1)
        >>> conformal.intervals(torch.cat([1 - probs, probs]))  # 2.5 voxels are expected; the largest score is 2
        [(0.0, 5.0)]
    """

    def __init__(self, scores: Tensor, patients: Tensor, coverage: float = LEVELS["coverage"]) -> None:
        check_share("coverage", coverage)
        if not isinstance(patients, Tensor) or patients.shape != scores.shape[1:]:
            given = type(patients).__name__ if not isinstance(patients, Tensor) else tuple(patients.shape)
            raise ValueError(f"patients is {given}; it must be a number for each of {scores.shape[1]} cases")
        self.coverage = coverage
        self.factors = [conformal_quantile(of_structure, coverage, patients) for of_structure in scores]
        self.cases = scores.shape[1]
        self.patients = len(torch.unique(patients))

    def intervals(self, probs: Tensor) -> list[Interval | None]:
        """The interval of each structure but the background, in voxels; None if there were too few patients.

        Args:
            probs: probabilities of a case on the grid on which volumes are measured, (C, H, W[, D]) or (C, N).

        Raises:
            ValueError: another number of classes, or values that are no probabilities.
        """
        if len(probs) != len(self.factors) + 1:
            raise ValueError(f"probs have {len(probs)} classes; the intervals are for {len(self.factors) + 1}")
        check_in_pieces(probs)
        return [_interval(of_class, factor) for of_class, factor in zip(probs[1:], self.factors, strict=True)]


def expected_and_spread(probs: Tensor) -> tuple[float, float]:
    """The expected volume of a class as `calib_monai.metrics.expected_voxels`, and its spread, both in voxels.

    The spread is one voxel and the sum of p (1 - p) over the voxels that are counted. It is large where many voxels
    may go either way. The guarantee of an interval holds with any spread; the choice changes only the width.

    Args:
        probs: probabilities of the class, of any shape.
    """
    values = probs.detach().to(torch.promote_types(probs.dtype, torch.float32))
    counted = values[values >= PLAUSIBLE].double()
    return expected_voxels(values), 1.0 + float((counted * (1 - counted)).sum())


def _interval(probs: Tensor, factor: float) -> Interval | None:
    """The interval of a class, which does not go below 0."""
    if not isfinite(factor):
        return None
    expected, spread = expected_and_spread(probs)
    return max(0.0, expected - factor * spread), expected + factor * spread
