"""Stored results: what the files of earlier runs must hold, and the one function that reads and checks them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
)
from pydantic import ValidationError as Invalid

from calib_monai.case_names import check_case_name
from calib_monai.whole_files import read_json

MOST_SHOWN = 100  # characters of a place in a file


def _case_name(name: str) -> str:
    """The name of a case; ValueError if a file or a folder cannot have it."""
    check_case_name(name)
    return name


def _different(names: list[str]) -> list[str]:
    """Names of classes; ValueError if two are the same."""
    if len(set(names)) < len(names):
        raise ValueError(f"the classes are {', '.join(names)}; each must have a name of its own")
    return names


Digest = Annotated[str, Field(pattern="^([0-9a-f]{32})?$")]
CaseName = Annotated[str, AfterValidator(_case_name)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]
ClassNames = Annotated[list[str], Field(min_length=2), AfterValidator(_different)]


class Stored(BaseModel):
    """What a file holds. Types are strict, numbers are finite, and what is not named here is passed over."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")


class ModelFile(Stored):
    """A file that was measured, and its time."""

    path: str = ""
    modified: float
    weights: str = ""


class StoredMetric(Stored):
    """A metric over all cases in `summary.json`."""

    value: float | None
    settings: dict[str, Any] = {}
    measure: dict[str, Any] | None = None
    voxels: NonNegativeFloat | None = None
    columns: dict[str, Any] = {}


class Elsewhere(Stored):
    """Other data than those of the training."""

    test_dir: str = ""


class Told(Stored):
    """What results tell of how they were made; what later versions added may be missing."""

    calibrator: str = "none"
    members: list[str] = []
    elsewhere: Elsewhere | None = None
    part: str = "test"
    model: ModelFile | None = None
    calibrator_file: ModelFile | None = None
    disturbance: list[Any] | None = None


class Evaluated(Told):
    """What an export takes from `summary.json` of an evaluation."""

    num_cases: PositiveInt
    metrics: dict[str, StoredMetric]
    model: ModelFile


class Step(Stored):
    """A step of the transform that made the images worse, with its settings."""

    model_config = ConfigDict(extra="allow")

    transform: str


class Summary(Evaluated):
    """`summary.json` of an evaluation."""

    dataset: str
    method: str
    class_names: ClassNames
    calibrator_region: str | None = None
    calibrator_patients: NonNegativeInt | None = Field(
        None, validation_alias=AliasChoices("calibrator_patients", "calibrator_cases")
    )
    disturbance: list[Step] | None = None
    trained_on: str | None = None
    aurc: dict[str, float | None] | None = None
    cautions: list[str] = []
    network: dict[str, Any] = {}


class TopLabelBins(Stored):
    """Bins of the top label of a case, as in `calib_monai.bins.Bins`."""

    count: list[float]
    confidence: list[float]
    correctness: list[float]
    total: float


class ClassBins(Stored):
    """Bins of each class of a case."""

    count: list[list[float]]
    confidence: list[list[float]]
    correctness: list[list[float]]
    total: list[float]


class BinsOfCase(Stored):
    """The bins of a case, and what tells its label from others."""

    top_label: TopLabelBins
    classes: ClassBins
    num_voxels: NonNegativeFloat | None = None
    label: Digest = ""


class StoredBins(Stored):
    """`bins.json` of an evaluation."""

    region: str
    num_bins: PositiveInt
    cases: Annotated[dict[CaseName, BinsOfCase], Field(min_length=1)]


class StoredLogits(Stored):
    """`logits.json` of an evaluation."""

    edges: list[float]
    count: list[list[list[NonNegativeInt]]]
    largest: list[list[NonNegativeInt]] | None = None


class StoredSplit(Stored):
    """`split.json` beside a model."""

    training: list[CaseName]
    validation: list[CaseName]
    test: list[CaseName]
    drawn_with: dict[str, bool | int | float | str] = {}
    left_out: list[CaseName] = []
    images: dict[str, Digest] = {}
    labels: dict[str, Digest] = {}


class TrainingImages(Stored):
    """The range of the training images along each axis."""

    count: NonNegativeInt
    size: list[Range] = []
    spacing: list[Range] = []


class StoredModelJson(Stored):
    """`model.json` beside a model. An earlier version wrote less of it."""

    dataset: str | None = None
    method: str | None = None
    class_names: ClassNames | None = None
    channels: list[str] | None = None
    slice_size: list[PositiveInt] | None = None
    axcodes: str | None = None
    network: dict[str, Any] | None = None
    spatial_dims: Literal[2, 3] | None = None
    training_images: TrainingImages | None = None


class Record(Stored):
    """The record that the workflow writes of a run."""

    options: dict[str, Any]
    seconds: float
    started: str
    versions: dict[str, Any]
    hardware: dict[str, Any]


class ParameterGroup(Stored):
    """The part of an optimizer's state that is read before it is loaded."""

    lr: float


class OptimizerState(Stored):
    """The state of an optimizer."""

    param_groups: list[ParameterGroup]


class TrainerState(Stored):
    """The state of a trainer."""

    iteration: NonNegativeInt
    epoch_length: PositiveInt | None = None
    max_epochs: PositiveInt | None = None


class HistoryState(Stored):
    """The rows of `history.csv`."""

    rows: list[dict[str, Any]]


class SchedulerState(Stored):
    """The state of a scheduler."""

    last_epoch: NonNegativeInt | None = None


class StoredCheckpoint(Stored):
    """The plain parts of a checkpoint of a training."""

    trainer: TrainerState
    history: HistoryState | None = None
    optimizer: OptimizerState | None = None
    lr_scheduler: SchedulerState | None = None


Model = TypeVar("Model", bound=Stored)


def read_stored(path: Path, model: type[Model], mend: str) -> Model:
    """The content of a JSON file that an earlier run wrote.

    Args:
        path: of the file.
        model: what it must hold.
        mend: the end of a message, which says what to do.

    Raises:
        ValueError: the file cannot be read, or holds something else; the message is one line.
    """
    return checked(_read(path, mend), path, model, mend)


def read_whole(path: Path, model: type[Stored], mend: str) -> dict[str, Any]:
    """The checked content of a JSON file, with what its model does not name; otherwise as `read_stored`."""
    content = _read(path, mend)
    checked(content, path, model, mend)
    return dict(content)


def _read(path: Path, mend: str) -> Any:
    """The content of a JSON file; raise ValueError if it is none."""
    try:
        return read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({str(error).removeprefix(f'{path} ')}): {mend}") from None


def checked(content: Any, path: Path, model: type[Model], mend: str) -> Model:
    """Content of a file as its model has it; arguments and errors as those of `read_stored`."""
    try:
        return model.model_validate(content)
    except Invalid as error:
        raise ValueError(f"{path} is damaged ({first_fault(error)}): {mend}") from None


def first_missing(error: Invalid) -> str:
    """The key that is missing, if that is the first fault; else an empty text."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return str(fault["loc"][-1]) if fault["type"] == "missing" else ""


def first_fault(error: Invalid) -> str:
    """The place and the kind of the first fault, in one line."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"])).encode("unicode_escape").decode()[:MOST_SHOWN]
    told = " ".join(fault["msg"].removeprefix("Value error, ").split())
    return f"{place}: {told}" if place else told
