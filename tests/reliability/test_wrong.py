"""Whatever is wrong ends in one clear line, soon, and leaves what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from every_wrong import EVERY
from tried import Worker, good_data, tried
from wrong_inputs import Wrong

OF_MONAI = {
    "JSON without a comma": "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 7",
    "--networks#unet#channels [16, 32]": "KeyError: 'query key: networks'",
}  # MONAI reads files and sets options before anything of ours runs, and this is what it says


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    good_data(folder)
    return folder


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.mark.parametrize("wrong", EVERY, ids=lambda wrong: wrong.name)
def test_what_is_wrong_is_said_in_the_last_line(wrong: Wrong, good: Path, worker: Worker, tmp_path: Path) -> None:
    done = tried(wrong, tmp_path / "tried", good, worker)
    if wrong.name in OF_MONAI:
        assert done.code != 0
        assert done.last_line.startswith(OF_MONAI[wrong.name])
        return
    assert done.verdict(wrong) == ("works" if wrong.said is None else "clear"), done


def test_there_are_enough_of_them_and_each_has_its_name() -> None:
    assert len({wrong.name for wrong in EVERY}) == len(EVERY) > 40
