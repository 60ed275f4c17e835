"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import SaveImage

from calib_monai.whole_files import (
    named_file,
    read_csv,
    read_json,
    remove_unfinished,
    whole_file,
    write_csv,
    write_json,
    write_whole,
)


def test_a_file_is_synced_before_it_takes_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "new" / "file.json", []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_whole(path, "{}\n")
    assert path.read_text() == "{}\n"
    assert seen == [(f".unfinished_{os.getpid()}_file.json", False), ("new", True)]
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "before")
    with pytest.raises(TypeError, match="bytes"), whole_file(path) as file:
        file.writelines([b"half", "the other half"])  # type: ignore[list-item]
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_what_killed_runs_have_left_of_some_files_is_removed(tmp_path: Path) -> None:
    left = [".unfinished_7_model.pt", ".unfinished_123_checkpoint_epoch=2.pt", ".unfinished_8_checkpoint_epoch=3.pt"]
    others = ["model.pt", ".unfinished_9_other_model.pt", ".unfinished_9_model.pt.json", ".unfinished_slices"]
    others += [".unfinished_mine_model.pt", "7_model.pt"]
    for name in [*left, *others]:
        (tmp_path / name).touch()
    (tmp_path / "models" / ".unfinished_7_model.pt").mkdir(parents=True)
    remove_unfinished(tmp_path, ["model.pt", "checkpoint_epoch=*.pt"])
    remove_unfinished(tmp_path / "models", ["model.pt"])
    remove_unfinished(tmp_path / "nowhere", ["model.pt"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "models"])
    assert (tmp_path / "models" / ".unfinished_7_model.pt").is_dir()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_does_not_know_is_not_written(number: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file\.json is not written, for a number in it is NaN or infinite"):
        write_json(tmp_path / "file.json", {"dice": [1.0, number]})
    assert not list(tmp_path.iterdir())


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"folder": "x", "labels": {"1": "lv", "2": "rv", "1": "myo"}}')
    with pytest.raises(ValueError, match=r"^test_dir .*b\.json has the key '1' more than once$"):
        read_json(tmp_path / "b.json", "test_dir")


def test_what_a_full_disk_refuses_is_named(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RuntimeError, match="unexpected pos"), whole_file(tmp_path / "model.pt"):
        raise RuntimeError("unexpected pos") from full  # as torch.save does
    assert str(full).endswith(f"No space left on device: '{tmp_path / 'model.pt'}'")
    assert not list(tmp_path.iterdir())


def test_monai_saves_volumes_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (written.append(self.name), replace(self, to))[1])
    writer = "calib_monai.writers.WholeNIfTIWriter"
    save = SaveImage(tmp_path, output_postfix="", separate_folder=False, writer=writer, print_log=False)
    volume = MetaTensor(torch.arange(24.0).view(1, 2, 3, 4), meta={"filename_or_obj": "case.nii.gz"})
    save(volume)
    assert written == [f".unfinished_{os.getpid()}_case.nii.gz"]
    assert np.array_equal(nibabel.load(tmp_path / "case.nii.gz").get_fdata(), volume[0].numpy())


def test_what_a_spreadsheet_would_run_is_a_text_in_csv_and_is_read_back_as_it_was(tmp_path: Path) -> None:
    names = ["=1+1", "@SUM(A1)", "+1", "-3", "\t=1", "\N{FULLWIDTH EQUALS SIGN}1", "'=1", "''", "'a", "a=b", "a, b"]
    write_csv(tmp_path / "cases.csv", [["case", "=value"], *[[name, -0.5] for name in names]])
    text = (tmp_path / "cases.csv").read_text(encoding="utf-8")
    assert "'=1+1,-0.5\n" in text
    assert [line for line in text.splitlines() if line[0] in "=+-@\t\N{FULLWIDTH EQUALS SIGN}"] == []
    assert read_csv(text) == [{"case": name, "=value": "-0.5"} for name in names]


def test_a_full_disk_is_told_with_a_file_that_is_of_the_run_alone(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device: '.*0.pt'"), named_file(tmp_path / "0.pt"):
        raise OSError(errno.ENOSPC, "No space left on device")
