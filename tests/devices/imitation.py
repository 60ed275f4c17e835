"""An imitated GPU: tensors of the CPU that say they lie on "cuda:0", errors where two devices meet, and waits.

It sees what Python calls, not what a backward pass does, and knows nothing of speed, kernels or rounding.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

CARD = torch.device("cuda:0")
# Functions that take tensors of two devices: those that copy from one to the other, and those that look at shapes only.
MIXING = {"copy_", "_foreach_copy_", "expand_as", "view_as", "reshape_as", "type_as", "__set__", "set_"}
MIXING |= {"_has_compatible_shallow_copy_type", "is_same_size"}
FETCHING = {"numpy", "__array__"}
# Functions whose result the CPU waits for: numbers, and tensors whose size depends on values.
WAITING = {"item", "tolist", "__bool__", "__int__", "__float__", "__index__", "__contains__", "is_nonzero", "equal"}
WAITING |= {
    "nonzero",
    "argwhere",
    "unique",
    "unique_consecutive",
    "masked_select",
    "bincount",
    "allclose",
    "new_tensor",
}
READERS = {"device": lambda on_card: CARD if on_card else torch.device("cpu"), "is_cuda": bool}


def on_card(tensor: Tensor) -> bool:
    """Whether a tensor says that it lies on the GPU."""
    return bool(tensor.__dict__.get("on_card", False))


class Imitation(TorchFunctionMode):
    """While it is entered, whatever Python calls of torch is watched.

    Attributes:
        waits: for each time that the CPU waits for the GPU, what waits and which lines of MONAI and ours called it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def wait(self, name: str) -> None:
        """Note that the CPU waits for the GPU."""
        calls = [f"{Path(call.filename).name}:{call.lineno}" for call in traceback.extract_stack() if _is_named(call)]
        self.waits.append(" < ".join([name, *calls[:-4:-1]]))

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What the function gives, with the device on which it would lie."""
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        owner = getattr(getattr(func, "__self__", None), "__name__", "")  # of a property: its name
        if name == "__get__" and owner in READERS:
            return READERS[owner](on_card(args[0]))
        if name in ("to", "cpu", "cuda") and func is getattr(Tensor, name):
            moved = _moved(name, *args, **kwargs)
            if on_card(moved) != on_card(args[0]) and not (on_card(moved) and _is_non_blocking(args, kwargs)):
                self.wait(name)
            return moved
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = any(map(on_card, inputs))
        if _waits(name, args, inputs, kwargs):
            self.wait(name)
        if name == "__set__" and owner == "data":
            args[0].__dict__["on_card"] = on_card(args[1])
        elif there and name in FETCHING and not kwargs.get("force"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        elif there:
            _check_one_device(name, args, inputs)
        if name in MIXING | {"__setitem__"} and args and isinstance(args[0], Tensor):
            there = on_card(args[0])
        if kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]).type == CARD.type
            kwargs["device"] = "cpu"
        return _placed(func(*args, **kwargs), there, inputs)


def _is_named(call: traceback.FrameSummary) -> bool:
    """Whether a wait is noted with this line: one of MONAI or ours."""
    return any(f"/{package}/" in call.filename for package in ("calib_monai", "monai"))


def _is_non_blocking(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether `Tensor.to` with these arguments copies to the GPU in its own time; True may stand after a device."""
    return bool(kwargs.get("non_blocking")) or True in [one for one in args[2:] if isinstance(one, bool)]


def _waits(name: str, args: tuple[Any, ...], inputs: list[Tensor], kwargs: Mapping[str, Any]) -> bool:
    """Whether the CPU waits for the GPU in this call."""
    there = any(map(on_card, inputs))
    if name in ("__getitem__", "__setitem__"):  # by a mask, or by numbers that must be copied to the GPU
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        by_tensor = [one for one in index if isinstance(one, Tensor)]
        masks = any(one.dtype in (torch.bool, torch.uint8) or not on_card(one) for one in by_tensor)
        return on_card(args[0]) and (masks or any(isinstance(one, list) for one in index))
    if name == "copy_":
        return on_card(args[0]) != on_card(args[1]) and not kwargs.get("non_blocking")
    if name in ("tensor", "as_tensor"):
        return not there and kwargs.get("device") is not None and torch.device(kwargs["device"]).type == CARD.type
    return there and name in WAITING | FETCHING


def _check_one_device(name: str, args: tuple[Any, ...], inputs: list[Tensor]) -> None:
    """Raise RuntimeError if tensors of two devices meet; a number may come from the CPU, an index too."""
    if name in MIXING:
        return
    if name in ("__getitem__", "__setitem__"):
        indices = [leaf for leaf in tree_leaves(args[1]) if isinstance(leaf, Tensor)]
        if not on_card(args[0]) and any(map(on_card, indices)):
            raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        return
    if any(not on_card(tensor) and tensor.dim() > 0 for tensor in inputs):
        shapes = [(tuple(tensor.shape), str(CARD) if on_card(tensor) else "cpu") for tensor in inputs]
        raise RuntimeError(f"Expected all tensors to be on the same device, in {name}: {shapes}")


def _placed(output: Any, there: bool, inputs: list[Tensor]) -> Any:  # noqa: FBT001
    """An output that lies on a device, as far as it is made of tensors."""
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor) and all(leaf is not tensor for tensor in inputs):
            leaf.__dict__["on_card"] = there
    return output


def _moved(name: str, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """What `Tensor.to`, `cpu` or `cuda` gives: another tensor if the device is another."""
    there = on_card(tensor)
    rest = [value for value in args if isinstance(value, bool | torch.dtype)]
    if name != "to":
        there, rest = name == "cuda", []
    for device in (*args, kwargs.pop("device", None)):
        if isinstance(device, str | torch.device | int) and not isinstance(device, bool):
            there = isinstance(device, int) or torch.device(device).type == CARD.type
    for other in (*args, kwargs.pop("other", None)):
        if isinstance(other, Tensor):
            there, rest = on_card(other), [other.dtype, *rest]
    kwargs.pop("non_blocking", None)
    kinds = [value for value in rest if isinstance(value, torch.dtype)]
    kind = kinds[0] if kinds else kwargs.pop("dtype", None) or tensor.dtype
    moved = Tensor.to(tensor, kind, **{key: value for key, value in kwargs.items() if key != "dtype"})
    if moved is tensor and there != on_card(tensor):
        moved = torch.clone(tensor)
    return moved if moved is tensor else _placed(moved, there, [])  # type: ignore[no-any-return]


class _Generator(torch.Generator):
    """A generator that may be asked for on the GPU."""

    def __new__(cls, device: Any = "cpu") -> Self:
        del device
        return super().__new__(cls)


@contextmanager
def imitated_gpu() -> Iterator[Imitation]:
    """Within it, "cuda:0" can be used; what it gives counts the waits."""
    load, as_subclass, deepcopy = torch.load, Tensor.as_subclass, torch.nn.Parameter.__deepcopy__
    fork_rng = torch.random.fork_rng

    def retyped(tensor: Tensor, kind: type) -> Any:
        return _placed(as_subclass(tensor, kind), on_card(tensor), [])

    def copied(weights: torch.nn.Parameter, memo: dict[int, Any]) -> Any:
        return _placed(deepcopy(weights, memo), on_card(weights), [])

    def loaded(file: Any, map_location: Any = None, **options: Any) -> Any:
        there = map_location is not None and torch.device(map_location).type == CARD.type
        return _placed(load(file, map_location="cpu", **options), there, [])

    with (
        mock.patch.object(torch, "load", loaded),
        mock.patch.object(Tensor, "as_subclass", retyped),  # a mode does not see these two
        mock.patch.object(torch.nn.Parameter, "__deepcopy__", copied),
        mock.patch.object(torch, "Generator", _Generator),
        mock.patch.object(torch.random, "fork_rng", lambda devices: fork_rng(devices=devices[:0])),
        mock.patch.object(torch.cuda, "mem_get_info", return_value=(2**30, 2**30)),
        Imitation() as imitation,
    ):
        yield imitation
