"""Inputs: images without labels, in files, folders and series."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calib_monai.datalists import inputs
from calib_monai.datalists.files import save_dicom
from calib_monai.datalists.folders import files_below
from calib_monai.datalists.inputs import IMAGE_SUFFIXES, channels_in, ended_in, images_in, listed_in


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_labels_beside_their_images_are_not_predicted(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "a_gt.nii.gz", "b.mhd", "b.raw", "b_segmentation.mhd", "b_segmentation.raw")
    touch(tmp_path, "c (1).png", "c (1)_mask.png", "c (1)_mask_1.png", "lonely_gt.nii.gz", ".hidden.nii.gz")
    assert [case["case"] for case in images_in(tmp_path)] == ["a", "b", "c (1)", "lonely_gt"]


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_labels_are_passed_over_whatever_suffix_they_and_their_images_have(
    tmp_path: Path, suffix: str, change: Callable[[str], str]
) -> None:
    written = change(suffix)
    touch(tmp_path, f"a{written}", f"a_mask{written}", f"b{written}", "b_mask_1.png", "c.png", f"c_gt{written}")
    assert [Path(case["image"]).name for case in images_in(tmp_path)] == [f"a{written}", f"b{written}", "c.png"]


def test_voxels_that_lie_beside_their_header_are_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    touch(tmp_path, "a.nhdr", "a.raw", "b.nhdr", "b.raw.gz", "c.mhd", "c.zraw")
    assert [case["case"] for case in images_in(tmp_path)] == ["a", "b", "c"]
    assert caplog.text == ""


def test_dicom_series_are_images_beside_others(tmp_path: Path) -> None:
    save_dicom(tmp_path / "series", np.zeros((4, 4, 2), np.int16), (1, 1, 1))
    assert images_in(tmp_path / "series") == [{"image": str(tmp_path / "series"), "case": "series"}]
    touch(tmp_path, "a.nii.gz", "series.nii.gz", "stray.dcm")
    assert [case["case"] for case in images_in(tmp_path)] == ["a", "series", "series_2"]


@pytest.mark.parametrize("listed", ["series", "series/001.dcm"])
def test_a_list_may_name_a_series_by_its_folder_or_a_file(listed: str, tmp_path: Path) -> None:
    save_dicom(tmp_path / "series", np.zeros((4, 4, 2), np.int16), (1, 1, 1), tags_of={"0010|0020": "P1"})
    (tmp_path / "cases.json").write_text(json.dumps([listed]))
    assert listed_in(tmp_path / "cases.json") == [{"image": str(tmp_path / "series"), "case": "P1"}]


@pytest.mark.parametrize("listed", ["/", "home", "up", "link", "many"])
def test_no_disk_is_searched_for_images(listed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "up" / "home"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(inputs, "MOST_OF_A_SERIES", 2)
    touch(tmp_path, "many/inside/1.txt", "many/inside/2.txt", "many/3.txt")
    (tmp_path / "link").symlink_to("/")
    folder = {"/": Path("/"), "home": home}.get(listed, tmp_path / listed)
    (tmp_path / "cases.json").write_text(json.dumps([str(folder)]))
    said = (
        rf"^{folder} (is .*, and all folders in it would be searched: name the folder of the images|holds more than 2)"
    )
    with pytest.raises(ValueError, match=said):
        listed_in(tmp_path / "cases.json")
    if listed != "many":
        for search in (images_in, lambda path: channels_in(path, ("t1.nii",)), files_below):
            with pytest.raises(ValueError, match=said):
                search(folder)


def test_inputs_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere does not exist"):
        images_in(tmp_path / "nowhere")
    touch(tmp_path, "notes.txt")
    with pytest.raises(ValueError, match=r"holds no \.nii\.gz, .*, \.webp.* or DICOM image"):
        images_in(tmp_path)
    touch(tmp_path, "a.nii.gz", "a.nii")
    with pytest.raises(ValueError, match=r"holds a twice, as a\.nii and a\.nii\.gz; both"):
        images_in(tmp_path)


def test_channels_are_found_by_how_their_files_end(tmp_path: Path) -> None:
    touch(tmp_path, "one/one_t1.nii", "one/one_t2.nii", "one/one_seg.nii", "two_t1.nii", "two_t2.nii", "._two_t2.nii")
    cases = channels_in(tmp_path, ("_t2.nii", "_t1.nii"))
    assert [case["case"] for case in cases] == ["one", "two"]
    assert cases[1]["image"] == [str(tmp_path / "two_t2.nii"), str(tmp_path / "two_t1.nii")]


def test_where_all_files_have_one_name_a_case_is_called_by_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "7/pre/t1.nii", "7/pre/t2.nii", "8/pre/t1.nii", "8/pre/t2.nii")
    assert [case["case"] for case in channels_in(tmp_path, ("t1.nii", "t2.nii"))] == ["7", "8"]
    touch(tmp_path, "7/post/t1.nii", "7/post/t2.nii")
    with pytest.raises(ValueError, match="holds 7 twice"):
        channels_in(tmp_path, ("t1.nii", "t2.nii"))


@pytest.mark.parametrize(
    ("folder", "case"), [("data/7/pre", "7"), ("data/case_1", "case_1"), ("data/sub-01/anat", "sub-01")]
)
def test_a_single_case_is_called_by_its_folder_wherever_the_input_starts(
    tmp_path: Path, folder: str, case: str
) -> None:
    touch(tmp_path, f"{folder}/t1.nii", f"{folder}/t2.nii")
    whole = tmp_path / folder
    for start in (whole, whole.parent, tmp_path / "data"):
        assert [found["case"] for found in channels_in(start, ("t1.nii", "t2.nii"))] == [case]


def test_a_single_case_whose_files_are_called_by_it_has_their_name(tmp_path: Path) -> None:
    touch(tmp_path, *(f"HGG/BraTS19_1/BraTS19_1{ending}" for ending in ("_t1.nii.gz", "_t1ce.nii.gz")))
    [case] = channels_in(tmp_path, ("_t1.nii.gz", "_t1ce.nii.gz"))
    assert case["case"] == "BraTS19_1"


def test_a_channel_may_be_the_only_one(tmp_path: Path) -> None:
    touch(tmp_path, "data/case_1/imaging.nii.gz", "data/case_1/segmentation.nii.gz", "data/case_2/imaging.nii.gz")
    assert channels_in(tmp_path, ("imaging.nii.gz",))[1] == {
        "image": str(tmp_path / "data" / "case_2" / "imaging.nii.gz"),
        "case": "case_2",
    }


@pytest.mark.parametrize("there", ["one_t1.nii", "one_t2.nii"])
def test_a_case_that_lacks_a_channel_is_a_case(there: str, tmp_path: Path) -> None:
    touch(tmp_path, there)
    [case] = channels_in(tmp_path, ("_t1.nii", "_t2.nii"))
    assert case == {"image": [str(tmp_path / "one_t1.nii"), str(tmp_path / "one_t2.nii")], "case": "one"}


def test_a_single_image_is_called_by_what_stands_before_its_ending(tmp_path: Path) -> None:
    touch(tmp_path, "a/p1_t1.nii", "b/p1_t1.nii", "p2_t1.nii", "p2_t2.nii", "c/_t1.nii")
    assert [case["case"] for case in ended_in(tmp_path, ["_t1.nii"])] == ["a_p1", "b_p1", "c", "p2"]
    one = tmp_path / "p2_t1.nii"
    assert ended_in(one, ["_t1.nii"]) == [{"image": str(one), "case": "p2"}]
    assert [case["case"] for case in ended_in(tmp_path / "a", ["_flair.nii"])] == ["p1_t1"]


def test_a_folder_without_any_channel_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "one_t1.nii")
    with pytest.raises(ValueError, match=r"holds no file that ends in _flair\.nii or _t3\.nii"):
        channels_in(tmp_path, ("_flair.nii", "_t3.nii"))
    with pytest.raises(ValueError, match="is not a folder"):
        channels_in(tmp_path / "one_t1.nii", ("_t1.nii", "_t2.nii"))


@pytest.mark.parametrize("key", [None, "test", "testing"])
def test_a_list_names_images_from_its_folder_on(key: str | None, tmp_path: Path) -> None:
    entries = ["a/one.nii.gz", {"image": "/data/two.mha"}, {"image": ["f.nii", "t.nii"], "case": "three"}]
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(entries if key is None else {"training": ["x.nii"], key: entries}))
    assert listed_in(path) == [
        {"image": str(tmp_path / "a" / "one.nii.gz"), "case": "one"},
        {"image": "/data/two.mha", "case": "two"},
        {"image": [str(tmp_path / "f.nii"), str(tmp_path / "t.nii")], "case": "three"},
    ]


def test_a_list_calls_cases_as_a_folder_does(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(["p1_t1.nii", "p2.nii", {"image": "p3_t1.nii", "case": "mine"}, "p4_t1.nii"]))
    assert [case["case"] for case in listed_in(path, ("_t1.nii",))] == ["p1", "p2", "mine", "p4"]
    path.write_text(json.dumps(["c1/imaging.nii", "c2/imaging.nii"]))
    assert [case["case"] for case in listed_in(path, ("imaging.nii",))] == ["c1", "c2"]
    path.write_text(json.dumps([{"image": ["one_t1.nii", "one_t2.nii"]}, "three.nii"]))
    assert [case["case"] for case in listed_in(path, ("_t1.nii", "_t2.nii"))] == ["one", "three"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "is no JSON: .*line 1"),
        ("[]", "must hold a list of images"),
        ('{"training": ["a.nii"]}', "must hold a list of images"),
        ("[3]", "lists 3; needed is a path"),
        (r'["a\u0000b.nii"]', "needed is a path"),
        (r'["a.nii", "b\n.nii"]', r"lists 'b\\n.nii'; needed is a path"),
        ('[{"image": []}]', "needed is a path"),
        ('["a/x.nii", "b/x.nii.gz"]', "cases.json lists /.*/a/x.nii and /.*/b/x.nii.gz, and both are called x; both"),
        ('[{"image": "x.nii", "case": "../x"}]', r"a case is called '\.\./x'; it must be a name"),
        ('[{"image": "x.nii", "case": ".."}]', r"a case is called '\.\.'; it must be a name"),
        ('[{"image": "x.nii", "case": ""}]', "a case is called ''; it must be a name"),
        ('[{"image": "x.nii", "case": 7}]', 'a case is called 7, which lacks quotation marks: write "7"; it'),
    ],
)
def test_a_list_of_something_else_is_refused(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text(content)
    with pytest.raises(ValueError, match=said):
        listed_in(tmp_path / "cases.json")
    with pytest.raises(ValueError, match="cannot be read"):
        listed_in(tmp_path / "none.json")


def test_what_a_name_only_holds_makes_no_label(tmp_path: Path) -> None:
    touch(
        tmp_path, *(f"{name}.nii.gz" for name in ("p1", "p1_masked", "p2", "p2_gtv_plan", "p3", "p3_gt", "segment_4"))
    )
    assert [case["case"] for case in images_in(tmp_path)] == ["p1", "p1_masked", "p2", "p2_gtv_plan", "p3", "segment_4"]


def test_images_are_found_at_any_depth_and_through_links_each_once(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.nii.gz", "in/deep/er/b.nii.gz", "store/c.nii.gz", "store/d/d.nii.gz", "in/.git/e.nii.gz")
    (tmp_path / "in" / "c.nii.gz").symlink_to(tmp_path / "store" / "c.nii.gz")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "store" / "d")
    (tmp_path / "in" / "once more").symlink_to(tmp_path / "store" / "d")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert sorted(case["case"] for case in images_in(tmp_path / "in")) == ["a", "b", "c", "d"]


def test_images_of_one_name_in_several_folders_are_called_by_these_too(tmp_path: Path) -> None:
    touch(tmp_path, "p1/t2.nii.gz", "p2/t2.nii.gz", "p3/other.nii.gz")
    assert [case["case"] for case in images_in(tmp_path)] == ["p1_t2", "p2_t2", "other"]


@pytest.mark.parametrize(
    ("image", "label"),
    [("imagesTr/x.nii.gz", "labelsTr/x.nii.gz"), ("TrainingImg/x_0000.nii.gz", "TrainingMask/x.nii.gz")],
)
def test_labels_in_a_folder_of_their_own_are_no_images_unless_it_is_the_input(
    image: str, label: str, tmp_path: Path
) -> None:
    touch(tmp_path, image, label)
    assert [case["image"] for case in images_in(tmp_path)] == [str(tmp_path / image)]
    assert [case["case"] for case in images_in((tmp_path / label).parent)] == ["x"]


def test_what_an_inference_wrote_is_no_input(tmp_path: Path) -> None:
    written = [f"eval/predictions/a/a_{what}" for what in ("label.nii.gz", "probs.nii.gz", "structures.json")]
    touch(tmp_path, "a.nii.gz", *written)
    assert [case["case"] for case in images_in(tmp_path)] == ["a"]
    assert [case["case"] for case in channels_in(tmp_path, (".nii.gz",))] == ["a"]


def test_what_is_passed_over_is_told_with_its_reason_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    touch(tmp_path, "._a.nii.gz", "notes.txt", *(f"{n}{end}.nii" for n in range(12) for end in ("", "_seg")))
    assert len(images_in(tmp_path)) == 12
    [line] = [message for message in caplog.messages if message.startswith("skipped in")]
    assert line.startswith(f"skipped in {tmp_path}: 14 file(s): 12 label(s) (0_seg.nii, 10_seg.nii, ")
    assert line.endswith("...); 1 hidden (...); 1 of no format of images (...)")
    assert line.count("_seg") == 10


def test_cases_of_several_files_are_found_through_links_and_the_others_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for name, place in (("A", "store"), ("B", "store"), ("C", "in")):
        touch(tmp_path, *(f"{place}/{name}/{name}{ending}" for ending in ("_flair.nii.gz", "_t1.nii.gz", "_x.nii.gz")))
    for name in "AB":
        (tmp_path / "in" / name).symlink_to(tmp_path / "store" / name)
    cases = channels_in(tmp_path / "in", ["_flair.nii.gz", "_t1.nii.gz"])
    assert [case["case"] for case in cases] == ["A", "B", "C"]
    assert "3 end in none of _flair.nii.gz, _t1.nii.gz (A/A_x.nii.gz, B/B_x.nii.gz, C/C_x.nii.gz)" in caplog.text


def test_a_name_that_no_folder_can_have_is_made_one(tmp_path: Path) -> None:
    touch(tmp_path, " a:b .nii.gz", f"{'x' * 245}.nii.gz")
    names = [case["case"] for case in images_in(tmp_path)]
    assert names[0] == "a_b"
    assert len(names[1]) == 200


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("{case}.nii.gz", "{case}-roi.nii.gz"),
        ("scans/{case}.nii.gz", "truth/{case}.nii.gz"),
        ("{case}/t1.nii", "{case}/{case}*.nii"),
    ],
)
def test_labels_that_a_pattern_names_are_no_images(tmp_path: Path, image: str, label: str) -> None:
    for pattern in (image, label):
        for case in ("p1", "p2"):
            file = tmp_path / pattern.format(case=case).replace("*", "_drawn")
            file.parent.mkdir(exist_ok=True)
            file.touch()
    found = images_in(tmp_path, label=label)
    assert [case["image"] for case in found] == [str(tmp_path / image.format(case=case)) for case in ("p1", "p2")]
    with pytest.raises(ValueError, match=r"holds no .* but label\(s\), first"):
        images_in(tmp_path / label.format(case="p1").replace("*", "_drawn"), label=label)
