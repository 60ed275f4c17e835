"""Targets of components: checks that each names an existing class or function, and suggests the nearest name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monai import engines, handlers, inferers, losses, transforms
from monai.bundle import ComponentLocator
from monai.networks import nets
from monai.utils.module import locate

from calib_monai.spelling import did_you_mean

TARGET = "_target_"
OF_MONAI = (losses, nets, transforms, handlers, inferers, engines)

LOCATOR = ComponentLocator()  # one, for it searches all of MONAI when it is first asked


def check_targets(config: Mapping[str, Any]) -> None:
    """Raise ValueError if a component of a configuration names a class or function that cannot be found."""
    for name, node in nodes(config):
        target = node.get(TARGET) if isinstance(node, Mapping) else None
        if isinstance(target, str) and not target.startswith(("$", "@", "%")) and located(target) is None:
            raise ValueError(f"there is no {target}, the _target_ of {name}{_nearest(target)}")


def located(target: str) -> Callable[..., Any] | None:
    """The class or function that a target names, None if there is none."""
    modules = LOCATOR.get_component_module_name(target)
    module = modules[0] if isinstance(modules, list) else modules  # MONAI takes the first of several
    try:
        found = locate(f"{module}.{target}" if module else target)
    except Exception:  # noqa: BLE001 - a module that cannot be imported raises what it likes
        return None
    return found if callable(found) else None


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
