"""Found cases: whatever names and paths they come with."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from calib_monai.datalists.busi import busi_split, write_busi
from calib_monai.datalists.nci_isbi import nci_isbi_split, write_nci_isbi
from calib_monai.found_cases import check_shown, settle, tell_doubts, tell_left_out
from calib_monai.phantoms import make_phantoms


def test_paths_are_those_of_the_working_directory_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cases = [{"image": ["a/x.nii", "/b.nii"], "label": "l.nii", "case": "one"}, {"image": "y.nii.gz"}]
    settle(cases)
    monkeypatch.chdir("/")
    assert cases[0] == {"image": [f"{tmp_path}/a/x.nii", "/b.nii"], "label": f"{tmp_path}/l.nii", "case": "one"}
    assert cases[1] == {"image": f"{tmp_path}/y.nii.gz", "case": "y"}


def test_a_name_that_two_have_or_none_can_have_is_refused_with_the_file() -> None:
    with pytest.raises(ValueError, match=r"^/a\.nii and /b\.nii are both of the case one"):
        settle([{"image": "/a.nii", "case": "one"}, {"image": ["/b.nii"], "case": "one"}])
    with pytest.raises(ValueError, match=r"^/a\.nii: a case is called '\.\.'; it must be"):
        settle([{"image": "/a.nii", "case": ".."}])


def test_headers_that_leave_a_place_in_doubt_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in "ab":
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5)), None), tmp_path / f"{name}.nii")
    tell_doubts([{"image": str(tmp_path / "a.nii"), "label": str(tmp_path / "b.nii")}, {"image": "c.png"}])
    [line] = caplog.messages
    assert line.startswith(f"2 file(s), first {tmp_path}/a.nii, say nothing of their orientation")


def sets_of(**names: str) -> dict[str, list[dict[str, Any]]]:
    return {name: [{"case": one, "label": f"{one}.nii"} for one in of_set] for name, of_set in names.items()}


def test_cases_whose_label_is_empty_are_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    check_shown(sets_of(training="abc"), [True] * 3)
    assert not caplog.messages
    check_shown(sets_of(training="abc", test="de"), [False, False, True, True, True])
    check_shown(sets_of(training="abcdefgh"), [False] * 7 + [True])
    assert caplog.messages == [
        "the label(s) of 2 of 5 case(s) show no structure: a, b",
        "the label(s) of 7 of 8 case(s) show no structure: a, b, c, d, e and 2 more",
    ]


def test_a_set_whose_labels_are_all_empty_is_refused_unless_a_training_only_leaves_it_out() -> None:
    for name, shows in (("training", [False, True, True]), ("validation", [True, False, True])):
        with pytest.raises(ValueError, match=f"^none of the 1 labels for {name}, first that of ., shows a structure"):
            check_shown(sets_of(training="a", validation="b", test="c"), shows)
    check_shown(sets_of(training="a", validation="b", test="c"), [True, True, False])
    with pytest.raises(ValueError, match=r"^none of the 1 labels for test"):
        check_shown(sets_of(test="c"), [False])


def test_images_of_no_case_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for name in ("a.nii.gz", "a_gt.nii.gz", "b.nii", "notes.txt", "._a.nii.gz", "series/1.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    split = {"test": [{"image": str(tmp_path / "a.nii.gz"), "label": [str(tmp_path / "a_gt.nii.gz")], "case": "a"}]}
    tell_left_out(partial(dict, dataset_dir=str(tmp_path)), split)
    assert caplog.messages == [f"skipped in {tmp_path}: 2 file(s): 1 of no case (b.nii); 1 hidden (._a.nii.gz)"]
    tell_left_out(dict, split)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("label", "others"),
    [
        ("S12_L_lesion.png", ["S12_L_lesion_1.png", "S12_L_lesion2.png", "S12_L_lesion-b.png"]),
        ("S12_L_lesion_1.png", ["S12_L_lesion_2.png", "S12_L_lesion_10.png", "S12_L_lesion_1_b.png"]),
        ("S12_L/mask_1.nii.gz", ["S12_L/mask_2.nii.gz"]),
    ],
)
def test_a_second_mask_of_a_case_is_warned_of(
    label: str, others: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split = {"training": [{"image": str(tmp_path / "S12_L.png"), "label": str(tmp_path / label), "case": "S12_L"}]}
    for name in (label, "S12_R_lesion.png", "S1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tell_left_out(partial(dict, dataset_dir=str(tmp_path)), split)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    for name in others:
        (tmp_path / name).touch()
    tell_left_out(partial(dict, dataset_dir=str(tmp_path)), split)
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    first = tmp_path / min(others)
    assert line.startswith(
        f"{len(others)} file(s) begin like the label of a case and are not used, first {first}, like that of S12_L: "
    )


def test_labels_that_end_with_other_numbers_are_of_other_cases(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "p_10.nii").touch()
    (tmp_path / "p_2.nii").touch()
    split = {"training": [{"image": "/p_1.nii", "label": str(tmp_path / "p_1.nii"), "case": "p_1"}]}
    tell_left_out(partial(dict, dataset_dir=str(tmp_path)), split)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_cases_that_an_option_leaves_out_are_not_told_as_images_of_no_case(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    write_nci_isbi(str(tmp_path / "nci"), make_phantoms(8, seed=5))
    write_busi(str(tmp_path / "busi"), make_phantoms(6, seed=3, num_classes=2))
    (tmp_path / "busi" / "normal").mkdir()
    for name in ("normal (1).png", "normal (1)_mask.png"):
        Image.new("RGB", (8, 6)).save(tmp_path / "busi" / "normal" / name)
    for datalist in (
        partial(nci_isbi_split, dataset_dir=str(tmp_path / "nci"), num_train=1),
        partial(busi_split, dataset_dir=str(tmp_path / "busi")),
    ):
        tell_left_out(datalist, datalist())
    assert not caplog.messages
