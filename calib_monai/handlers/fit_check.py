"""The check of fit: refuses predictions that would fit the labels far better as other classes, or turned."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from calib_monai.case_names import case_of
from calib_monai.datalists.elsewhere import OtherData
from calib_monai.handlers.class_orders import FAR_BETTER, GOOD, order_of, order_of_case
from calib_monai.handlers.common_ways import common_way
from calib_monai.handlers.engine_state import add_caution, given_of, ignored_label, items, start_cautions
from calib_monai.metrics.confusion import confusion_matrix
from calib_monai.metrics.inputs import plain
from calib_monai.other_ways import Way, WaysInOrder
from calib_monai.processes import all_gathered
from calib_monai.turns import Turn, overlaps, places_of

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
        counts: the voxels of each pair of a labeled and a predicted class, (C, C), float64.
        ways: its Dice in other ways, as `WaysInOrder` gives it.
    """

    case: str
    sizes: float
    shared: dict[Turn, float]
    counts: Tensor
    ways: dict[Way, float]


class FitCheck:
    """Stops an evaluator before its results are written if its predictions fit the labels far better otherwise.

    All cases together decide. The order of the classes with the highest mean Dice, background included, is the one of
    the linear sum assignment; the Dice of each class that changes its place is compared. Axes are exchanged or
    reversed in each way that keeps the size of every case, and the Dice of the whole foreground is compared. Cases that
    fit far better turned, or with classes exchanged, where the others do not are told in a warning, and in
    `engine.state.cautions`, which the summary and the report repeat. So are classes that no label shows. Another
    caution names one other way in which nearly all cases fit better, if only by a little: turned, moved by a voxel or
    two, or beside the labels of the next or previous cases. If the first cases would be refused, a warning says so at
    once: the others may take hours. Attach it before what writes results.

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
        self.fits: list[CaseFit] = []
        self.ways = WaysInOrder()

    def attach(self, engine: Engine) -> None:
        """Count during a run of an evaluator, and judge at its end."""
        if self.elsewhere is not None and not self.elsewhere.may_have_other_labels():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.judge)

    def start(self, engine: Engine) -> None:
        """Forget the earlier run."""
        self.fits, self.ways = [], WaysInOrder()
        start_cautions(engine)

    def update(self, engine: Engine) -> None:
        """Count the voxels of each labeled and each predicted class in this iteration's cases."""
        for item in items(engine):
            _, labels, ignored = given_of(item, ignored_label(engine))
            label = labels[0, 0]
            predicted = plain(item["pred"])[0].to(label.device)
            counted = None if ignored is None else ~ignored[0, 0]
            pairs = confusion_matrix(*_counted(label, predicted, counted), len(self.class_names)).cpu().double()
            sizes = (pairs[1:].sum() + pairs[:, 1:].sum()).item()
            if counted is not None:
                label, predicted = label * counted, predicted * counted
            of_label = label > 0
            places = places_of(of_label)
            shared, ways = overlaps(of_label, predicted > 0, places), self.ways.dice_of(label, predicted, places)
            self.fits.append(CaseFit(case_of(item), sizes, shared, pairs, ways))
            if len(self.fits) == FIRST:
                self._warn_early()

    def _warn_early(self) -> None:
        """Warn if the cases so far would be refused."""
        try:
            self._check(self.fits)
        except ValueError as error:
            logger.warning("of the first %d cases, %s. All cases decide, at the end", len(self.fits), error)

    def judge(self, engine: Engine) -> None:
        """Judge the cases of all processes, and warn of those that are turned, or have classes exchanged, alone.

        Raises:
            ValueError: the predictions fit far better turned, or with the classes in another order.
        """
        fits = all_gathered(self.fits)
        if not fits:
            return
        self._check(fits)
        if unseen := self._unseen(fits):
            add_caution(
                engine,
                f"{self.of}no label shows {', '.join(unseen)}: nothing tests these probabilities, and CECE, the mean "
                "over all classes, may be too good",
            )
        common = common_way([fit.ways for fit in fits])
        if common:
            add_caution(engine, f"{self.of}{common}")
        turns = [far_better(dice_of_turns([fit])) for fit in fits]
        turned = [
            (fit.case, turn)
            for fit, turn in zip(fits, turns, strict=True)
            if turn and not (common and turn == common.way)
        ]
        if turned:
            (case, turn), of = turned[0], f"{len(turned)} of {len(fits)}"
            add_caution(
                engine, f"{of} case(s) fit their labels far better turned, first {case} with {turn}: look at them"
            )
        others = [fit for fit, turn in zip(fits, turns, strict=True) if not turn]
        exchanged = [(fit.case, order) for fit in others if (order := order_of_case(fit.counts))]
        if exchanged:
            (case, order), of = exchanged[0], f"{len(exchanged)} of {len(fits)}"
            as_is, instead = self._exchanged(order.best)
            add_caution(
                engine,
                f"{of} case(s) fit their labels far better with classes exchanged, first {case} with {as_is} as "
                f"{instead}: look at them",
            )

    def _unseen(self, fits: Sequence[CaseFit]) -> list[str]:
        """The names of the classes that no label of the cases shows."""
        voxels = _counts_of_all(fits).sum(dim=1)
        return [name for name, count in zip(self.class_names, voxels.tolist(), strict=True) if not count]

    def _check(self, fits: Sequence[CaseFit]) -> None:
        """Raise ValueError if the cases fit far better turned, or with the classes in another order."""
        dice = dice_of_turns(fits)
        if turn := far_better(dice):
            raise ValueError(f"{self.of}{self._turned(dice, turn)}; {self._accepts}")
        self._check_order(_counts_of_all(fits), dice)

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
        order = order_of(counts)
        if order is None or not order.is_far_better:
            return
        here, there = order.own.mean().item(), order.other.mean().item()
        as_is, instead = self._exchanged(order.best)
        names = [self.class_names[index] for index in self._in_order(order.best)]
        who, advice = self._of_other_order(names)
        if looks_alike(dice_of_foreground):
            advice += ", unless the axes run otherwise, which can look the same"
        raise ValueError(
            f"{self.of}{who} look like those of other classes: as {as_is} their mean Dice is {here:.2f}, and as "
            f"{instead} it is {there:.2f}; {advice}; {self._accepts}"
        )

    def _in_order(self, best: Tensor) -> Tensor:
        """The place of each class in an order: of the channels, or of the labels of other data."""
        return best.argsort() if self.elsewhere is None else best

    def _exchanged(self, best: Tensor) -> tuple[str, str]:
        """The names of the classes that change their places in an order, and those that take these, in words."""
        in_order = self._in_order(best).tolist()
        moving = [(own, self.class_names[index]) for own, index in zip(self.class_names, in_order, strict=True)]
        as_is, instead = zip(*((own, name) for own, name in moving if own != name), strict=True)
        return ", ".join(as_is), ", ".join(instead)

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


def _counted(label: Tensor, predicted: Tensor, counted: Tensor | None) -> tuple[Tensor, Tensor]:
    """The voxels of two maps that count, (N,) each; all if `counted` is None."""
    if counted is None:
        return label.flatten(), predicted.flatten()
    return label[counted], predicted[counted]


def _counts_of_all(fits: Sequence[CaseFit]) -> Tensor:
    """The `counts` of all cases together, (C, C)."""
    return torch.stack([fit.counts for fit in fits]).sum(dim=0)


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
