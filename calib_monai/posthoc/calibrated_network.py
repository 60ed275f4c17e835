"""A network and its calibrator in one module, which can be scripted."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_choice
from calib_monai.posthoc.files import MODEL, Calibrator, Folders, load_calibrator
from calib_monai.tensor_checks import check_gives_logits

OUTPUT_KINDS = ("probs", "logits")


class CalibratedNetwork(nn.Module):
    """A network with calibrated probabilities or logits.

    `torch.jit.script` turns it into a module that can be saved to a file and needs only torch. `load_state_dict` also
    takes the weights of the network alone, such as `model.pt`, and then leaves the calibrator as it is.

    Args:
        network: takes images (B, Cin, H, W[, D]) and returns logits (B, C, H, W[, D]).
        calibrator: a calibrator that was fitted to this network's logits.
        output: "probs", or "logits" if a later step applies the softmax.

    Raises:
        ValueError: another calibrator or `output`.

    Examples:
        >>> from torch import randn
        >>> from calib_monai.posthoc import TemperatureScaling
        >>> calibrated = CalibratedNetwork(nn.Conv2d(1, 3, 1), TemperatureScaling())
        >>> calibrated(randn(2, 1, 8, 8)).sum(dim=1).round(decimals=4).unique()
        tensor([1.], grad_fn=<Unique2Backward0>)
    """

    def __init__(self, network: nn.Module, calibrator: Calibrator, output: str = "probs") -> None:
        super().__init__()
        if not isinstance(calibrator, Calibrator):
            kind = type(calibrator).__name__
            raise ValueError(  # noqa: TRY004 - as all refusals
                f"calibrator is {kind}; it must be TemperatureScaling or LocalTemperatureScaling"
            )
        check_choice("output", output, OUTPUT_KINDS)
        self.network = network
        self.calibrator = calibrator
        self.output = output
        self.checked = False
        self.register_load_state_dict_pre_hook(_complete)  # type: ignore[no-untyped-call]

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities or logits, (B, C, H, W[, D]), float64 where the network's logits are and else float32.

        Args:
            image: (B, Cin, H, W[, D]).

        Raises:
            ValueError: the network gives probabilities in place of logits; only the first call looks, and never one in
                TorchScript or in a compiled or exported program.
        """
        of_network = self.network(image)
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            self._check_once(of_network)
        logits: Tensor = self.calibrator(of_network, image)
        return logits.softmax(dim=1) if self.output == "probs" else logits

    @torch.jit.unused
    def _check_once(self, logits: Tensor) -> None:
        """Raise ValueError if logits are probabilities, in the first call."""
        if not (self.checked or torch.jit.is_tracing() or torch.compiler.is_compiling()):  # type: ignore[attr-defined, no-untyped-call]
            check_gives_logits(logits)
            self.checked = True


def load_calibrated_network(network: nn.Module, kind: str, ckpt_dir: Folders) -> CalibratedNetwork:
    """A network with the calibrator that was fitted to it, of "none" one whose temperature is 1.

    Args:
        network: as in `CalibratedNetwork`.
        kind: "none", "ts" or "lts".
        ckpt_dir: folder of the model, or those of the members of an ensemble. The network alone is then no ensemble
            and takes no weights, because an ensemble cannot be exported.

    Raises:
        ValueError: as `load_calibrator`. A `load_state_dict` raises it for other weights than `model.pt` in the folder.
    """
    calibrated = CalibratedNetwork(network, load_calibrator(kind, ckpt_dir))
    hook = partial(_check_weights, Path(ckpt_dir, MODEL)) if isinstance(ckpt_dir, str) else _refuse
    calibrated.register_load_state_dict_pre_hook(hook)  # type: ignore[no-untyped-call]
    return calibrated


def calibrator_of(module: Calibrator | CalibratedNetwork) -> Calibrator:
    """The calibrator of a calibrated network; any other module is one itself."""
    return module.calibrator if isinstance(module, CalibratedNetwork) else module


def _refuse(*_arguments: object) -> None:
    """Raise ValueError, because a single network would be exported in the place of an ensemble."""
    raise ValueError("an ensemble is not exported to one file: leave out --ckpt_dirs, and export one of its members")


def _check_weights(file: Path, _module: nn.Module, state_dict: dict[str, Any], prefix: str, *_others: object) -> None:
    """Raise ValueError if the weights of the network are others than those of the file beside the calibrator."""
    own = torch.load(file, map_location="cpu", weights_only=True) if file.is_file() else {}
    given = {name: state_dict.get(f"{prefix}network.{name}") for name in own}
    if any(value is None or not torch.equal(own[name], value.cpu()) for name, value in given.items()):
        raise ValueError(
            f"these weights are not those of {file}, to which the calibrator belongs: give --ckpt_file {file}"
        )


def _complete(module: CalibratedNetwork, state_dict: dict[str, Any], prefix: str, *_others: object) -> None:
    """Complete the weights of a network alone, in place, by those of the present calibrator."""
    if set(state_dict) == {prefix + name for name in module.network.state_dict()}:
        for name in list(state_dict):
            state_dict[f"{prefix}network.{name.removeprefix(prefix)}"] = state_dict.pop(name)
        of_calibrator = module.calibrator.state_dict(prefix=f"{prefix}calibrator.")
        state_dict.update(of_calibrator)
