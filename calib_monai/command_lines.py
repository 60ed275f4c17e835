"""Command lines: an option may be given once."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any


class Once(argparse.Action):
    """Stores values. An option that is given twice ends the program; argparse alone takes the last."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store the values; end the program with a line if the option has some."""
        if getattr(namespace, self.dest) is not self.default:
            parser.error(
                f"{option_string} is given twice; give it once{', with all values' * (self.nargs is not None)}"
            )
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """A parser of a command line whose options may each be given once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for name in (None, "store"):
            self.register("action", name, Once)
