"""Options of a factory: its signature names those that it hands on to a class, and all others are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, ParamSpec, TypeVar

from torch import nn

from calib_monai.arguments import check_share, check_spatial_dims, check_whole, is_number
from calib_monai.spelling import did_you_mean

P = ParamSpec("P")
Network = TypeVar("Network", bound=nn.Module)


def hands_on_to(kind: type, *, but: Collection[str] = ()) -> Callable[[Callable[P, Network]], Callable[P, Network]]:
    """A decorator of a factory, whose `**options` go to a class.

    The signature of the factory then names these options, with the defaults of the class. What the class refuses is
    refused with the name of the factory.

    Args:
        kind: the class.
        but: arguments of the class that are no options of the factory.
    """

    def decorated(factory: Callable[P, Network]) -> Callable[P, Network]:
        shown = _signature(factory, kind, but)
        name = factory.__name__

        @wraps(factory)
        def refusing(*args: P.args, **kwargs: P.kwargs) -> Network:
            for option in kwargs.keys() - shown.parameters.keys():
                raise ValueError(f"{name} has no option {option}{did_you_mean(option, shown.parameters)}")
            try:
                shown.bind(*args, **kwargs)
                check_spatial_dims(kwargs.get("spatial_dims", 2))  # type: ignore[arg-type]
                _check_dropout(kwargs.get("dropout"))
                return factory(*args, **kwargs)
            except Exception as error:
                raise ValueError(f"{name}: {_first_line(error)}") from error

        refusing.__signature__ = shown  # type: ignore[attr-defined] # which `inspect.signature` reads
        return refusing

    return decorated


def check_levels(
    name: str, sizes: Sequence[int], strides: Sequence[Any], between: int = 1, *, default: bool = False
) -> None:
    """Raise ValueError if the channels of levels are no whole numbers above 0, or the strides do not fit their number.

    MONAI passes over strides that are too many.

    Args:
        name: of the argument that holds the channels.
        sizes: the channels of the levels.
        strides: one between each two levels, or one for each level.
        between: 1 if the strides are between the levels, else 0.
        default: whether nobody gave the strides.
    """
    check_sizes(name, sizes)
    check_list("strides", strides)
    if len(strides) != len(sizes) - between:
        if default:
            raise ValueError(f"{name} has {len(sizes)} values; give {len(strides) + between}, or give strides, too")
        raise ValueError(
            f"strides are {list(strides)}; with {len(sizes)} {name} there must be {len(sizes) - between} of them"
        )


def check_sizes(name: str, sizes: Sequence[int], count: int | None = None) -> None:
    """Raise ValueError if channels are no list of whole numbers above 0, or not as many."""
    check_list(name, sizes, count)
    for size in sizes:
        check_whole(f"a number in {name}", size, least=1)


def check_list(name: str, value: Sequence[Any], count: int | None = None) -> None:
    """Raise ValueError if the value is no list, or not of this length."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} is {value!r}; it must be a list")  # noqa: TRY004 - as all refusals
    if count is not None and len(value) != count:
        raise ValueError(f"{name} is {list(value)}; it must be a list of {count}")


def _signature(factory: Callable[..., Any], kind: type, but: Collection[str]) -> Signature:
    """The signature of a factory with the arguments of the class in place of `**options`."""
    own = [one for one in signature(factory).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    passed = {*but, *(one.name for one in own)}
    handed = [one for one in signature(kind).parameters.values() if one.name not in passed]
    return Signature([*own, *(one.replace(kind=Parameter.KEYWORD_ONLY) for one in handed)])


def _check_dropout(dropout: Any) -> None:
    """Raise ValueError if a number that is the share dropped is negative, or leaves nothing."""
    if is_number(dropout):
        check_share("dropout", dropout, zero=True)


def _first_line(error: Exception) -> str:
    """The first line of an error; the name of the error comes first, unless it is a ValueError.

    It is not `checks.first_line`, which is for errors of files; and `checks` imports the networks.
    """
    told = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return told if told and isinstance(error, ValueError) else f"{type(error).__name__}: {told}".removesuffix(": ")
