"""Files are read once: for the check, and not for the run, unless they changed or memory does not allow it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from checked_phantoms import model
from monai.data import MetaTensor
from PIL import Image

import calib_monai.memory
from calib_monai import case_checks, processes, read_once
from calib_monai.case_checks import read_all, read_or_refused
from calib_monai.cases import checked_split
from calib_monai.copies import copied
from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.datalists.splits import Case
from calib_monai.loading import LoadCased
from calib_monai.nifti import WholeNiftiReader
from calib_monai.pictures import LoadPicturesd
from calib_monai.processes import own_part
from calib_monai.split_settings import SplitSettings

CASES = [{"image": f"{name}_image.nii.gz", "label": f"{name}_label.nii.gz", "case": name} for name in "abc"]
LOAD = LoadCased(["image", "label"])


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the voxels of each file were read, by its name; the files are in the folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    for number, case in enumerate(CASES):
        for key in ("image", "label"):
            voxels = np.full((4, 5, 6), number, np.int16)
            nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1.0, 2, 3, 1])), case[key])
    count: Counter[str] = Counter()
    get_data = WholeNiftiReader.get_data

    def counted(reader: WholeNiftiReader, image: Any) -> Any:
        count.update(map(str, reader.filenames))
        return get_data(reader, image)

    monkeypatch.setattr(WholeNiftiReader, "get_data", counted)
    return count


def check(again: list[dict[str, str]]) -> None:
    """Read all cases as a check does; the run is to read some of them again."""
    read_all([CASES], read, again)


def read(case: dict[str, Any]) -> dict[Any, Any]:
    """What a case's files hold, read by a copy: MONAI's readers are not safe with threads."""
    return copied(LOAD)(case)


def test_what_a_check_has_read_is_handed_to_the_run_once(reads: Counter[str]) -> None:
    check(CASES[:2])
    loaded = [LOAD(case) for case in CASES]
    assert set(reads.values()) == {1, 2}
    assert [name for name, count in reads.items() if count == 2] == ["c_image.nii.gz", "c_label.nii.gz"]
    for case, found in zip(CASES, loaded, strict=True):
        fresh = LOAD(case)
        for key in ("image", "label"):
            assert isinstance(found[key], MetaTensor)
            assert torch.equal(found[key].as_tensor(), fresh[key].as_tensor())
            assert torch.equal(found[key].affine, fresh[key].affine)
            assert found[key].meta.keys() == fresh[key].meta.keys()
        assert found["case"] == case["case"]
    assert set(reads.values()) == {2, 3}  # what was handed over is read again


def test_a_file_that_changed_is_read_again(reads: Counter[str]) -> None:
    check(CASES)
    nibabel.save(nibabel.Nifti1Image(np.full((4, 5, 6), 77, np.int16), np.eye(4)), CASES[0]["image"])
    assert (LOAD(CASES[0])["image"] == 77).all()
    assert reads["a_image.nii.gz"] == 2


def test_what_does_not_fit_is_read_again(reads: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.memory, "MOST", 1)
    check(CASES)
    for case in CASES:
        LOAD(case)
    assert set(reads.values()) == {2}


def test_of_a_check_that_refuses_nothing_is_kept(reads: Counter[str]) -> None:
    Path(CASES[2]["image"]).write_bytes(b"")

    def refuse(case: dict[str, Any]) -> None:
        try:
            read(case)
        except Exception:  # noqa: BLE001 - MONAI's
            raise ValueError("it cannot be read") from None

    with pytest.raises(ValueError, match="it cannot be read"):
        read_all([CASES], refuse, CASES)
    LOAD(CASES[0])
    assert reads["a_image.nii.gz"] == 2


def test_of_a_case_that_is_passed_over_nothing_is_kept(reads: Counter[str]) -> None:
    def refuse(case: dict[str, Any]) -> None:
        read(case)
        if case["case"] == "b":
            raise ValueError("it shows nothing")

    assert read_or_refused(CASES, refuse, CASES) == [None, "it shows nothing", None]
    for case in CASES:
        LOAD(case)
    assert {name[0]: count for name, count in reads.items()} == {"a": 1, "b": 2, "c": 1}


def test_the_process_that_checks_a_case_is_the_one_that_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sets: list[list[Case]] = [
        [{"case": f"{name}{number}"} for number in range(7)] for name in ("training", "validation")
    ]
    parts = []
    monkeypatch.setattr(processes, "num_processes", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(processes, "own_rank", lambda rank=rank: rank)
        monkeypatch.setattr(case_checks, "gathered", lambda part: [parts.append(part), part][1:])
        read_all(sets, lambda case: [case["case"]])
        assert parts[rank] == [[[case["case"]] for case in own_part(cases)] for cases in sets]
    monkeypatch.setattr(case_checks, "gathered", lambda _: parts)
    assert read_all(sets, lambda case: [case["case"]]) == [[case["case"]] for cases in sets for case in cases]


@pytest.mark.parametrize(("keep", "num_workers", "sets"), [(False, 0, 2), (False, 2, 1), (True, 0, 3), (True, 2, 1)])
def test_what_this_process_will_read_again_is_kept(keep: bool, num_workers: int, sets: int, phantom_dir: Path) -> None:  # noqa: FBT001
    out = str(phantom_dir.parent)
    datalist = partial(hippocampus_split, dataset_dir=str(phantom_dir))
    folders = {"ckpt_dir": out, "output_dir": out}
    settings = SplitSettings(made_for=model(), loading=LOAD, **folders, keep=keep, num_workers=num_workers)
    cases = checked_split(datalist, settings)
    kept = {Path(files["image"][0][0][0]) for files in (dict(of_case) for _, of_case in read_once._kept)}
    run = [case for name in ("training", "validation", "test")[:sets] for case in cases[name]]
    assert kept == {Path(case["image"]) for case in run}


def test_pictures_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(tmp_path / "a.png")
    Image.fromarray(np.eye(5, 6, dtype=np.uint8)).save(tmp_path / "a_mask.png")
    case = {"image": str(tmp_path / "a.png"), "label": str(tmp_path / "a_mask.png"), "case": "a"}
    load, decode, count = LoadPicturesd(["image", "label"]), calib_monai.pictures.loading.decoded, Counter[str]()

    def counted(file: str) -> Any:
        count.update([file])
        return decode(file)

    monkeypatch.setattr(calib_monai.pictures.loading, "decoded", counted)
    first = read_all([[case]], load, [case])[0]
    second = load(case)
    assert set(count.values()) == {1}
    assert all(torch.equal(first[key].as_tensor(), second[key].as_tensor()) for key in ("image", "label"))
