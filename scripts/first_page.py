"""Writes the table of README.md, whose numbers come from `results/`.

`--check` writes nothing and fails if the table is not current.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from bundle_parts import REPOSITORY
from which_method import measured
from written_pages import write_or_check

from calib_monai.measures import measure_of
from calib_monai.refusals import tell_in_one_line

PAGE = REPOSITORY / "README.md"
TABLE = re.compile(r"^\| data \| method \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
HEAD = "| data | method | Dice | NLL | with a temperature | ECE | papers' ECE |\n|---|---|---|---|---|---|---|"
NAMES = {"hippocampus": "hippocampus", "acdc": "ACDC", "busi": "BUSI"}
SINGLE = ("soft_dice", "dice_ce", "nacl", "crac", "ace", "ce")
APART = {("hippocampus", method): f"volumes_{method}_posthoc" for method in ("ce", "crac", "ace")}
APART |= {(dataset, method): f"{method}_posthoc" for dataset in ("acdc", "busi") for method in ("crac", "ace")}
AVERAGED = {
    ("hippocampus", "ce"): "volumes_ce_recipe",
    ("acdc", "soft_dice"): "soft_dice_recipe",
    ("busi", "soft_dice"): "recipe",
}
OF_OTHER_VOXELS = {(dataset, method) for dataset in NAMES for method in ("nacl", "crac")}
OF_OTHER_VOXELS |= {("busi", "ce"), ("busi", "ace")}


class Row(NamedTuple):
    """A row: one network, or three averaged."""

    dataset: str
    method: str
    averaged: bool = False

    @property
    def cells(self) -> list[str]:
        """Its cells but the first: the method and what was measured."""
        usual = "volumes_posthoc" if self.dataset == "hippocampus" else "posthoc"
        key = (self.dataset, self.method)
        folder = AVERAGED[key] if self.averaged else APART.get(key, usual)
        name = f"{self.method} ensemble" if self.averaged else self.method
        plain, scaled = (measured(folder, row, self.dataset) for row in (name, f"{name} + TS"))
        return [
            f"{'three ' if self.averaged else ''}`{self.method}`",
            *(with_interval(measure, plain) for measure in ("dice_foreground", "nll_all")),
            with_interval("nll_all", scaled),
            "-" if key in OF_OTHER_VOXELS else mean("ece_plausible", plain),
            mean("ece_foreground", plain),
        ]


def main(given: list[str] | None = None) -> None:
    """Write the page, or compare it."""
    write_or_check(PAGE, lambda: page_of(PAGE.read_text(encoding="utf-8")), __file__, __doc__ or "", given)


def page_of(page: str) -> str:
    """The page with the table of these results."""
    return TABLE.sub(lambda _: table(), page, count=1)


def table() -> str:
    """The table, in Markdown."""
    lines = [HEAD]
    for dataset, name in NAMES.items():
        single = [Row(dataset, method) for method in SINGLE]
        averaged = [Row(*key, averaged=True) for key in AVERAGED if key[0] == dataset]
        lines += [
            f"| {name if row is single[0] else ''} | {' | '.join(row.cells)} |".replace("|  |", "| |")
            for row in (*single, *averaged)
        ]
    return "\n".join(lines)


def mean(measure: str, measures: dict[str, Any]) -> str:
    """The mean over cases."""
    return measure_of(measure).shown(measures[measure]["mean"])


def with_interval(measure: str, measures: dict[str, Any]) -> str:
    """The mean over cases, and half of its interval."""
    low, high = measures[measure]["interval"]
    return f"{mean(measure, measures)}±{measure_of(measure).shown((high - low) / 2)}"


if __name__ == "__main__":
    tell_in_one_line()
    main()
