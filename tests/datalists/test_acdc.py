"""ACDC's folder: written, read back, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from calib_monai.datalists.acdc import acdc_split, read_acdc, write_acdc
from calib_monai.phantoms import make_phantoms

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "ACDC"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four patients with two frames each, free to be broken."""
    write_acdc(str(tmp_path), make_phantoms(8, seed=3, num_classes=4))
    return tmp_path


def test_what_is_written_is_read_back(folder: Path) -> None:
    cases = read_acdc(str(folder))
    assert [case["case"] for case in cases] == [f"patient{n:03d}_frame{f}" for n in (1, 2, 3, 4) for f in ("01", "12")]
    for case, (image, label) in zip(cases, make_phantoms(8, seed=3, num_classes=4).values(), strict=True):
        assert np.array_equal(np.asarray(nibabel.load(case["image"]).dataobj), image.astype(np.int16))
        assert np.array_equal(np.asarray(nibabel.load(case["label"]).dataobj), label)


def test_both_frames_of_a_patient_are_in_one_set(folder: Path) -> None:
    split = acdc_split(str(folder))
    patients = {name: {case["patient"] for case in cases} for name, cases in split.items()}
    assert [len(cases) for cases in split.values()] == [4, 2, 2]
    assert sum(map(len, patients.values())) == len(set.union(*patients.values())) == 4


def test_the_patients_are_found_wherever_the_release_has_them(folder: Path) -> None:
    names = [case["case"] for case in read_acdc(str(folder))]
    assert [case["case"] for case in read_acdc(str(folder / "training"))] == names
    (folder / "database").mkdir()
    (folder / "training").rename(folder / "database" / "training")
    shutil.move(folder / "database" / "training" / "patient004", folder / "database" / "testing" / "patient004")
    assert [case["case"] for case in read_acdc(str(folder))] == names[-2:] + names[:-2]


def test_without_info_all_labeled_frames_are_taken(folder: Path) -> None:
    before = read_acdc(str(folder))
    (folder / "training" / "patient002" / "Info.cfg").unlink()
    assert read_acdc(str(folder)) == before


def test_info_may_begin_with_a_byte_order_mark(folder: Path) -> None:
    before = read_acdc(str(folder))
    info = folder / "training" / "patient002" / "Info.cfg"
    info.write_text(info.read_text(), encoding="utf-8-sig")
    assert read_acdc(str(folder)) == before


@pytest.mark.parametrize(("ending", "kind"), [("", "image"), ("_gt", "label")])
def test_a_frame_without_its_partner_is_named(folder: Path, ending: str, kind: str) -> None:
    lost = folder / "training" / "patient002" / f"patient002_frame12{ending}.nii.gz"
    lost.unlink()
    with pytest.raises(ValueError, match=f"the {kind} {lost} is not there"):
        read_acdc(str(folder))


def test_a_folder_of_another_layout_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        read_acdc(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="holds no folder patientNNN"):
        read_acdc(str(folder / "training" / "patient001"))
    info = folder / "training" / "patient001" / "Info.cfg"
    for text in ("ED = 1", "ED: 1", "ED: 1\nED: 12"):
        info.write_text(text)
        with pytest.raises(ValueError, match=f"{info} must have a line"):
            read_acdc(str(folder))
    for coding in ("latin-1", "utf-16"):
        info.write_text("ED: 1\nES: 12\nGroup: Gr\u00f6\u00dfe\n", encoding=coding)
        with pytest.raises(ValueError, match=f"^{info} is no text in UTF-8: save it as UTF-8$"):
            read_acdc(str(folder))
    info.unlink()
    for path in info.parent.glob("*_gt.nii.gz"):
        path.unlink()
    with pytest.raises(ValueError, match="patient001 holds no label"):
        read_acdc(str(folder))


def test_the_official_split_tests_on_the_test_patients(tmp_path: Path) -> None:
    write_acdc(str(tmp_path), make_phantoms(24, seed=3, num_classes=4))
    with pytest.raises(ValueError, match="holds no labeled patient in testing; --official_split needs both"):
        acdc_split(str(tmp_path), official_split=True)
    for number in (11, 12):
        shutil.move(tmp_path / "training" / f"patient{number:03d}", tmp_path / "testing" / f"patient{number:03d}")
    splits = [acdc_split(str(tmp_path), fold=fold, official_split=True) for fold in range(10)]
    validated = set()
    for split in splits:
        patients = {name: {case["patient"] for case in cases} for name, cases in split.items()}
        assert patients["test"] == {"patient011", "patient012"}
        assert [len(cases) for cases in split.values()] == [18, 2, 4]
        assert not patients["training"] & patients["validation"]
        validated |= patients["validation"]
    assert len(validated) == 10
    with pytest.raises(ValueError, match="official_split is 'yes'; it must be True or False"):
        acdc_split(str(tmp_path), official_split="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("with_info", [True, False])
def test_test_patients_without_labels_are_passed_over(
    folder: Path, *, with_info: bool, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.move(folder / "training" / "patient004", folder / "testing" / "patient004")
    before = read_acdc(str(folder))
    for path in (folder / "testing" / "patient004").glob("*_frame12_gt.nii.gz"):
        path.rename(folder / "kept")
    with pytest.raises(ValueError, match=r"patient004_frame12_gt\.nii\.gz is not there"):
        read_acdc(str(folder))
    for path in (folder / "testing" / "patient004").glob("*" if not with_info else "*_gt.nii.gz"):
        if not path.name.endswith("frame01.nii.gz"):
            path.unlink()
    assert read_acdc(str(folder)) == before[2:]
    assert "1 patient(s) without a label are skipped, first" in caplog.text


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not here")
def test_the_real_folder_is_read() -> None:
    split = acdc_split(str(REAL))
    assert [len(cases) for cases in split.values()] == [112, 16, 32]


def test_files_that_macos_adds_are_no_frames(tmp_path: Path) -> None:
    folder = tmp_path / "training" / "patient001"
    folder.mkdir(parents=True)
    for name in ("patient001_frame01.nii.gz", "patient001_frame01_gt.nii.gz", "._patient001_frame01_gt.nii.gz"):
        (folder / name).touch()
    assert [case["case"] for case in read_acdc(str(tmp_path))] == ["patient001_frame01"]
