"""The check of fit: refuses predictions that would fit the labels far better as other classes, or turned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from ignite.engine import Engine, Events
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from calib_monai.datalists.elsewhere import OtherData
from calib_monai.handlers.readings import given_of, ignored_label, items
from calib_monai.metrics.inputs import plain
from calib_monai.processes import gathered
from calib_monai.turns import Turn, overlaps

FAR_BETTER = 0.3  # by which a Dice rises; two networks on one data set rarely differ by that
GOOD = 0.5  # a Dice that the other classes or the turned predictions must have
OF_TEST_DIR = '"labels_are_right": true in the JSON file of test_dir accepts them'


class FitCheck:
    """Stops an evaluator before its results are written if its predictions fit the labels far better otherwise.

    All cases together decide. The order of the classes with the highest mean Dice, background included, is the one of
    the linear sum assignment. Axes are exchanged or reversed in each way that keeps the size of every case, and the
    Dice of the whole foreground is compared. Attach it before what writes results.

    Args:
        class_names: the names of the classes, the background first.
        elsewhere: the data that are measured, where a network predicts. Other data than those of the training are
            judged unless their JSON file says that the labels are right; test cases of the training are not judged.
            None: predictions of another program are judged.
        order: whether the order of the classes is judged.
        axes: whether the axes are judged.
        background: whether a channel is of the background.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        elsewhere: OtherData | None = None,
        *,
        order: bool = True,
        axes: bool = True,
        background: bool = True,
    ) -> None:
        self.class_names = list(class_names)
        self.elsewhere = elsewhere
        self.order = order
        self.axes = axes
        self.background = background
        self.counts = torch.zeros(0)
        self.shared: list[dict[Turn, float]] = []

    def attach(self, engine: Engine) -> None:
        """Count during a run of an evaluator, and judge at its end."""
        if self.elsewhere is not None and not self.elsewhere.may_have_other_labels():
            return
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.judge)

    def start(self, _engine: Engine) -> None:
        """Forget the earlier run."""
        self.counts = torch.zeros(len(self.class_names), len(self.class_names), dtype=torch.float64)
        self.shared = []

    def update(self, engine: Engine) -> None:
        """Count the voxels of each labeled and each predicted class in this iteration's cases."""
        for item in items(engine):
            _, labels, ignored = given_of(item, ignored_label(engine))
            label = labels[0, 0]
            predicted = plain(item["pred"])[0].to(label.device)
            counted = torch.ones_like(label, dtype=torch.bool) if ignored is None else ~ignored[0, 0]
            for one, other, here in zip(label, predicted, counted, strict=True):  # slice by slice, to save memory
                self.counts += _pairs(one[here], other[here], len(self.class_names))
            if self.axes:
                self.shared.append(overlaps((label > 0) & counted, (predicted > 0) & counted))

    def judge(self, _engine: Engine) -> None:
        """Raise ValueError if the predictions fit far better turned, or with the classes in another order."""
        counts = torch.stack(gathered(self.counts)).sum(dim=0)
        if self.axes:
            self._judge_turns([case for of_process in gathered(self.shared) for case in of_process], counts)
        if self.order:
            self._judge_order(counts)

    def _judge_turns(self, cases: Sequence[dict[Turn, float]], counts: Tensor) -> None:
        """Raise ValueError if another turn of all cases has a far higher Dice of the foreground.

        Args:
            cases: the overlaps of each case.
            counts: as in `dice_of_pairs`.
        """
        total = counts[1:].sum().item() + counts[:, 1:].sum().item()
        known = Counter(turn for case in cases for turn in case)
        dice = {
            turn: 2 * sum(case[turn] for case in cases) / max(total, 1)
            for turn, count in known.items()
            if count == len(cases)
        }
        here, best = next(iter(dice.values())), max(dice, key=dice.__getitem__)
        if dice[best] - here > FAR_BETTER and dice[best] > GOOD:
            who, advice = (
                ("the arrays", "say with --axes which axes they have, which are then not doubted, or store them turned")
                if self.elsewhere is None
                else (f"the labels of {self.elsewhere.test_dir} beside its images", f"mend the files; {OF_TEST_DIR}")
            )
            raise ValueError(
                f"{who} look turned: the Dice of the whole foreground is {here:.2f}, and with {best} it is "
                f"{dice[best]:.2f}; {advice}"
            )

    def _judge_order(self, counts: Tensor) -> None:
        """Raise ValueError if another order of the classes has a far higher mean Dice."""
        dice, shown = dice_of_pairs(counts), counts.sum(dim=1) > 0
        _, best = linear_sum_assignment(dice.numpy(), maximize=True)
        here, there = dice.diagonal()[shown].mean().item(), dice[torch.arange(len(dice)), best][shown].mean().item()
        if there - here > FAR_BETTER and there > GOOD:
            if self.elsewhere is None:
                order = [self.class_names[index] for index in torch.as_tensor(best).argsort()]
                who = "the channels"
                advice = (
                    "no channel may be of the background with --foreground"
                    if not self.background and order[0] != self.class_names[0]
                    else f"give the names in the order of the channels, --order {' '.join(order)}, or the order that "
                    "you have, which is then not doubted"
                )
            else:
                order = [self.class_names[index] for index in best]
                who, advice = f"the labels of {self.elsewhere.test_dir}", f'correct "labels" there; {OF_TEST_DIR}'
            raise ValueError(
                f"{who} look like those of other classes: as {', '.join(self.class_names)} their mean Dice is "
                f"{here:.2f}, and as {', '.join(order)} it is {there:.2f}; {advice}"
            )


def _pairs(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """The number of voxels of each labeled (row) and each predicted class (column), (C, C)."""
    return (labels.int() * classes + predicted.int()).bincount(minlength=classes**2).view(classes, classes).cpu()


def dice_of_pairs(counts: Tensor) -> Tensor:
    """The Dice of each labeled class (row) and each predicted class (column), 0 where neither has a voxel.

    Args:
        counts: the number of voxels of each pair, (C, C).
    """
    sizes = counts.sum(dim=1, keepdim=True) + counts.sum(dim=0, keepdim=True)
    return 2 * counts / sizes.clamp(min=1)
