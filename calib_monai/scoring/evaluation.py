"""An evaluation of saved probabilities: MONAI's evaluator, the handlers of `evaluate.json`, a network that reads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import Dataset, MetaTensor
from monai.inferers import SimpleInferer
from monai.transforms import Compose, MapTransform, Transform
from torch import Tensor, nn

from calib_monai import handlers
from calib_monai.engines import VolumeEvaluator
from calib_monai.handlers.copy_check import Look
from calib_monai.handlers.known_cautions import KnownCautions
from calib_monai.labels import most_probable
from calib_monai.loading import LoadCased
from calib_monai.metrics.inputs import plain
from calib_monai.posthoc.files import Calibrator
from calib_monai.refusals import refusal_of
from calib_monai.scoring.label_and_image import LabelAndImaged
from calib_monai.scoring.logarithms import warn_of_clipped
from calib_monai.scoring.probs import FoundProbs, Reading, read
from calib_monai.scoring.values import accept_soft, least_stored, softmax_in_place
from calib_monai.transforms import LeaveOutd

OF_LIKELIHOOD = "nll_all"
METRICS = (
    *(OF_LIKELIHOOD, "brier_all", "ece_plausible", "cece_plausible", "ece_plausible_pooled", "ece_plausible_debiased"),
    *("ece_foreground", "cece_foreground", "tace_foreground", "ece_union", "cece_union"),
)  # as in evaluate.json
HALF = 0.5  # what a network that finds a structure gives it in some voxel
LEAST_PROB = 1e-7  # probability whose logarithm is taken for one below: a half-precision softmax gives 0


@dataclass(frozen=True)
class Scoring:
    """What is scored, and how.

    Attributes:
        cases: what was found of each case, by its name.
        class_names: of all classes.
        reading: how files are read.
        ignore_index: label of voxels that do not count, or None.
        dataset: the name of the data set.
        method: the name of what gave the probabilities.
        with_logits: whether the network hands on logits, which a calibrator takes.
        any_fit: whether predictions may fit the labels far better turned or as other classes.
        patients: the patient of each case; empty if nobody says it.
        cautions: what must be known before the numbers are believed.
    """

    cases: Mapping[str, FoundProbs]
    class_names: Sequence[str]
    reading: Reading
    ignore_index: int | None
    dataset: str
    method: str
    with_logits: bool = False
    any_fit: bool = False
    patients: Mapping[str, str] = field(default_factory=dict)
    cautions: Sequence[str] = ()

    @property
    def hands_on_logits(self) -> bool:
        """Whether logits are handed on, and no probabilities."""
        return self.with_logits or self.reading.logits


def evaluator_of(scoring: Scoring, val_handlers: Sequence[Any], **options: Any) -> VolumeEvaluator:
    """MONAI's evaluator of the cases, in order.

    Args:
        scoring: what is scored.
        val_handlers: its handlers, before which the ignored label is told.
        options: further arguments of the evaluator, such as metrics.
    """
    before, after = [handlers.IgnoredLabel(scoring.ignore_index), handlers.ProgressBar()], [handlers.LetGo()]
    checked = LabelAndImaged(len(scoring.cases), len(scoring.class_names), scoring.ignore_index, scoring.reading)
    preparation = Compose([LoadCased(("image", "label"), allow_missing_keys=True), checked])
    data = [
        {
            "case": case,
            "label": found.pair.label,
            **({"image": list(found.pair.images)} if found.pair.images else {}),
            **({"patient": scoring.patients[case]} if scoring.patients else {}),
        }
        for case, found in scoring.cases.items()
    ]
    return VolumeEvaluator(
        dataset=Dataset(data, preparation),
        device=torch.device("cpu"),
        network=SavedOutputs(scoring),
        prepare_batch=_with_case,
        inferer=SimpleInferer(),
        val_handlers=[*before, *val_handlers, *after],
        **options,
    )


def evaluate(
    scoring: Scoring,
    output_dir: Path,
    about: Path,
    calibrator: Calibrator | None = None,
    kind: str = "none",
    writing: Sequence[Transform] = (),
    *,
    fitted_to: Mapping[bytes, Sequence[Look]] | None = None,
    figures: bool = True,
) -> None:
    """Measure the cases as an evaluation of a bundle does, and write the same files in the place of earlier ones.

    Args:
        scoring: what is scored.
        output_dir: the folder of the results.
        about: a file beside the calibrator, which the results name in the place of a model.
        calibrator: of the logits, or None.
        kind: "none", or that of the calibrator.
        writing: what is done with each case and its "prob".
        fitted_to: the cases that a calibrator was fitted to, of which none may be measured, by their digest.
        figures: whether the report is drawn.

    Raises:
        ValueError: the cases cannot be measured; the message is one line.
    """
    folder = str(output_dir)
    least = least_of(scoring)
    options = {name: {"least": least} if name == OF_LIKELIHOOD and least else {} for name in METRICS}
    key_metric = {"dice_foreground": handlers.Dice()}
    additional_metrics = {
        "hd95_mm": handlers.HD95(),
        "asd_mm": handlers.ASD(),
        "volume_difference": handlers.VolumeDifference(),
        "missed_structures": handlers.MissedStructures(),
        "expected_dice": handlers.ExpectedDice(),
        "calibration": handlers.MetricCollectionHandler(options),
    }
    results = handlers.ResultsSaver(
        folder,
        scoring.class_names,
        scoring.dataset,
        scoring.method,
        str(about),
        calibrator=kind,
        metrics=[key_metric, additional_metrics],
        disturbance=Compose([]),
        overwrite=True,
    )
    val_handlers = [
        *([handlers.CalibratedLogits(calibrator)] if calibrator is not None else []),
        *fit_checks(scoring),
        *([handlers.CopyCheck(fitted_to)] if calibrator is None else []),  # one look is enough
        *([KnownCautions(scoring.cautions)] if calibrator is None else []),
        handlers.BinsSaver(folder),
        *([handlers.LogitsSaver(folder)] if scoring.reading.logits else []),
        handlers.SliceSaver(folder),
        results,
        *([handlers.FiguresSaver(folder)] if figures else []),
    ]
    measured = {"key_val_metric": key_metric, "additional_metrics": additional_metrics}
    run(evaluator_of(scoring, val_handlers, postprocessing=postprocessing_of(scoring, writing), **measured))


def least_of(scoring: Scoring) -> float | None:
    """What the likelihood counts a probability of 0 as, if probabilities are stored in coarser steps than float32.

    None where logits are handed on: they are of probabilities of at least `LEAST_PROB`.
    """
    stored = [one for found in scoring.cases.values() for one in found.stored]
    if scoring.hands_on_logits or not any(one.is_coarse for one in stored):
        return None
    return least_stored(stored, foreground=scoring.reading.foreground)


def fit_checks(scoring: Scoring, of: str = "") -> list[handlers.FitCheck]:
    """The check that the cases fit their labels; none where `any_fit` accepts what is there.

    Args:
        scoring: what is scored.
        of: what its message begins with.
    """
    order, background = scoring.reading.order, not scoring.reading.foreground
    named = any(found.pair.named for found in scoring.cases.values())
    check = handlers.FitCheck(scoring.class_names, order=order, background=background, named=named, of=of)
    return [] if scoring.any_fit else [check]


def postprocessing_of(scoring: Scoring, writing: Sequence[Transform] = ()) -> Compose:
    """Makes "prob" and "pred" of a case, as the metrics take them.

    Args:
        scoring: what is scored.
        writing: what is done with each case and its "prob", of which nothing is left out yet.
    """
    return Compose([Probsd(scoring), *writing, LeaveOutd(ignore_index=scoring.ignore_index)])


def run(evaluator: VolumeEvaluator) -> None:
    """Run an evaluator; raise the ValueError of a refusal, and not the error that MONAI makes of it."""
    try:
        evaluator.run()
    except RuntimeError as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        raise refusal from None


class SavedOutputs(nn.Module):
    """A network whose output lies on disk: it hands on what another program has predicted.

    Args:
        scoring: says where.
    """

    def __init__(self, scoring: Scoring) -> None:
        super().__init__()
        self.scoring = scoring
        self.told = False  # that logits look clipped
        self.unsure: set[str] = set()  # cases whose whole numbers give the foreground less than half everywhere

    def forward(self, image: Tensor, case: str, label: Tensor) -> Tensor:  # noqa: ARG002 - as networks
        """Probabilities or logits of a case, (1, C, X, Y, Z), float32.

        Args:
            image: not used.
            case: its name.
            label: of the case, (1, 1, X, Y, Z), which says where its voxels lie.
        """
        given: Any = label[0]
        values = read(self.scoring.cases[case], given, self.scoring.reading)
        if not (self.scoring.reading.logits or self.scoring.any_fit):
            self._check_scale(case, values)
        if self.scoring.reading.logits and not self.told:
            self.told = warn_of_clipped(self.scoring.cases[case].pair.probs[0], values)
        if self.scoring.with_logits and not self.scoring.reading.logits:
            for channel in values:
                channel.clamp_(min=LEAST_PROB).log_()
        return MetaTensor(values, affine=given.affine)[None]

    def _check_scale(self, case: str, values: Tensor) -> None:
        """Raise ValueError if whole numbers of the foreground alone, up to this case the last, stay below half.

        They may be in percent, or up to another number than their type has.
        """
        stored = self.scoring.cases[case].stored[0]
        if not (self.scoring.reading.foreground and stored.is_whole) or values[0].min() < HALF:
            return
        self.unsure.add(case)
        if len(self.unsure) == len(self.scoring.cases):
            raise ValueError(
                f"no case has a voxel whose structures have half of {np.iinfo(stored.dtype).max} or more, first "
                f"{self.scoring.cases[min(self.unsure)].stored[0].file}: if another number stands for 1, write numbers "
                "from 0 to 1; --any_fit accepts what is there"
            )


class Probsd(MapTransform):
    """Makes "prob" (probabilities) and "pred" (the label) of what the network handed on, as `ProbsAndLabeld` does.

    Args:
        scoring: says whether it handed on logits.
    """

    def __init__(self, scoring: Scoring) -> None:
        super().__init__("pred")
        self.scoring = scoring

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The case with "prob", (C, X, Y, Z), and "pred", (1, X, Y, Z), uint8; logits are overwritten."""
        told = dict(data)
        given, calibrated = told.pop("pred"), told.pop("calibrated_logits", None)
        label = torch.empty_like(plain(given)[:1], dtype=torch.uint8)
        for values, place in zip(plain(given).unbind(1), label[0], strict=True):  # as `MostProbabled`, in less memory
            place.copy_(most_probable(values)[0])
        told["pred"] = MetaTensor(label, affine=given.affine)
        told["prob"] = given if calibrated is None else calibrated
        if self.scoring.hands_on_logits:
            softmax_in_place(plain(told["prob"]))
        if self.scoring.reading.logits:
            accept_soft(self.scoring.cases[str(told["case"])].pair.probs[0], plain(told["prob"]))
        return told


def _with_case(batch: Mapping[str, Any], *_options: Any, **_others: Any) -> tuple[Any, ...]:
    """Image, label, and what else the network takes."""
    [case] = batch["case"]
    return batch["image"], batch["label"], (case, batch["label"]), {}
