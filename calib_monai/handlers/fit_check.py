"""The check of fit: refuses predictions that would fit the labels far better as other classes, or turned."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import NamedTuple

import torch
from ignite.engine import Engine, Events
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from calib_monai.case_names import case_of
from calib_monai.datalists.elsewhere import OtherData
from calib_monai.handlers.engine_state import add_caution, given_of, ignored_label, items, start_cautions
from calib_monai.metrics.confusion import confusion_matrix
from calib_monai.metrics.inputs import plain
from calib_monai.processes import all_gathered, gathered
from calib_monai.turns import Turn, overlaps

FAR_BETTER = 0.3  # by which a Dice rises; two networks on one data set rarely differ by that
GOOD = 0.5  # a Dice that the other classes or the turned predictions must have
ALIKE = 0.1  # by which it may fall where turned predictions look the same
FIRST = 5  # cases, after which a log line says what all of them would be refused for
OF_SCORE = "--any_fit accepts what is there"
OF_TEST_DIR = 'a JSON file with "folder" and "labels_are_right": true, given as --test_dir, accepts them'

logger = logging.getLogger(__name__)


class CaseFit(NamedTuple):
    """How the foreground of a case fits.

    Attributes:
        case: its name.
        sizes: the voxels of the labeled and of the predicted foreground together.
        shared: the voxels that are of both, for each turn of the prediction; the first turn leaves it as it is.
    """

    case: str
    sizes: float
    shared: dict[Turn, float]


class FitCheck:
    """Stops an evaluator before its results are written if its predictions fit the labels far better otherwise.

    All cases together decide. The order of the classes with the highest mean Dice, background included, is the one of
    the linear sum assignment; the Dice of each class that changes its place is compared. Axes are exchanged or
    reversed in each way that keeps the size of every case, and the Dice of the whole foreground is compared. Cases that
    fit far better turned where the others do not are told in a warning, and in `engine.state.cautions`, which the
    summary and the report repeat. If the first cases would be refused, a warning says so at once: the others may take
    hours. Attach it before what writes results.

    Args:
        class_names: the names of the classes, the background first.
        elsewhere: the data that are measured, where a network predicts. Other data than those of the training are
            judged unless their JSON file says that the labels are right; test cases of the training are not judged.
            None: predictions of another program are judged.
        order: for each class the place of its channel in the files; empty if they are in order.
        background: whether a channel is of the background.
        named: whether the files of the classes say by their names which these are.
        of: what a message begins with, such as which cases these are.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        elsewhere: OtherData | None = None,
        *,
        order: Sequence[int] = (),
        background: bool = True,
        named: bool = False,
        of: str = "",
    ) -> None:
        self.class_names = list(class_names)
        self.elsewhere = elsewhere
        self.order = order
        self.background = background
        self.named = named
        self.of = of
        self.counts = torch.zeros(0)
        self.fits: list[CaseFit] = []

    def attach(self, engine: Engine) -> None:
        """Count during a run of an evaluator, and judge at its end."""
        if self.elsewhere is not None and not self.elsewhere.may_have_other_labels():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.judge)

    def start(self, engine: Engine) -> None:
        """Forget the earlier run."""
        self.counts = torch.zeros(len(self.class_names), len(self.class_names), dtype=torch.float64)
        self.fits = []
        start_cautions(engine)

    def update(self, engine: Engine) -> None:
        """Count the voxels of each labeled and each predicted class in this iteration's cases."""
        for item in items(engine):
            _, labels, ignored = given_of(item, ignored_label(engine))
            label = labels[0, 0]
            predicted = plain(item["pred"])[0].to(label.device)
            of_label, of_prediction = label > 0, predicted > 0
            if ignored is not None:
                counted = ~ignored[0, 0]
                of_label, of_prediction = of_label & counted, of_prediction & counted
                label, predicted = label[counted], predicted[counted]
            pairs = confusion_matrix(label.flatten(), predicted.flatten(), len(self.class_names)).to(self.counts)
            self.counts += pairs
            sizes = (pairs[1:].sum() + pairs[:, 1:].sum()).item()
            self.fits.append(CaseFit(case_of(item), sizes, overlaps(of_label, of_prediction)))
            if len(self.fits) == FIRST:
                self._warn_early()

    def _warn_early(self) -> None:
        """Warn if the cases so far would be refused."""
        try:
            self._check(self.counts, self.fits)
        except ValueError as error:
            logger.warning("of the first %d cases, %s. All cases decide, at the end", len(self.fits), error)

    def judge(self, engine: Engine) -> None:
        """Judge the cases of all processes, and warn of those that are turned alone.

        Raises:
            ValueError: the predictions fit far better turned, or with the classes in another order.
        """
        counts = torch.stack(gathered(self.counts)).sum(dim=0)
        fits = all_gathered(self.fits)
        self._check(counts, fits)
        turned = [(fit.case, turn) for fit in fits if (turn := far_better(dice_of_turns([fit])))]
        if turned:
            (case, turn), of = turned[0], f"{len(turned)} of {len(fits)}"
            add_caution(
                engine, f"{of} case(s) fit their labels far better turned, first {case} with {turn}: look at them"
            )

    def _check(self, counts: Tensor, fits: Sequence[CaseFit]) -> None:
        """Raise ValueError if the cases fit far better turned, or with the classes in another order."""
        dice = dice_of_turns(fits)
        if turn := far_better(dice):
            raise ValueError(f"{self.of}{self._turned(dice, turn)}; {self._accepts}")
        self._check_order(counts, dice)

    @property
    def _accepts(self) -> str:
        """What a person does if the check is wrong."""
        return OF_SCORE if self.elsewhere is None else OF_TEST_DIR

    def _turned(self, dice: Mapping[Turn, float], turn: Turn) -> str:
        """The refusal of predictions that fit better in a turn, and what to do."""
        if self.elsewhere is not None:
            who, advice = f"the labels of {self.elsewhere.test_dir} beside its images", "mend the files"
        elif any(turn.backwards):
            who, advice = "the arrays", "store them as the labels are"
        else:
            who, advice = "the arrays", "give --axes with x, y and z in their true order"
        here = next(iter(dice.values()))
        found = f"the Dice of the whole foreground is {here:.2f}, and with {turn} it is {dice[turn]:.2f}"
        return f"{who} look turned: {found}; {advice}"

    def _check_order(self, counts: Tensor, dice_of_foreground: Mapping[Turn, float]) -> None:
        """Raise ValueError if the Dice of each class that changes its place in another order is far higher there."""
        dice = dice_of_pairs(counts)
        _, best = linear_sum_assignment(dice.numpy(), maximize=True)
        order = torch.as_tensor(best)
        moved = (order != torch.arange(len(order))) & (counts.sum(dim=1) > 0)
        if counts[0].sum() == 0 or not moved.any():  # without a background even a poor network finds what there is
            return
        own, other = dice.diagonal()[moved], dice[torch.arange(len(order)), order][moved]
        here, there = own.mean().item(), other.mean().item()
        if (other - own).min() <= FAR_BETTER or there <= GOOD:
            return
        in_order = order.argsort() if self.elsewhere is None else order
        names, moving = [self.class_names[index] for index in in_order], (in_order != torch.arange(len(order))).tolist()
        as_is, instead = (", ".join(compress(one, moving)) for one in (self.class_names, names))
        who, advice = self._of_other_order(names)
        if looks_alike(dice_of_foreground):
            advice += ", unless the axes run otherwise, which can look the same"
        raise ValueError(
            f"{self.of}{who} look like those of other classes: as {as_is} their mean Dice is {here:.2f}, and as "
            f"{instead} it is {there:.2f}; {advice}; {self._accepts}"
        )

    def _of_other_order(self, names: Sequence[str]) -> tuple[str, str]:
        """What looks like that of other classes, which these names would fit, and what to do."""
        if self.elsewhere is not None:
            return f"the labels of {self.elsewhere.test_dir}", 'correct "labels" in a JSON file'
        if not self.background and names[0] != self.class_names[0]:
            return "the channels", "leave out --foreground if one is of the background"
        if self.named:
            return "the files of the classes", "correct their names"
        of_channels = sorted(range(len(names)), key=lambda index: self.order[index] if self.order else index)
        told = " ".join(names[index] for index in of_channels)
        return "the channels", f"give the names in the order of the channels, --order {told}"


def dice_of_turns(fits: Sequence[CaseFit]) -> dict[Turn, float]:
    """The Dice of the foreground of all cases, for each turn that all of them have."""
    known = Counter(turn for fit in fits for turn in fit.shared)
    total = max(sum(fit.sizes for fit in fits), 1.0)
    turns = [turn for turn, count in known.items() if count == len(fits)]
    return {turn: min(1.0, 2 * sum(fit.shared[turn] for fit in fits) / total) for turn in turns}


def far_better(dice: Mapping[Turn, float]) -> Turn | None:
    """The turn with the highest Dice, if it is good and far above that of the first turn."""
    best = max(dice, key=dice.__getitem__, default=None)
    here = next(iter(dice.values()), 0.0)
    return best if best is not None and dice[best] - here > FAR_BETTER and dice[best] > GOOD else None


def looks_alike(dice: Mapping[Turn, float]) -> bool:
    """Whether the foreground of turned predictions fits about as well as that of the first turn, and well."""
    here, *others = dice.values()
    return max(others, default=0.0) > max(GOOD, here - ALIKE)


def dice_of_pairs(counts: Tensor) -> Tensor:
    """The Dice of each labeled class (row) and each predicted class (column), 0 where neither has a voxel.

    Args:
        counts: the number of voxels of each pair, (C, C).
    """
    sizes = counts.sum(dim=1, keepdim=True) + counts.sum(dim=0, keepdim=True)
    return 2 * counts / sizes.clamp(min=1)
