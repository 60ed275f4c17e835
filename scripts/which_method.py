"""Writes docs/which_method.md, whose numbers come from `results/`.

`scripts/parts/which_method.md` is its text, a Jinja template: `dice("posthoc", "ce + LTS")` in braces is the mean of a
measure in a row of `results/hippocampus/posthoc/results.json`, and `dice("posthoc", "ce", "acdc")` of another data set.
`--check` writes nothing and fails if the page is not current.
"""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

from bundle_parts import PARTS, REPOSITORY
from jinja2 import Environment, StrictUndefined
from written_pages import write_or_check

from calib_monai.measures import measure_of
from calib_monai.refusals import tell_in_one_line

PAGE = REPOSITORY / "docs" / "which_method.md"
RESULTS = REPOSITORY / "results"
MEASURES = {"dice": "dice_foreground", "ece": "ece_foreground", "nll": "nll_all"}


def main(given: list[str] | None = None) -> None:
    """Write the page, or compare it."""
    write_or_check(
        PAGE, lambda: page_of((PARTS / PAGE.name).read_text(encoding="utf-8")), __file__, __doc__ or "", given
    )


def page_of(template: str) -> str:
    """The page of a template."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    return environment.from_string(template).render({name: partial(mean, key) for name, key in MEASURES.items()})


def mean(measure: str, experiment: str, row: str, dataset: str = "hippocampus", place: str = "") -> str:
    """The mean of a measure over cases and seeds, as tables show it.

    Args:
        measure: its name.
        experiment: the folder of the table in that of the data set.
        row: its name.
        dataset: the folder in `results`.
        place: the name of the data of others that were measured, "" for test cases.

    Raises:
        ValueError: the results have no such row.
    """
    return measure_of(measure).shown(measured(experiment, row, dataset, place)[measure]["mean"])


def measured(experiment: str, row: str, dataset: str, place: str = "") -> dict[str, Any]:
    """What was measured in a row, by measure; arguments and errors as those of `mean`."""
    path = RESULTS / dataset / experiment / "results.json"
    content = _content(path)
    rows = (content["elsewhere"][f"on_{place}"] if place else content)["rows"]
    if row not in rows:
        raise ValueError(f"{path.relative_to(REPOSITORY)} has no row {row!r}; its rows are {', '.join(rows)}")
    return dict(rows[row]["measures"])


@cache
def _content(path: Path) -> dict[str, Any]:
    """The content of a file, read once."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


if __name__ == "__main__":
    tell_in_one_line()
    main()
