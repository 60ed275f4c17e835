"""DICOM inputs: every series is found once, whatever its files are called, and has a name of its own."""

from __future__ import annotations

import locale
import logging
from pathlib import Path

import numpy as np
import pytest
from dicoms import report, without_image

from calib_monai.datalists.dicom import dicom_cases
from calib_monai.datalists.files import save_dicom
from calib_monai.dicom import header_of, is_dicom, sorted_into_series
from calib_monai.loading import LoadCased

REAL = Path(__file__).parents[3] / "shared" / "data" / "NCI-ISBI2013"  # where there is one
UID = "1.2.826.0.1.3680043.2.1125"


def series(
    folder: Path, patient: str = "P1", number: str = "3", slices: int = 4, name: str = "{:03d}.dcm", **tags: str
) -> None:
    voxels = np.random.default_rng(0).integers(0, 300, (6, 5, slices)).astype(np.int16)
    held = {"0010|0020": patient, "0020|0011": number} | tags
    uid = f"{UID}.{sum(map(ord, patient + number))}"
    save_dicom(folder, voxels, (1, 1, 3), series=uid, tags_of=held, name=name)


def names(path: Path) -> list[str]:
    return [case["case"] for case in dicom_cases(path)]


def test_a_series_is_called_by_patient_and_number_or_by_its_folder(tmp_path: Path) -> None:
    series(tmp_path / "one")
    save_dicom(tmp_path / "two", np.zeros((4, 4, 2), np.int16), (1, 1, 1))
    assert dicom_cases(tmp_path) == [
        {"image": str(tmp_path / "one"), "case": "P1_3"},
        {"image": str(tmp_path / "two"), "case": "two"},
    ]


@pytest.mark.parametrize("name", ["{:03d}.dcm", "{:03d}.DCM", "IM{:04d}", "1.2.840.{}", "{}.ima", "{}.txt"])
def test_files_are_found_by_their_content_at_any_depth(name: str, tmp_path: Path) -> None:
    series(tmp_path / "study" / "series", name=name)
    (tmp_path / "study" / "notes").write_text("no image")
    (tmp_path / "study" / "series" / "._000.dcm").write_bytes(b"x")
    assert dicom_cases(tmp_path) == [{"image": str(tmp_path / "study" / "series"), "case": "P1_3"}]


def test_two_series_of_one_folder_are_two_cases_of_their_files(tmp_path: Path) -> None:
    series(tmp_path, name="a{}.dcm")
    series(tmp_path, number="4", slices=2, name="b{}.dcm")
    cases = dicom_cases(tmp_path)
    assert [case["case"] for case in cases] == ["P1_3", "P1_4"]
    load = LoadCased("image")
    assert [load(case)["image"].shape[-1] for case in cases] == [4, 2]
    with pytest.raises(ValueError, match="holds 2 DICOM series"):
        load({"image": str(tmp_path)})


@pytest.mark.parametrize("other", ["one", "two"])
def test_two_examinations_with_one_identifier_of_their_series_are_two_cases(other: str, tmp_path: Path) -> None:
    series(tmp_path / "one", **{"0020|000d": f"{UID}.1"})
    series(tmp_path / other, slices=8, name="2_{}.dcm", **{"0020|000d": f"{UID}.2"})
    for index in range(4):  # the second begins where the first ends
        (tmp_path / other / f"2_{index}.dcm").unlink()
    cases = dicom_cases(tmp_path)
    assert [case["case"] for case in cases] == ["P1_3", "P1_3_2"]
    assert [LoadCased("image")(case)["image"].shape[-1] for case in cases] == [4, 4]
    [case] = dicom_cases(tmp_path / other / "2_5.dcm")
    assert LoadCased("image")(case)["image"].affine[2, 3] == 12
    if other == "one":
        with pytest.raises(ValueError, match="holds 2 DICOM series"):
            LoadCased("image")({"image": str(tmp_path / "one")})


def test_equal_names_stay_apart(tmp_path: Path) -> None:
    for folder in "abc":
        series(tmp_path / folder)  # one identifier in three folders, as careless copies have it
    series(tmp_path / "d", patient="p1")
    assert names(tmp_path) == ["P1_3", "P1_3_2", "P1_3_3", "p1_3_4"]
    assert [case["case"] for case in dicom_cases(tmp_path / "a", taken=["P1_3"])] == ["P1_3_2"]


@pytest.mark.parametrize(
    ("patient", "name"),
    [
        ("../../x", "x_3"),
        ("DOE^J./#1 ", "DOE_J._1_3"),
        ("..", "3"),
        ("M\xfcller", "M_ller_3"),
        ("9" * 60, "9" * 60 + "_3"),
    ],
)
def test_a_name_is_one_that_a_file_may_have(patient: str, name: str, tmp_path: Path) -> None:
    series(tmp_path, patient=patient)
    [found] = names(tmp_path)
    assert found == name or (patient == "M\xfcller" and found.isprintable())


def test_a_file_stands_for_its_series(tmp_path: Path) -> None:
    series(tmp_path, name="a{}.dcm")
    assert dicom_cases(tmp_path / "a1.dcm") == [{"image": str(tmp_path), "case": "P1_3"}]
    series(tmp_path, number="4", slices=2, name="b{}.dcm")
    [case] = dicom_cases(tmp_path / "b1.dcm")
    assert (case["case"], len(case["image"])) == ("P1_4", 2)


def test_a_series_that_lies_in_several_folders_is_one_case(tmp_path: Path) -> None:
    series(tmp_path / "all")
    for index in range(4):
        (tmp_path / f"part{index % 2}").mkdir(exist_ok=True)
        (tmp_path / "all" / f"00{index}.dcm").rename(tmp_path / f"part{index % 2}" / f"00{index}.dcm")
    [case] = dicom_cases(tmp_path)
    assert LoadCased("image")(case)["image"].shape == (1, 6, 5, 4)


@pytest.mark.parametrize("chosen", ["DIR000/000.dcm", "DIR001/003.dcm"])
def test_a_file_stands_for_its_series_in_the_folders_beside_its_own(
    chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    series(tmp_path / "DIR000")
    voxels = LoadCased("image")({"image": str(tmp_path / "DIR000")})["image"]
    (tmp_path / "DIR001").mkdir()
    for name in ("002.dcm", "003.dcm"):
        (tmp_path / "DIR000" / name).rename(tmp_path / "DIR001" / name)
    series(tmp_path / "DIR001", number="4", name="4_{}.dcm")
    series(tmp_path / "DIR002", number="5")
    [case] = dicom_cases(tmp_path / chosen)
    assert case["case"] == "P1_3"
    assert np.array_equal(LoadCased("image")(case)["image"], voxels)
    monkeypatch.chdir((tmp_path / chosen).parent)
    [case] = dicom_cases(Path(chosen).relative_to(Path(chosen).parent))
    assert np.array_equal(LoadCased("image")(case)["image"], voxels)
    (tmp_path / "DIR001" / "damaged.dcm").write_bytes(b"")
    [case] = dicom_cases(tmp_path / chosen)
    with pytest.raises(ValueError, match=r"damaged\.dcm is damaged"):
        LoadCased("image")(case)


def test_copies_beside_the_folder_of_a_file_are_left_out(tmp_path: Path) -> None:
    for folder in "abc":
        series(tmp_path / folder)
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert dicom_cases(tmp_path / "b" / "001.dcm") == [{"image": str(tmp_path / "b"), "case": "P1_3"}]


def test_more_folders_than_can_be_searched_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in "abc":
        series(tmp_path / folder)
    monkeypatch.setattr("calib_monai.datalists.dicom.MOST_BESIDE", 7)
    with caplog.at_level(logging.WARNING):
        [case] = dicom_cases(tmp_path / "c" / "001.dcm")
    assert case["image"] == str(tmp_path / "c")
    [told] = caplog.messages
    assert told.startswith(f"{tmp_path / 'c' / '001.dcm'}: its series may go on in other folders; those in {tmp_path} ")


def test_hidden_files_are_left_out_beside_a_file_too(tmp_path: Path) -> None:
    for number in "34":
        series(tmp_path, number=number, name=f"{number}_{{}}.dcm")
    (tmp_path / "._3_0.dcm").write_bytes(b"\0\5\x16\7")
    [case] = dicom_cases(tmp_path / "3_1.dcm")
    assert LoadCased("image")(case)["image"].shape == (1, 6, 5, 4)


def test_what_is_no_volume_is_passed_over_with_the_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    series(tmp_path / "t2")
    report(tmp_path / "t2" / "report.dcm")
    series(tmp_path / "loc", number="1", **{"0008|0008": "ORIGINAL\\PRIMARY\\LOCALIZER"})
    (tmp_path / "stray.dcm").write_text("no DICOM")
    with caplog.at_level(logging.WARNING):
        [case] = dicom_cases(tmp_path)
    assert LoadCased("image")(case)["image"].shape == (1, 6, 5, 4)
    for file, reason in (("report.dcm", "a report"), ("loc", "a localizer"), ("stray.dcm", "no DICOM inside")):
        assert any(file in line and reason in line for line in caplog.messages)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"0008|0008": "ORIGINAL\\PRIMARY\\LOCALIZER"}, "it is a localizer"),
        ({"0020|0037": "1\\0\\0\\0\\0\\1"}, "it is not parallel to the other slices"),
    ],
)
def test_a_localizer_inside_a_series_costs_no_scan(tags: dict[str, str], reason: str, tmp_path: Path) -> None:
    series(tmp_path)
    series(tmp_path, slices=1, name="first.dcm", **tags)
    found = sorted_into_series(sorted(tmp_path.iterdir()))
    assert found.passed_over == {str(tmp_path / "first.dcm"): reason}
    [case] = dicom_cases(tmp_path)
    assert LoadCased("image")(case)["image"].shape == (1, 6, 5, 4)


def test_three_directions_of_a_localizer_are_no_volume(tmp_path: Path) -> None:
    for index, directions in enumerate(("1\\0\\0\\0\\1\\0", "1\\0\\0\\0\\0\\1", "0\\1\\0\\0\\0\\1")):
        series(tmp_path, slices=2, name=f"{index}_{{}}.dcm", **{"0020|0037": directions})
    found = sorted_into_series(sorted(tmp_path.iterdir()))
    assert not found.series
    assert set(found.passed_over.values()) == {"the slices of its series are not parallel"}


def test_slices_far_apart_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    series(tmp_path, **{"0018|0050": "1"})
    with caplog.at_level(logging.WARNING):
        dicom_cases(tmp_path)
    assert "P1_3 may lack slices: they lie 3 mm apart, and their headers say 1 mm" in caplog.text


def test_a_damaged_file_beside_a_series_spoils_it(tmp_path: Path) -> None:
    series(tmp_path)
    (tmp_path / "009.dcm").write_bytes(b"")
    [case] = dicom_cases(tmp_path)
    with pytest.raises(ValueError, match=r"009\.dcm is damaged"):
        LoadCased("image")(case)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("1.3.12.2.1107.5.9.1", "it is data of Siemens without an image"),
        ("1.3.46.670589.11.0.0.12.4", "no image can be read in it, and it is of another series"),
        ("1.2.840.10008.5.1.4.1.1.67", "it is a mapping of values"),
        ("1.2.840.10008.5.1.4.38.1", "it is a hanging protocol"),
    ],
)
@pytest.mark.parametrize("name", ["Z.dcm", "Z"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_file_without_an_image_spoils_no_other_series(
    count: int, name: str, kind: str, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(count):
        series(tmp_path, number=str(number), name=f"{number}_{{}}.dcm")
    without_image(tmp_path / name, kind, f"{UID}.99")
    with caplog.at_level(logging.WARNING):
        cases = dicom_cases(tmp_path)
    assert [LoadCased("image")(case)["image"].shape for case in cases] == [(1, 6, 5, 4)] * count
    assert f"skipped: {tmp_path / name}: {reason}" in caplog.messages


def test_a_picture_of_palette_colors_spoils_no_other_series(tmp_path: Path) -> None:
    series(tmp_path)
    save_dicom(tmp_path, np.zeros((4, 4, 1), np.int16), (1, 1, 1), series=f"{UID}.99", name="colors{}.dcm")
    file = tmp_path / "colors0.dcm"
    file.write_bytes(file.read_bytes().replace(b"\x0c\x00\x00\x00MONOCHROME2 ", b"\x0e\x00\x00\x00PALETTE COLOR "))
    [case] = dicom_cases(tmp_path)
    assert LoadCased("image")(case)["image"].shape == (1, 6, 5, 4)


def test_deflated_files_alone_are_passed_over_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_dicom(tmp_path, np.zeros((4, 4, 1), np.int16), (1, 1, 1))
    file = tmp_path / "000.dcm"
    syntax = b"UI\x12\x001.2.840.10008.1.2\0", b"UI\x16\x001.2.840.10008.1.2.1.99"
    begin = file.read_bytes().replace(*syntax)
    file.write_bytes(begin[: begin.index(b"\x08\0\x16\0")] + bytes(99))  # what follows would be compressed
    assert dicom_cases(tmp_path) == []
    assert caplog.messages == [f"skipped: {file}: it is deflated"]


def test_what_cannot_be_read_spoils_its_own_series_alone(tmp_path: Path) -> None:
    for number in "45":
        series(tmp_path, number=number, name=f"{number}_{{}}.dcm")
    without_image(tmp_path / "z.dcm", "1.2.840.10008.5.1.4.1.1.4", header_of(str(tmp_path / "4_0.dcm")).series)
    spoiled, intact = dicom_cases(tmp_path)
    with pytest.raises(ValueError, match=r"z\.dcm is damaged"):
        LoadCased("image")(spoiled)
    assert LoadCased("image")(intact)["image"].shape == (1, 6, 5, 4)
    (tmp_path / "other").mkdir()
    (tmp_path / "z.dcm").rename(tmp_path / "other" / "z.dcm")
    series(tmp_path / "other", number="6")
    spoiled, intact, also = dicom_cases(tmp_path)
    assert str(tmp_path / "other" / "z.dcm") in spoiled["image"]
    assert [LoadCased("image")(case)["image"].shape for case in (intact, also)] == [(1, 6, 5, 4)] * 2


def test_what_is_dicom_is_known_by_its_content(tmp_path: Path) -> None:
    report(tmp_path / "report")
    (tmp_path / "text").write_text("DICM")
    assert is_dicom(tmp_path / "report")
    assert not is_dicom(tmp_path / "text")
    assert not is_dicom(tmp_path)
    assert sorted_into_series([tmp_path / "report"]).passed_over == {str(tmp_path / "report"): "it is a report"}


@pytest.mark.skipif(not REAL.is_dir(), reason="needs NCI-ISBI 2013")
def test_the_patients_of_a_real_data_set_are_cases() -> None:
    found = names(REAL)
    assert [name[:18] for name in found] == [f"Prostate3T-03-000{number}" for number in range(1, 6)]
    assert names(REAL / "Prostate-3T" / "Prostate3T-03-0002") == [found[1]]


def test_to_write_a_series_leaves_the_locale_of_the_process_as_it_is(tmp_path: Path) -> None:
    before = locale.setlocale(locale.LC_ALL)
    save_dicom(tmp_path, np.zeros((4, 4, 2), np.int16), (1.0, 1.0, 1.0))
    assert locale.setlocale(locale.LC_ALL) == before
