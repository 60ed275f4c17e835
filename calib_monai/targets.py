"""Targets of components: checks that each names an existing class or function, and suggests the nearest name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monai import engines, handlers, inferers, losses, transforms
from monai.bundle import ComponentLocator
from monai.networks import nets
from monai.transforms import KeepLargestConnectedComponentd, RemoveSmallObjectsd, utils
from monai.utils.module import locate

from calib_monai.spelling import did_you_mean

TARGET = "_target_"
OURS = "calib_monai."
LATER = {"_mode_", "_disabled_"}  # MONAI's words for what is not called at once, or at all
OF_MONAI = (losses, nets, transforms, handlers, inferers, engines)
OF_SCIKIT_IMAGE = (KeepLargestConnectedComponentd, RemoveSmallObjectsd)  # look for it when the first case is predicted

LOCATOR = ComponentLocator()  # one, for it searches all of MONAI when it is first asked


def check_targets(config: Mapping[str, Any]) -> None:
    """Raise ValueError if a component cannot be found or lacks a library, or is ours and has no such argument."""
    for name, node, target in _components(config):
        if target.startswith(("$", "@", "%")):
            continue
        component = located(target)
        if component is None:
            raise ValueError(f"there is no {target}, the _target_ of {name}{_nearest(target)}")
        if component in OF_SCIKIT_IMAGE and not (utils.has_measure and utils.has_morphology):
            raise ValueError(f"{target}, the _target_ of {name}, needs scikit-image: pip install scikit-image")
        if target.startswith(OURS) and (known := arguments_of(component)) is not None:
            for argument in sorted({one for one in node if not one.startswith("_")} - known):
                near = did_you_mean(argument, known) or f"; it takes {', '.join(sorted(known)) or 'nothing'}"
                raise ValueError(f"{target} takes no {argument!r}, as {name} says{near}")


def check_needed(config: Mapping[str, Any]) -> None:
    """Raise ValueError if a component of ours lacks an argument that it needs, as in a bundle of an earlier version."""
    for name, node, target in _components(config):
        component = located(target) if target.startswith(OURS) else None
        if component is not None and not node.keys() & LATER and (lacking := _needed_by(component) - node.keys()):
            raise ValueError(
                f"{target} needs {', '.join(sorted(lacking))}, which {name} does not give (if an earlier version "
                "composed this bundle, compose it again with scripts/compose_bundles.py)"
            )


def own_targets(config: Mapping[str, Any]) -> Iterator[str]:
    """The components of this package that a configuration names."""
    return (target for _, _, target in _components(config) if target.startswith(OURS))


def located(target: str) -> Callable[..., Any] | None:
    """The class or function that a target names, None if there is none."""
    modules = LOCATOR.get_component_module_name(target)
    module = modules[0] if isinstance(modules, list) else modules  # MONAI takes the first of several
    try:
        found = locate(f"{module}.{target}" if module else target)
    except Exception:  # noqa: BLE001 - a module that cannot be imported raises what it likes
        return None
    return found if callable(found) else None


def arguments_of(component: Any) -> set[str] | None:
    """The names of a component's arguments, with those that a class hands on to its bases; None if any is possible."""
    names: set[str] = set()
    classes = component.__mro__ if inspect.isclass(component) else ()
    bases = [vars(one)["__init__"] for one in classes if "__init__" in vars(one)] or [component]
    for function in bases if component is not None else ():
        arguments = inspect.signature(function).parameters.values()
        names |= {argument.name for argument in arguments if argument.kind is not argument.VAR_KEYWORD} - {"self"}
        if not any(argument.kind is argument.VAR_KEYWORD for argument in arguments):
            return names
    return None


def _needed_by(component: Callable[..., Any]) -> set[str]:
    """The names of a component's arguments that have no default."""
    arguments = inspect.signature(component).parameters.values()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {one.name for one in arguments if one.default is one.empty and one.kind in by_name}


def _components(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """The name of each component of a configuration, the component, and its `_target_`."""
    for name, node in nodes(config):
        target = node.get(TARGET) if isinstance(node, Mapping) else None
        if isinstance(target, str):
            yield name, node, target


def _nearest(target: str) -> str:
    """The end of a message that suggests a name that is spelled nearly so, in the same module or in MONAI."""
    module, _, word = target.rpartition(".")
    try:
        modules = [locate(module)] if module else OF_MONAI
    except Exception:  # noqa: BLE001 - as in `located`
        modules = []
    return did_you_mean(word, {name for one in modules for name in dir(one) if not name.startswith("_")})


def nodes(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All parts of a configuration with their names, as options name them; one that holds others comes before them.

    Args:
        node: the configuration, or a part of it.
        name: its own.
    """
    yield name, node
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, part in items:
        yield from nodes(part, f"{name}#{key}" if name else str(key))
