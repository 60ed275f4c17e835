"""Running configurations: what a program, a command line or Python, has given to the workflow that runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from traceback import walk_stack
from typing import Any, NamedTuple

from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow
from monai.bundle.utils import DEFAULT_EXP_MGMT_SETTINGS

TRACKINGS: dict[str, Any] = DEFAULT_EXP_MGMT_SETTINGS
OF_TRACKING = frozenset(key for settings in TRACKINGS.values() for key in settings["configs"])  # what MONAI adds


class Given(NamedTuple):
    """The configuration that runs, and what is known of its making.

    Attributes:
        config: the configuration with its options.
        files: the configuration files in their order, empty where they are not known.
        options: name and value of each option, empty where they are not known.
        known: the keys that the configuration's top may have, None where this is not known.
    """

    config: ConfigParser
    files: list[str]
    options: dict[str, Any]
    known: set[str] | None


def given_in_python() -> Given | None:
    """The configuration whose component calls this, None if no configuration does.

    MONAI hands no component the configuration that it stands in, and a workflow forgets its options. So both are looked
    for among the calls that led here.
    """
    parser = workflow = None
    for frame, _ in walk_stack(inspect.currentframe()):
        one = frame.f_locals.get("self")
        parser = one if parser is None and isinstance(one, ConfigParser) else parser
        workflow = one if workflow is None and isinstance(one, ConfigWorkflow) else workflow
        if workflow is not None and frame.f_code is inspect.unwrap(create_workflow).__code__:
            files, options = frame.f_locals.get("config_file"), frame.f_locals.get("_args")
            if isinstance(options, Mapping) and parser is not None and files:
                listed = [str(files)] if isinstance(files, str | Path) else [str(file) for file in files]
                return Given(parser, listed, dict(options), None)
    if parser is None:
        return None
    return Given(parser, [], {}, None if workflow is None else _keys_in(Path(workflow.config_root_path)))


def _keys_in(folder: Path) -> set[str]:
    """The keys at the top of all configurations in a folder, and those that MONAI and its tracking add."""
    files: Sequence[Path] = sorted(folder.glob("*.json"))
    keys = {key for file in files for key in ConfigParser.load_config_file(file)}
    return {key.removeprefix("+").split("#")[0] for key in keys} | OF_TRACKING | {ConfigParser.meta_key}
