"""The files of a bundle are short enough to be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from committed import BUNDLES

MOST_LINES = {"train": 240, "evaluate": 111, "inference": 150}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_its_files_have_no_more_lines_than_a_person_reads(bundle: Path) -> None:
    lengths = {name: len((bundle / "configs" / f"{name}.json").read_text().splitlines()) for name in MOST_LINES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES[name]} == {}
