"""What a paper set otherwise than this collection, as options: `scripts/parts/paper_settings.json`."""

from __future__ import annotations

from typing import Any, NamedTuple

from bundle_parts import load


class PaperSettings(NamedTuple):
    """The paper that trained a method on a data set, and what it set otherwise.

    Attributes:
        paper: its name.
        options: of the bundle, by name.
    """

    paper: str
    options: dict[str, Any]


def paper_settings(dataset: str, method: str) -> PaperSettings | None:
    """The settings of the first paper in the file that has this method and data set; None if none has both.

    Args:
        dataset: name of a data set.
        method: name of a method.
    """
    for paper, one in load("paper_settings.json")["papers"].items():
        if method in one["methods"] and dataset in one["datasets"]:
            of_bundle = one.get(f"{dataset}_{method}", {})
            return PaperSettings(paper, one["options"] | one["datasets"][dataset] | of_bundle)
    return None
