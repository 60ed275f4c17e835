"""NCI-ISBI's folder: two sites, images in several formats, fewer training cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import itk
import nibabel
import numpy as np
import pytest
from monai.bundle import ConfigParser

from calib_monai.datalists.files import save_nifti
from calib_monai.datalists.inputs import images_in
from calib_monai.datalists.nci_isbi import is_label, nci_isbi_split, read_nci_isbi, write_nci_isbi
from calib_monai.phantoms import make_phantoms
from calib_monai.volumes import Rules, read_pair

PART = Path(__file__).parents[2] / "scripts" / "parts" / "datasets" / "nci_isbi.json"
RULES = Rules(3, in_channels=1, spatial_dims=3, largest=None, axcodes="LPS", empty_labels=False, same_grid=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As many patients of both sites as were released; files are empty, but for their names."""
    for site, count in (("Prostate3T", 30), ("ProstateDx", 40)):
        for number in range(1, count + 1):
            patient = f"{site}-01-{number:04d}"
            for path in (
                f"Training/{patient}_truth.nrrd",
                f"NCI/{patient}/1.2/3.4/000",
                f"NCI/{patient}/1.2/3.4/1.DCM",
            ):
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(bytes(128) + b"DICM")
    return tmp_path


@pytest.mark.parametrize(("num_train", "of_sites"), [(6, (3, 3)), (12, (6, 6)), (36, (13, 23)), (99, (13, 23))])
def test_both_sites_are_drawn_from_as_published(folder: Path, num_train: int, of_sites: tuple[int, int]) -> None:
    split = nci_isbi_split(str(folder), num_train=num_train)
    counts = {
        name: tuple(sum(case["case"].startswith(site) for case in cases) for site in ("Prostate3T", "ProstateDx"))
        for name, cases in split.items()
    }
    assert counts == {"training": of_sites, "validation": (2, 2), "test": (15, 15)}


def test_fewer_training_cases_are_some_of_the_more(folder: Path) -> None:
    few, more = (nci_isbi_split(str(folder), num_train=number) for number in (6, 12))
    assert all(case in more["training"] for case in few["training"])
    assert few["test"] == more["test"]
    with pytest.raises(ValueError, match="num_train is 0"):
        nci_isbi_split(str(folder), num_train=0)


def test_an_image_is_a_series_or_a_file(folder: Path) -> None:
    series = folder / "NCI" / "Prostate3T-01-0002"
    series.rename(folder / "elsewhere")
    save_nifti(folder / "nifti" / "Prostate3T-01-0002.nii.gz", np.zeros((2, 2, 2), np.int16), np.eye(4))
    images = {case["case"]: Path(case["image"]) for case in read_nci_isbi(str(folder))}
    assert images["Prostate3T-01-0001"] == folder / "NCI" / "Prostate3T-01-0001" / "1.2" / "3.4"
    assert nibabel.load(images["Prostate3T-01-0002"]).shape == (2, 2, 2)
    (folder / "nifti" / "Prostate3T-01-0002.nii.gz").unlink()
    (folder / "Images").mkdir()
    (folder / "Images" / "Prostate3T-01-0002.nrrd").touch()
    images = {case["case"]: Path(case["image"]) for case in read_nci_isbi(str(folder))}
    assert images["Prostate3T-01-0002"].parent.name == "Images"


def test_two_series_of_a_patient_are_named(folder: Path) -> None:
    other = folder / "NCI" / "Prostate3T-01-0001" / "1.2" / "9.9" / "000.dcm"
    other.parent.mkdir()
    other.touch()
    with pytest.raises(ValueError, match=r"3\.4 and .*9\.9 are of one patient, Prostate3T-01-0001"):
        read_nci_isbi(str(folder))


def without_slices(folder: Path) -> None:
    for number in (5, 6, 7):
        next(folder.rglob(f"00{number}.dcm")).unlink()


def moved_label(folder: Path) -> None:
    label = folder / "Training" / "Prostate3T-01-0001.nrrd"
    image = itk.imread(str(label))
    image.SetOrigin([0.0, 0.0, 60.0])
    itk.imwrite(image, str(label))


def second_series(folder: Path) -> None:
    first = next(folder.rglob("000.dcm"))
    reader = itk.GDCMImageIO.New(KeepOriginalUID=True)
    image = itk.imread(str(first), imageio=reader)
    image.SetMetaDataDictionary(reader.GetMetaDataDictionary())
    image.GetMetaDataDictionary()["0020|000e"] = "1.2.3"
    itk.imwrite(image, str(first.with_name("other.dcm")), imageio=reader)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: None, ""),
        (without_slices, "series lacks slices: between 14.4 and 28.8 mm along its axis is a gap of 14.4 mm"),
        (moved_label, r"Prostate3T-01-0001.nrrd loses \d\d% of its volume on the grid of"),
        (second_series, "series holds 2 DICOM series"),
    ],
)
def test_a_case_that_is_not_whole_is_refused(change: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    write_nci_isbi(str(tmp_path), make_phantoms(1, num_classes=3))
    change(tmp_path)
    part = json.loads(PART.read_text(encoding="utf-8"))["both"] | {"keys": ["image", "label"]}
    loading = ConfigParser(part).get_parsed_content("loading")
    [case] = read_nci_isbi(str(tmp_path))
    if not said:
        assert read_pair(case, loading, RULES)
    else:
        with pytest.raises(ValueError, match=said):
            read_pair(case, loading, RULES)


def test_images_without_a_label_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_nci_isbi(str(tmp_path), make_phantoms(4))
    (tmp_path / "Training" / "ProstateDx-01-0001.nrrd").unlink()
    assert len(read_nci_isbi(str(tmp_path))) == 3
    assert "1 image(s) without a label are skipped, first " in caplog.text
    assert "DICOM/ProstateDx-01-0001" in caplog.text


def test_labels_among_inputs_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    write_nci_isbi(str(tmp_path), make_phantoms(2, num_classes=3))
    label = tmp_path / "Training" / "Prostate3T-01-0001.nrrd"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / label.name).write_bytes(label.read_bytes())
    found = [str(case["image"]) for case in images_in(tmp_path, is_label)]
    assert len(found) == 3
    assert str(label) not in found
    assert "2 label(s)" in caplog.text
    with pytest.raises(ValueError, match=rf"holds no .* but label\(s\), first {label}"):
        images_in(label, is_label)
