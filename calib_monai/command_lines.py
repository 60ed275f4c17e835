"""Command lines: an option may be given once, and what is wrong is told in one line."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from calib_monai.spelling import did_you_mean


class Once(argparse.Action):
    """Stores values. An option that is given twice ends the program; argparse alone takes the last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the values; end the program with a line if the option has some.

        Args:
            parser: a `Parser`, which knows the options that were given.
            namespace: where the values are stored.
            values: of the option.
            option_string: the option as it was given.
        """
        given: set[str] = parser.given  # type: ignore[attr-defined]
        if self.dest in given:
            parser.error(
                f"{option_string} is given twice; give it once{', with all values' * (self.nargs is not None)}"
            )
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """A parser of a command line whose options may each be given once.

    What is wrong ends the program with one line and the code 2. Of an unknown option it names the nearest; none may be
    shortened. No path may be empty.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.allow_abbrev = False
        for name in (None, "store"):
            self.register("action", name, Once)
        self.register("type", Path, _path)
        self.given: set[str] = set()

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:
        """As `argparse` does, after which no option is given yet."""
        self.given = set()
        return super().parse_known_args(*arguments, **options)

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """The options; an unknown one ends the program, and so does a value of none."""
        given = sys.argv[1:] if args is None else [*args]
        known = [one for action in self._actions for one in action.option_strings]
        for name in (word.split("=")[0] for word in given if word.startswith("--")):
            if name not in known:
                self.error(f"there is no option {name}{did_you_mean(name, known)}")
        found, unknown = self.parse_known_args(given, namespace)
        if unknown:
            self.error(f"{unknown[0]} belongs to no option; put a path with spaces in quotation marks")
        return found

    def error(self, message: str) -> NoReturn:
        """End the program with one line."""
        self.exit(2, f"error: {message}; --help lists the options\n")


def _path(text: str) -> Path:
    """The path; an empty one would be that of the folder in which the program was started."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the path is empty; for the folder that you are in write .")
    return Path(text)


def log_to_output() -> None:
    """Let the log of this package, and warnings of others, be lines of the standard output."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(message)s")
    logging.getLogger("calib_monai").setLevel(logging.INFO)
