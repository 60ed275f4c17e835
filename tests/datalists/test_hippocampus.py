"""The Decathlon's hippocampus folder: written, read back, refused."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from calib_monai.datalists.hippocampus import hippocampus_split, read_hippocampus, write_hippocampus
from calib_monai.phantoms import make_phantoms

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "Task04_Hippocampus"


def test_what_is_written_is_read_back(phantom_dir: Path) -> None:
    cases = read_hippocampus(str(phantom_dir))
    phantoms = make_phantoms(8, seed=3)
    assert [case["case"] for case in cases] == sorted(phantoms)
    for case in cases:
        assert np.array_equal(np.asarray(nibabel.load(case["image"]).dataobj), phantoms[case["case"]].image)
        assert np.array_equal(np.asarray(nibabel.load(case["label"]).dataobj), phantoms[case["case"]].label)


def test_hidden_files_are_passed_over(phantom_dir: Path) -> None:
    (phantom_dir / "imagesTr" / "._phantom_000.nii.gz").write_bytes(b"an archive's shadow")
    assert len(read_hippocampus(str(phantom_dir))) == 8


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data set is not on this machine")
def test_the_real_data_set_is_split_as_published() -> None:
    assert [len(cases) for cases in hippocampus_split(str(REAL), group_sides=False).values()] == [185, 25, 50]
    for fold in range(5):
        split = hippocampus_split(str(REAL), fold=fold)
        scans = [{case["patient"] for case in cases} for cases in split.values()]
        assert [len(names) for names in scans] == [121, 16, 33]
        assert len(set.union(*scans)) == 170


def test_both_sides_of_a_scan_stay_together(tmp_path: Path) -> None:
    phantoms = list(make_phantoms(12, seed=3).values())
    write_hippocampus(str(tmp_path), {f"hippocampus_{number:03d}": one for number, one in enumerate(phantoms, 1)})
    for fold in range(6):
        split = hippocampus_split(str(tmp_path), fold=fold)
        assert {name: len(cases) for name, cases in split.items()} == {"training": 8, "validation": 2, "test": 2}
        for cases in split.values():
            numbers = [int(case["case"][-3:]) for case in cases]
            assert {number + 1 if number % 2 else number - 1 for number in numbers} == set(numbers)


def test_files_drawn_one_by_one_and_files_of_other_names_have_no_patient(tmp_path: Path) -> None:
    phantoms = list(make_phantoms(6, seed=3).values())
    write_hippocampus(str(tmp_path), {f"hippocampus_{number:03d}": one for number, one in enumerate(phantoms[:4], 1)})
    write_hippocampus(str(tmp_path), {f"case_{number:03d}": one for number, one in enumerate(phantoms[4:], 1)})
    one_by_one = hippocampus_split(str(tmp_path), group_sides=False)
    assert not any("patient" in case for cases in one_by_one.values() for case in cases)
    together = hippocampus_split(str(tmp_path))
    patients = {case["case"]: case.get("patient") for cases in together.values() for case in cases}
    released = dict.fromkeys(("hippocampus_001", "hippocampus_002"), "scan_001")
    released |= dict.fromkeys(("hippocampus_003", "hippocampus_004"), "scan_003")
    assert patients == {**released, "case_001": None, "case_002": None}


def test_another_value_than_true_or_false_is_refused(phantom_dir: Path) -> None:
    with pytest.raises(ValueError, match="group_sides is 'no'; it must be True or False"):
        hippocampus_split(str(phantom_dir), group_sides="no")  # type: ignore[arg-type]
