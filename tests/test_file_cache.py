"""What is read of a file is cached until the file changes, and errors are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.file_cache import cached_until_changed


def test_a_file_is_read_again_only_after_it_has_changed(tmp_path: Path) -> None:
    reads = []

    @cached_until_changed
    def read(file: str) -> str:
        reads.append(file)
        return Path(file).read_text(encoding="utf-8")

    first, other = tmp_path / "first", tmp_path / "other"
    first.write_text("one", encoding="utf-8")
    other.write_text("two", encoding="utf-8")
    assert [read(str(file)) for file in (first, other, first, other)] == ["one", "two", "one", "two"]
    assert reads == [str(first), str(other)]
    first.write_text("three", encoding="utf-8")
    assert read(str(first)) == "three"
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "none"))


def test_an_error_is_not_cached(tmp_path: Path) -> None:
    answers = iter([ValueError("damaged"), "whole"])

    @cached_until_changed
    def read(_file: str) -> str:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="damaged"):
        read(str(file))
    assert read(str(file)) == "whole"
