"""Calibrators on disk: written beside the model that they were fitted to, and read only with this model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from calib_monai.posthoc.control import ForegroundShift
from calib_monai.posthoc.local_temperature_scaling import LocalTemperatureScaling
from calib_monai.posthoc.scaling import HIGHEST, LOWEST
from calib_monai.posthoc.temperature_scaling import TemperatureScaling
from calib_monai.spelling import did_you_mean
from calib_monai.whole_files import whole_file

Calibrator = TemperatureScaling | LocalTemperatureScaling
CalibratorOrShift = Calibrator | ForegroundShift  # what an evaluation takes
Folders = str | Sequence[str]  # of a model, or of the members of an ensemble

KINDS = ("ts", "lts")
NONE = "none"  # the temperature 1
CONTROL = "control"  # `ForegroundShift`, for evaluations alone
MODEL = "model.pt"
ROUNDING = 1e-4  # of a temperature from its logarithm, relative, with room


def check_kind(kind: str, *, or_none: bool = False) -> None:
    """Raise ValueError if a calibrator is not known, or is the control; the message suggests the nearest.

    Args:
        kind: "ts" or "lts".
        or_none: whether "none" is allowed, too.
    """
    if kind == CONTROL:
        raise ValueError(
            "calibrator is control, which only an evaluation takes: it lowers the papers' ECE and makes probabilities "
            f"worse (docs/measures.md); for use give {', '.join([NONE, *KINDS])}"
        )
    known = [NONE, *KINDS] if or_none else KINDS
    if kind not in known:
        near = did_you_mean(str(kind).lower(), known)
        raise ValueError(f"calibrator is {kind}; it must be {', '.join(known[:-1])} or {known[-1]}{near}")


def new_calibrator(kind: str, num_classes: int, in_channels: int, spatial_dims: int = 2) -> Calibrator:
    """A calibrator whose temperature is 1.

    Args:
        kind: "ts" or "lts".
        num_classes: of the network.
        in_channels: of the image.
        spatial_dims: 2 for images, and for volumes by their slices along the last axis; 3 for volumes as a whole.

    Raises:
        ValueError: as `check_kind`.
    """
    check_kind(kind)
    return TemperatureScaling() if kind == "ts" else LocalTemperatureScaling(num_classes, in_channels, spatial_dims)


class FittedTo(NamedTuple):
    """What a calibrator was fitted to: the voxels, "" if not known, and the number of patients, None if not known."""

    region: str = ""
    patients: int | None = None


def save_calibrator(
    calibrator: CalibratorOrShift,
    kind: str,
    ckpt_dir: Folders,
    region: str = "all",
    model: str = MODEL,
    patients: int | None = None,
) -> Path:
    """Write a calibrator beside its model, whole or not at all.

    Args:
        calibrator: of this kind.
        kind: "ts", "lts" or "control".
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        region: the voxels that it was fitted to, as results name it.
        model: name of the file there that it was fitted to.
        patients: the number of patients that it was fitted to, or None; a case whose patient is not known is one.

    Returns:
        The file.
    """
    path = calibrator_path(kind, ckpt_dir)
    about = {"model": digest_of_files(model_files(ckpt_dir, model)), "region": region}
    about |= {} if patients is None else {"patients": str(patients)}
    with whole_file(path) as file:
        file.write(safetensors.torch.save(calibrator.state_dict(), about))
    return path


def load_measured(kind: str, ckpt_dir: Folders) -> CalibratorOrShift:
    """What an evaluation takes: a calibrator as `load_calibrator` gives it, or the control of the model.

    Raises:
        ValueError: as `load_calibrator`.
    """
    if kind != CONTROL:
        return load_calibrator(kind, ckpt_dir)
    path, control = calibrator_path(kind, ckpt_dir), ForegroundShift()
    weights = _fitted_weights(path, model_files(ckpt_dir), how_to_fit(kind))
    if weights.keys() != {"shift"} or weights["shift"].ndim or not weights["shift"].isfinite():
        raise ValueError(f"{path} holds no constant: {how_to_fit(kind)}")
    control.load_state_dict(weights)
    return control


def load_calibrator(
    kind: str, ckpt_dir: Folders, num_classes: int | None = None, in_channels: int | None = None
) -> Calibrator:
    """The calibrator that `save_calibrator` wrote, on the CPU; of "none" one whose temperature is 1.

    Args:
        kind: "none", "ts" or "lts".
        ckpt_dir: folder of the model, or those of the members of an ensemble.
        num_classes: of the network; by default as the file says.
        in_channels: of the image; by default as the file says.

    Raises:
        ValueError: with one line that names the file, where the model or the calibrator is missing or damaged, or where
            the calibrator was fitted to another model, or for another number of classes or channels, or holds a
            temperature that no fit gives.
    """
    check_kind(kind, or_none=True)
    if kind == NONE:
        return TemperatureScaling()
    path = calibrator_path(kind, ckpt_dir)
    weights = _fitted_weights(path, model_files(ckpt_dir), how_to_fit(kind))
    in_file = [_inputs_of(weights, part) for part in ("of_logits", "of_image")]
    classes, channels = num_classes or in_file[0], in_channels or in_file[1]
    try:
        calibrator = new_calibrator(kind, classes, channels, _spatial_dims(weights))
        calibrator.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError, ValueError):
        of_kind = kind == "lts" and all(in_file)  # a temperature of ts knows no classes
        wrong = (
            f"was not fitted for {classes} classes and {channels} channel(s)"
            if of_kind
            else f"holds no calibrator {kind}"
        )
        raise ValueError(f"{path} {wrong}: {how_to_fit(kind)}") from None
    _check_temperatures(path, calibrator, how_to_fit(kind))
    return calibrator.eval()


def load_temperature(path: Path, about: Path, mend: str) -> TemperatureScaling:
    """The temperature in a file of `save_calibrator` that was not fitted to a model, but to what another file says.

    Args:
        path: of the temperature.
        about: the file beside it that stands for a model.
        mend: the end of each message.

    Raises:
        ValueError: a file that is missing or damaged, or a temperature that belongs to another one.
    """
    calibrator, weights = TemperatureScaling(), _fitted_weights(path, [about], mend)
    try:
        calibrator.load_state_dict(weights)
    except RuntimeError:
        raise ValueError(f"{path} holds no temperature: {mend}") from None
    _check_temperatures(path, calibrator, mend)
    return calibrator.eval()


def _fitted_weights(path: Path, models: Sequence[Path], mend: str) -> dict[str, Tensor]:
    """The weights in the file of what was fitted to a model; raise ValueError if it was fitted to another one."""
    for model in models:
        if not model.is_file():
            raise ValueError(f"there is no model at {model}: train first, or set --ckpt_dir to where it is")
    if not path.is_file():
        raise ValueError(f"there is no calibrator at {path}: {mend}")
    try:
        with safe_open(path, framework="pt") as file:
            weights, digest = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()["model"]  # noqa: SIM118 - it has no other way
    except Exception:  # noqa: BLE001 - each broken file has an error of its own
        raise ValueError(f"{path} is damaged: {mend}") from None
    if digest != digest_of_files(models):
        for model in models:
            if model.name == MODEL:
                check_readable(model)
        several = len(models) > 1
        other = (
            "other members than those of ckpt_dirs" if several else f"another {models[0].name} than the one beside it"
        )
        raise ValueError(f"{path} was fitted to {other}: {mend}")
    return weights


def check_readable(model: Path) -> None:
    """Raise ValueError if a model is damaged; then no calibrator can be fitted to it."""
    try:
        torch.load(model, map_location="cpu", weights_only=True)
    except Exception:  # noqa: BLE001 - each broken file has an error of its own
        raise ValueError(f"{model} cannot be read: train again, or set --ckpt_dir to where a whole one is") from None


def _inputs_of(weights: Mapping[str, Tensor], part: str) -> int:
    """The number of input channels of a convolution, 0 if there is none of this name."""
    shape = weights[f"{part}.weight"].shape if f"{part}.weight" in weights else ()
    return int(shape[1]) if len(shape) > 1 else 0


def _spatial_dims(weights: Mapping[str, Tensor]) -> int:
    """2 or 3, the axes of the convolutions of a calibrator; 2 for one that has none."""
    return weights["of_logits.weight"].ndim - 2 if "of_logits.weight" in weights else 2


def calibrator_path(kind: str, ckpt_dir: Folders) -> Path:
    """The path of a calibrator; that of an ensemble lies beside its first member."""
    first, *others = model_files(ckpt_dir)
    return first.parent / f"calibrator_{kind}{'_ensemble' if others else ''}.safetensors"


def _check_temperatures(path: Path, calibrator: Calibrator, mend: str) -> None:
    """Raise ValueError if the weights of a calibrator are not finite, or its temperature is none that fitting gives."""
    if not all(weights.isfinite().all() for weights in calibrator.state_dict().values()):
        raise ValueError(f"{path} holds weights that are not finite: {mend}")
    if isinstance(calibrator, TemperatureScaling):
        temperature = calibrator.temperature.item()
        if not LOWEST * (1 - ROUNDING) <= temperature <= HIGHEST * (1 + ROUNDING):
            raise ValueError(
                f"{path} holds the temperature {temperature:g}; it must be {LOWEST:g} to {HIGHEST:g}: {mend}"
            )


def fitted_to(path: Path) -> FittedTo:
    """What a calibrator was fitted to, as its file says; nothing is known of a file that cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata()
        patients = told.get("patients", told.get("cases"))  # an earlier version counted each case
        return FittedTo(told.get("region", ""), None if patients is None else int(patients))
    except Exception:  # noqa: BLE001 - each broken file has an error of its own
        return FittedTo()


def how_to_fit(kind: str) -> str:
    """The end of a message: how to fit the calibrator."""
    return (
        "fit it with python -m monai.bundle run --config_file \"['configs/train.json','configs/calibrate.json']\" "
        f"--calibrator {kind}, and the --bundle_root, --dataset_dir and --ckpt_dir of the training"
    )


def model_files(ckpt_dir: Folders, model: str = MODEL) -> list[Path]:
    """The file of a single model, or those of the members of an ensemble."""
    return [Path(folder) / model for folder in ([ckpt_dir] if isinstance(ckpt_dir, str) else ckpt_dir)]


def digest_of_files(paths: Sequence[Path]) -> str:
    """A checksum of files; of several it does not depend on their order."""
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
