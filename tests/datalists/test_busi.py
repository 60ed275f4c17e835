"""BUSI's folder: lesions in several masks, normal images, what is alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from calib_monai.datalists.busi import busi_split, read_busi, write_busi
from calib_monai.datalists.split_files import patients_of_split
from calib_monai.phantoms import make_phantoms

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "Dataset_BUSI_with_GT"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three benign and three malignant images, free to be broken."""
    write_busi(str(tmp_path / "BUSI"), make_phantoms(6, seed=3, num_classes=2))
    return tmp_path / "BUSI"


def test_an_image_has_all_of_its_masks(folder: Path) -> None:
    masks = {case["case"]: [Path(path).name for path in case["label"]] for case in read_busi(str(folder))}
    assert masks["benign (1)"] == ["benign (1)_mask.png", "benign (1)_mask_1.png"]
    assert masks["benign (2)"] == ["benign (2)_mask.png"]


def test_normal_images_are_taken_where_they_are_asked_for(folder: Path) -> None:
    with pytest.raises(ValueError, match="normal is 'no'; it must be True or False"):
        read_busi(str(folder), normal="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="group_duplicates is 'no'; it must be True or False"):
        busi_split(str(folder), group_duplicates="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has no folder normal"):
        read_busi(str(folder), normal=True)
    (folder / "normal").mkdir()
    for name in ("normal (1).png", "normal (1)_mask.png"):
        Image.new("RGB", (8, 6)).save(folder / "normal" / name)
    assert len(read_busi(str(folder))) == 6
    assert read_busi(str(folder), normal=True)[-1]["case"] == "normal (1)"


def test_what_is_alone_is_named(folder: Path) -> None:
    first = folder / "benign" / "benign (1)_mask.png"
    first.rename(folder / "elsewhere.png")
    with pytest.raises(ValueError, match=r"the image .*benign \(1\)\.png has no mask benign \(1\)_mask\.png"):
        read_busi(str(folder))
    (folder / "elsewhere.png").rename(first)
    image = folder / "malignant" / "malignant (2).png"
    image.rename(folder / "elsewhere.png")
    with pytest.raises(ValueError, match=r"the mask .*malignant \(2\)_mask.png has no image malignant \(2\)\.png"):
        read_busi(str(folder))


def test_the_folder_above_is_recognized(folder: Path) -> None:
    with pytest.raises(ValueError, match=rf"has no folder benign; did you mean {folder}\?"):
        read_busi(str(folder.parent))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not here")
def test_the_real_folder_is_read() -> None:
    assert [len(cases) for cases in busi_split(str(REAL), group_duplicates=False).values()] == [78, 11, 24]
    assert len(read_busi(str(REAL), normal=True)) == 121


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data is not here")
def test_the_near_duplicates_of_the_real_folder_are_on_one_side() -> None:
    split = busi_split(str(REAL))
    assert sum(map(len, split.values())) == 113
    side = {case["case"]: name for name, cases in split.items() for case in cases}
    groups = [("benign (139)", "benign (157)", "benign (65)"), ("malignant (34)", "malignant (92)")]
    groups += [("benign (133)", "benign (51)"), ("benign (130)", "benign (33)"), ("malignant (4)", "malignant (7)")]
    assert all(len({side[name] for name in group}) == 1 for group in groups)
    patients = patients_of_split(split)
    assert patients.keys() == {name for group in groups for name in group}
    assert all(patients[name] == group[0] for group in groups for name in group)
