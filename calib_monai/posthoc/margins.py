"""Masks with a guarantee: margins that miss at most a chosen share of each structure on average, by risk control."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import torch
from torch import Tensor

from calib_monai.arguments import check_share
from calib_monai.conformal import LEVELS, exact, fewest_for_miss_rate
from calib_monai.metrics.inputs import check_in_pieces, checked_cases

EVERYTHING = 0.0  # the threshold that every voxel reaches
LOGITS = torch.linspace(-14, 14, 561, dtype=torch.float64)  # from one to the next the odds rise by 5 %
THRESHOLDS = torch.cat([torch.tensor([EVERYTHING]), LOGITS.sigmoid().float()])


class MarginFit:
    """Collects from validation cases which share of each structure a threshold misses, from which `Margins` follow.

    A case counts for a structure if its label has it. Only counts of voxels between two of `THRESHOLDS` are taken from
    a case, and only their sums over the cases of a patient are kept.
    """

    def __init__(self) -> None:
        self.of_patients: dict[Hashable, tuple[Tensor, Tensor]] = {}  # sums of missed shares, and counts of cases

    def add(
        self, probs: Tensor, labels: Tensor, ignored: Tensor | None = None, patients: Sequence[Hashable] = ()
    ) -> None:
        """Add cases, on the grid on which masks are written; arguments and errors as in `ConformalFit.add`."""
        for patient, voxels, of_case in checked_cases(probs, labels, ignored, patients):
            classes = next((len(cases) + 1 for _, cases in self.of_patients.values()), len(voxels))
            if classes != len(voxels):
                raise ValueError(f"probs have {len(voxels)} classes, and those before had {classes}")
            shares = [missed_shares(of_class[of_case == k]) for k, of_class in enumerate(voxels) if k > 0]
            rows = torch.stack(shares).cpu()
            known = ~rows.isnan().any(dim=1)
            missed, cases = self.of_patients.get(patient, (torch.zeros_like(rows), torch.zeros_like(known).long()))
            self.of_patients[patient] = (missed + rows.nan_to_num(), cases + known)

    def missed(self) -> Tensor:
        """The sum over patients of the mean share that their cases miss at each of `THRESHOLDS`, (C - 1, thresholds).

        Raises:
            ValueError: there was no case.
        """
        first, *rest = [missed / cases[:, None].clamp(min=1) for missed, cases in self._found()]
        return sum(rest, first)  # one after the other, so that the sum does not fall from one threshold to the next

    def counts(self) -> Tensor:
        """The number of patients with each structure, (C - 1,), int64.

        Raises:
            ValueError: there was no case.
        """
        return torch.stack([cases > 0 for _, cases in self._found()]).sum(dim=0)

    def _found(self) -> list[tuple[Tensor, Tensor]]:
        """What was found of each patient; raise ValueError if there was none."""
        if not self.of_patients:
            raise ValueError("there were 0 cases; margins need the shares that some miss")
        return [*self.of_patients.values()]


class Margins:
    """The smallest masks of the form {p >= threshold} that miss at most `miss_rate` of each structure on average.

    Conformal risk control (Angelopoulos et al. 2022, arXiv:2208.02814, Theorem 1) of the false negative rate, the
    share of a structure's voxels outside of its mask. The share of a patient is the mean over its cases. With the mean
    R over n validation patients, the threshold is the largest with n / (n + 1) R + 1 / (n + 1) <= `miss_rate`. Over
    such patients and a new one that is exchangeable with them, the share of the new one is then at most `miss_rate` on
    average. This is so for each structure by itself, under the condition that `Conformal` names. Cases whose label does
    not have the structure do not count. The margins of several structures may overlap.

    Args:
        missed: from `MarginFit.missed`, (C - 1, thresholds).
        counts: from `MarginFit.counts`, (C - 1,).
        miss_rate: the share that is missed on average, above 0 and below 1.

    Attributes:
        counts: the number of patients with each structure.
        thresholds: of each structure; `EVERYTHING` where fewer than `fewest_for_miss_rate` patients have it.
        promised: for each structure, whether there are enough patients.

    Raises:
        ValueError: another `miss_rate`.
    """

    def __init__(self, missed: Tensor, counts: Tensor, miss_rate: float = LEVELS["miss_rate"]) -> None:
        check_share("miss_rate", miss_rate)
        self.miss_rate = miss_rate
        self.counts = [int(count) for count in counts]
        self.promised = [count >= fewest_for_miss_rate(miss_rate) for count in self.counts]
        self.thresholds = [
            float(THRESHOLDS[_place(of_structure, count, miss_rate)]) if enough else EVERYTHING
            for of_structure, count, enough in zip(missed, self.counts, self.promised, strict=True)
        ]

    def masks(self, probs: Tensor) -> Tensor:
        """The mask of each structure but the background, (C - 1, ...), bool.

        Args:
            probs: probabilities of a case on the grid on which masks are written, (C, H, W[, D]) or (C, N).

        Raises:
            ValueError: another number of classes, or values that are no probabilities.
        """
        return torch.stack(list(self._each(probs)))

    def sizes(self, probs: Tensor) -> list[int | None]:
        """The number of voxels in each mask, None where nothing is promised; arguments as in `masks`."""
        counts = (int(mask.sum()) for mask in self._each(probs))  # one mask at a time
        return [count if promised else None for count, promised in zip(counts, self.promised, strict=True)]

    def _each(self, probs: Tensor) -> Iterator[Tensor]:
        """One mask of `masks` after the other."""
        if len(probs) != len(self.thresholds) + 1:
            raise ValueError(f"probs have {len(probs)} classes; the margins are for {len(self.thresholds) + 1}")
        check_in_pieces(probs)
        # In float32, as the fit counts: a probability that rounds to a threshold reaches it.
        yield from (of_class.float() >= limit for of_class, limit in zip(probs[1:], self.thresholds, strict=True))


def missed_shares(inside: Tensor) -> Tensor:
    """The share of a structure's voxels below each of `THRESHOLDS`, (thresholds,), float64; NaN without voxels.

    Args:
        inside: probabilities of the structure in the voxels of its label, (N,).
    """
    limits = THRESHOLDS.to(inside.device)
    reached = torch.bucketize(inside.float(), limits, right=True)  # so many thresholds are not above the probability
    below = reached.bincount(minlength=len(limits) + 1).cumsum(dim=0)[: len(limits)]
    return below.double() / len(inside)


def _place(missed: Tensor, patients: int, miss_rate: float) -> int:
    """The place of the largest threshold whose bound is at most `miss_rate`; there the sum is at most what is allowed.

    n / (n + 1) R + 1 / (n + 1) <= rate is sum + 1 <= (n + 1) rate, where the sum over patients is n R.
    """
    allowed = float((patients + 1) * exact(miss_rate) - 1)
    return int((missed <= allowed).sum()) - 1  # the shares do not fall from one threshold to the next
