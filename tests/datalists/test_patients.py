"""Patients: their cases stay in one set, and names that may be of one patient are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.datalists.patients import check_patients_apart, warn_of_one_patient, with_patients
from calib_monai.datalists.patterns import pattern_split


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("pattern", "label", "patient"),
    [
        ("{patient}_*", "l/p01_ED.nii", "p01"),
        ("{patient}_*", "l/p01_2019_T1.nii", "p01"),
        ("site_{patient}_*", "l/site_7_a.nii", "7"),
        ("*-{patient}", "l/a-7.nii", "7"),
        ("l/{patient}/*", "l/anna/1.nii", "anna"),
        ("l/{patient}/{patient}-{case}.nii", "l/anna/anna-1.nii", "anna"),
        ("*/{patient}/*/{case}.nii", "l/anna/x/1.nii", "anna"),
        ("{patient}.*", "l/(1).+.nii", "(1)"),
    ],
)
def test_a_patient_is_named_by_a_pattern_of_the_case_or_of_its_label(pattern: str, label: str, patient: str) -> None:
    case = Path(label).stem.rpartition("-")[2] if "{case}" in pattern else Path(label).stem
    [found] = with_patients([{"case": case, "label": f"data/{label}"}], "data", pattern)
    assert found == {"case": case, "label": f"data/{label}", "patient": patient}


def test_a_pattern_that_names_no_patient_is_refused() -> None:
    cases = [{"case": "p01_ED", "label": "data/p01_ED.nii"}, {"case": "p02", "label": "data/p02.nii"}]
    with pytest.raises(ValueError, match=r"the pattern 'p\*' must name the patient: put \{patient\}"):
        with_patients(cases, "data", "p*")
    with pytest.raises(ValueError, match=r"the pattern '\{patient\}_\*' of the patient does not fit p02"):
        with_patients(cases, "data", "{patient}_*")


def test_all_cases_of_a_patient_are_in_one_set(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{kind}/p{n:02d}_{phase}.nii" for kind in "il" for n in range(10) for phase in ("ED", "ES")))
    split = pattern_split(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii", patient="{patient}_*")
    assert [len(cases) for cases in split.values()] == [14, 2, 4]
    patients = [{case["case"][:3] for case in cases} for cases in split.values()]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 10
    with pytest.raises(ValueError, match=r"20 case\(s\) of 1 patient\(s\), p, found; at least 3 are needed"):
        pattern_split(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii", patient="{patient}*")


def split_of(**sets: list[str]) -> dict[str, list[dict[str, str]]]:
    return {name: [{"case": case} for case in cases] for name, cases in sets.items()}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p01_ED", "p01_ES"),
        ("p01ED", "p01ES"),
        ("patient001_frame01", "patient001_frame12"),
        ("sub1_2019", "sub1_2020"),
        ("smith-2019-03-01", "smith-2020-11-30"),
        ("smith_20190301_T1", "smith_20201130_T1"),
        ("sub-3_ses-1", "sub-3_ses-2"),
        ("k7_baseline", "k7_followup2"),
        ("k7 arterial", "k7 venous"),
        ("k7_pre", "k7_post"),
        ("k7", "k7_es"),
    ],
)
def test_names_that_differ_in_a_phase_or_a_date_are_told(
    one: str, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_one_patient(split_of(training=[one, other, "b2"], test=["b3"]))
    assert not caplog.records
    warn_of_one_patient(split_of(training=[one, "b2"], test=[other, "b3"]))
    assert f"1 patient(s) may have cases in more than one set, first {one} (training) and {other} (test)" in caplog.text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("p01_left", "p01_right"),
        ("p01_L", "p01_R"),
        ("p01_OD", "p01_OS"),
        ("p01_LCC", "p01_LMLO"),
        ("p01_L_CC", "p01_R_MLO"),
        ("p01_slice003", "p01_slice004"),
        ("IM-0001-0003", "IM-0001-0004"),
        ("p01_rescan", "p01_test"),
    ],
)
def test_names_that_differ_in_a_side_a_view_or_a_slice_are_told(
    one: str, other: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_one_patient(split_of(training=[one, "b2"], test=[other, "b3"]))
    assert f"1 patient(s) may have cases in more than one set, first {one} (training) and {other} (test)" in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        ["case_001", "case_002", "case_003"],
        ["scan1", "scan2", "scan3"],
        ["2019", "2020", "x1"],
        ["2019_a", "2020_b", "x1"],
        ["BraTS19_CBICA_AAB_1", "BraTS19_CBICA_AAG_1", "BraTS19_2013_2_1"],
        ["benign (1)", "benign (2)", "malignant (1)"],
        ["Prostate3T-01-0001", "ProstateDx-01-0001", "Prostate3T-01-0002"],
        ["case_00201", "case_00202", "case_02010"],
        [*(f"x_{year}" for year in range(1990, 2020)), "y"],
        ["hippocampus_001", "hippocampus_003", "prostate_00"],
        ["patient001", "patient002", "patient003"],
        ["Case00", "Case01", "Case02"],
        ["case_00000", "case_00001", "case_00002"],
        ["FLARE22_Tr_0001", "FLARE22_Tr_0002", "FLARE22_Tr_0003"],
        ["BraTS19_CBICA_AAL_1", "BraTS19_CBICA_AAR_1", "BraTS19_TCIA01_147_1"],
        ["1", "4", "5"],
        ["image_1", "image_2", "image_3"],
        ["img0001", "img0002", "img0003"],
    ],
)
def test_names_that_are_numbered_are_not(names: list[str], caplog: pytest.LogCaptureFixture) -> None:
    warn_of_one_patient(split_of(training=names[:1], validation=names[1:2], test=names[2:]))
    assert not caplog.records


def test_a_patient_in_two_sets_is_named() -> None:
    split = {
        "training": [{"case": "a1", "patient": "a"}, {"case": "a2", "patient": "a"}],
        "test": [{"case": "b1", "patient": "b"}],
    }
    check_patients_apart(split)
    split["test"].append({"case": "a3", "patient": "a"})
    with pytest.raises(
        ValueError, match="patient a is in training with a1 and in test with a3; all cases of a patient"
    ):
        check_patients_apart(split)


def test_a_pattern_that_makes_all_cases_one_patient_is_told(caplog: pytest.LogCaptureFixture) -> None:
    cases = [{"case": name, "label": f"{name}.nii.gz"} for name in ("case_1", "case_2")]
    assert [one["patient"] for one in with_patients(cases, "", "{patient}_*")] == ["case", "case"]
    assert "all 2 cases are of one patient, case, by the pattern {patient}_*: without others" in caplog.text
    caplog.clear()
    assert with_patients(cases, "", "case_{patient}")
    assert not caplog.text
