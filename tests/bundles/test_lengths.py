"""The files of a bundle are short enough to be read."""

from __future__ import annotations

from committed import BUNDLES

MOST_LINES = {"train": 240, "evaluate": 110, "inference": 150}


def test_its_files_have_no_more_lines_than_a_person_reads() -> None:
    files = [(bundle / "configs" / f"{name}.json", most) for bundle in BUNDLES for name, most in MOST_LINES.items()]
    lengths = {file: len(file.read_text().splitlines()) for file, _ in files}
    assert {file: lengths[file] for file, most in files if lengths[file] > most} == {}
