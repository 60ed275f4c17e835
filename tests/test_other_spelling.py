"""Other spelling: files that their suffix or their capitals keep from being cases are told by a warning."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from calib_monai.datalists.acdc import acdc_split, write_acdc
from calib_monai.datalists.busi import busi_split, write_busi
from calib_monai.datalists.hippocampus import hippocampus_split, write_hippocampus
from calib_monai.found_cases import tell_left_out
from calib_monai.other_spelling import spelled_otherwise
from calib_monai.phantoms import make_phantoms

DATA = Path(__file__).parents[2] / "shared" / "data"  # where there are some
REAL = {
    "ACDC": acdc_split,
    "Dataset_BUSI_with_GT": busi_split,
    "Task04_Hippocampus": hippocampus_split,
}


def told(datalist: partial[object], caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """The level and the text of what is logged of the files of no case."""
    caplog.clear()
    caplog.set_level("INFO")
    tell_left_out(datalist, datalist())  # type: ignore[arg-type]
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_a_patient_whose_folder_has_a_capital_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_acdc(str(tmp_path), make_phantoms(8, seed=5, num_classes=4))
    first = next((tmp_path / "training").iterdir())
    (first / f"{first.name}_4d.nii.gz").touch()  # of the release
    datalist = partial(acdc_split, dataset_dir=str(tmp_path))
    [(level, line)] = told(datalist, caplog)
    assert level == "INFO"
    assert "1 file(s): 1 of no case" in line
    other = min(path for path in (tmp_path / "training").iterdir() if path != first)
    other.rename(other.with_name(other.name.replace("patient", "Patient")))
    [(level, line)] = told(datalist, caplog)
    assert level == "WARNING"
    assert "5 file(s): 5 of no case (training/Patient" in line


@pytest.mark.parametrize("suffix", [".PNG", ".jpg"])
def test_pictures_with_other_suffixes_are_warned_of(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_busi(str(tmp_path), make_phantoms(10, seed=3, num_classes=2))
    for name in ("benign (2)", "benign (2)_mask"):
        file = tmp_path / "benign" / f"{name}.png"
        Image.open(file).convert("L").save(file.with_suffix(suffix))
        file.unlink()
    [(level, line)] = told(partial(busi_split, dataset_dir=str(tmp_path)), caplog)
    assert level == "WARNING"
    assert f"2 file(s): 2 of no case (benign/benign (2){suffix}, benign/benign (2)_mask{suffix})" in line


@pytest.mark.parametrize("name", ["{}_x.nii", "{}_x.NII.GZ"])
def test_volumes_with_other_suffixes_are_warned_of(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_hippocampus(str(tmp_path), make_phantoms(4, seed=5))
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / folder / name.format("hippocampus")).touch()
    (tmp_path / "imagesTr" / "overview.jpg").touch()
    [(level, line)] = told(partial(hippocampus_split, dataset_dir=str(tmp_path)), caplog)
    assert level == "WARNING"
    assert "3 file(s): 3 of no case (imagesTr/hippocampus_x" in line


def test_other_modalities_unlabeled_cases_and_pictures_of_volumes_are_spelled_alike(tmp_path: Path) -> None:
    of_cases = [tmp_path / "p1" / "t1.nii.gz", tmp_path / "p1" / "seg.nii.gz", Path("/elsewhere/p1.nii")]
    others = [tmp_path / name for name in ("p1/t2.nii.gz", "p2/t1.nii.gz", "p1/T1w.nii.gz", "p1/t1.png", "p1.jpg")]
    others += [tmp_path / "atlas.nii", tmp_path / "originals" / "p1.nrrd"]
    assert not spelled_otherwise(others, of_cases, tmp_path)


@pytest.mark.parametrize("name", REAL)
def test_real_data_gives_no_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"needs {name}")
    read: Callable[..., object] = REAL[name]
    assert "WARNING" not in [level for level, _ in told(partial(read, dataset_dir=str(DATA / name)), caplog)]
