"""Cases: files that cannot be used are refused in one line that names them, and the split is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from checked_phantoms import check, model, warnings_in

from calib_monai.datalists.hippocampus import write_hippocampus
from calib_monai.loading import LoadCased
from calib_monai.phantoms import make_phantoms
from calib_monai.volumes import Rules, read_pair

IMAGE = "imagesTr/phantom_002.nii.gz"
LABEL = "labelsTr/phantom_002.nii.gz"
BOTH = "*Tr/phantom_002.nii.gz"


def edit(path: Path, change: object) -> None:
    """Replace the voxels of a NIfTI by `change(voxels)`."""
    image = nibabel.load(path)
    voxels = change(image.get_fdata(dtype=np.float32))  # type: ignore[operator]
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)


def set_first(value: float) -> object:
    def change(voxels: np.ndarray) -> np.ndarray:
        voxels[0, 0, 0] = value
        return voxels

    return change


def test_a_label_that_is_ignored_is_none_that_is_wrong(phantom_dir: Path) -> None:
    edit(phantom_dir / LABEL, set_first(255))
    with pytest.raises(ValueError, match=r"label value\(s\) 255; with 3 classes they must be whole numbers 0\.\.2$"):
        check(phantom_dir)
    assert check(phantom_dir, made_for=model(ignore_index=255))
    edit(phantom_dir / LABEL, set_first(254))
    with pytest.raises(ValueError, match=r"label value\(s\) 254; with 3 .* 0\.\.2 or 255$"):
        check(phantom_dir, made_for=model(ignore_index=255))


def test_an_ignored_label_is_no_structure(phantom_dir: Path) -> None:
    for path in (phantom_dir / "labelsTr").glob("*.nii.gz"):
        edit(path, lambda voxels: np.float32(255) * (voxels > 0))
    with pytest.raises(ValueError, match="shows a structure"):
        check(phantom_dir, made_for=model(ignore_index=255))


@pytest.mark.parametrize("ignore_index", [2, -1, 256, "255"])
def test_a_class_or_no_byte_cannot_be_ignored(ignore_index: Any, phantom_dir: Path) -> None:
    with pytest.raises(ValueError, match=f"ignore_index is {ignore_index!r}; with 3 classes .* from 3 to 255, or none"):
        check(phantom_dir, made_for=model(ignore_index=ignore_index))


def test_good_cases_pass_and_their_split_is_written(phantom_dir: Path) -> None:
    split = check(phantom_dir)
    for folder in ("eval", "models"):
        written = json.loads((phantom_dir.parent / folder / "split.json").read_text())
        for digests in ("images", "labels"):
            assert len(written.pop(digests, [])) == (6 if folder == "models" else 0)
        assert written.pop("drawn_with") == {"split_seed": 0, "fold": 0, "train_fraction": 1.0}
        assert written == {name: [case["case"] for case in cases] for name, cases in split.items()}
    assert [len(cases) for cases in split.values()] == [5, 1, 2]


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (LABEL, set_first(5), "phantom_002.nii.gz holds the label value(s) 5; with 3 classes"),
        (LABEL, set_first(-1), "label value(s) -1"),
        (LABEL, set_first(0.5), "label value(s) 0.5"),
        (LABEL, set_first(0.9999999), "label value(s) 0.9999999; with 3"),
        (LABEL, set_first(2.0000002), "label value(s) 2.0000002; with 3"),
        (LABEL, set_first(1234567), "label value(s) 1234567; with 3"),
        (IMAGE, lambda voxels: 0 * voxels + np.float32(0.99999994), "holds one value only, 0.99999994, in"),
        (IMAGE, lambda voxels: voxels.round() % 3, "holds only whole numbers from 0 to 2, as a label does"),
        (LABEL, lambda voxels: voxels[1:], "they must be equal"),
        (LABEL, lambda voxels: 255 * voxels, "label value(s) 255, 510"),
        (IMAGE, set_first(np.nan), "phantom_002.nii.gz holds 1 voxel(s) that are NaN or infinite"),
        (IMAGE, set_first(np.inf), "holds 1 voxel(s)"),
        (IMAGE, lambda voxels: voxels[..., None].repeat(2, axis=-1), "has 2 channel(s); in_channels is 1"),
        (BOTH, lambda voxels: np.pad(voxels, ((0, 40), (0, 0), (0, 0))), "slice_size is [48, 64]"),
    ],
)
def test_a_file_that_cannot_be_trained_on_is_named_with_its_value(
    phantom_dir: Path, file: str, change: object, said: str
) -> None:
    for path in phantom_dir.glob(file):
        edit(path, change)
    with pytest.raises(ValueError, match=re.escape(said)) as stop:
        check(phantom_dir)
    assert said in str(stop.value)
    assert "phantom_002" in str(stop.value)
    assert "\n" not in str(stop.value)
    assert not (phantom_dir.parent / "eval").exists()


@pytest.mark.parametrize("content", [b"", b"not a gzip file", None])
def test_a_file_that_cannot_be_read_is_named(phantom_dir: Path, content: bytes | None) -> None:
    path = phantom_dir / IMAGE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"phantom_002\.nii\.gz cannot be read"):
        check(phantom_dir)


def test_labels_that_show_nothing_at_all_are_refused(phantom_dir: Path) -> None:
    for path in (phantom_dir / "labelsTr").iterdir():
        edit(path, lambda voxels: 0 * voxels)
    with pytest.raises(ValueError, match=r"none of the [0-9] labels for training, first .*, shows a structure"):
        check(phantom_dir)


def test_several_bad_files_are_counted_and_each_is_told(phantom_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, value in (("phantom_001", 9), ("phantom_004", 7)):
        edit(phantom_dir / "labelsTr" / f"{name}.nii.gz", set_first(value))
    with pytest.raises(ValueError, match=r"\(and 1 more of 8 cases\)") as stopped:
        check(phantom_dir)
    assert sorted(re.findall(r"phantom_\d+", f"{stopped.value} {caplog.text}")) == ["phantom_001", "phantom_004"]


def test_no_more_than_ten_bad_cases_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_hippocampus(str(tmp_path / "data"), make_phantoms(12))
    for path in (tmp_path / "data" / "labelsTr").iterdir():
        edit(path, set_first(9))
    with pytest.raises(ValueError, match=r"\(and 11 more of 12 cases\)"):
        check(tmp_path / "data")
    assert len(warnings_in(caplog)) == 9


def test_a_label_that_lies_elsewhere_than_its_image_is_refused(phantom_dir: Path) -> None:
    path = phantom_dir / LABEL
    label = nibabel.load(path)
    for affine, fits in ((np.diag([1, 1, 1.005, 1]), True), (np.diag([-1.0, 1, 1, 1]), False)):
        nibabel.save(nibabel.Nifti1Image(np.asarray(label.dataobj), affine), path)
        if fits:
            check(phantom_dir)
        else:
            with pytest.raises(ValueError, match=r"labelsTr/phantom_002.* lies elsewhere than .*imagesTr/phantom_002"):
                check(phantom_dir)
            check(phantom_dir, same_grid=False)


def test_several_masks_of_a_volume_are_refused_by_name(phantom_dir: Path) -> None:
    label = str(phantom_dir / LABEL)
    case = {"image": label.replace("labels", "images"), "label": [label, label], "case": "phantom_002"}
    with pytest.raises(ValueError, match=r"phantom_002.* are the masks of one case; those of a volume must be united"):
        read_pair(case, LoadCased(), Rules(3, 1, 3, None, "RAS", empty_labels=True, same_grid=True))


def test_a_label_that_shows_nothing_is_refused_where_each_must_show_something(phantom_dir: Path) -> None:
    edit(phantom_dir / LABEL, lambda voxels: 0 * voxels)
    check(phantom_dir)
    with pytest.raises(ValueError, match=r"labelsTr/phantom_002\.nii\.gz shows no structure on the grid of"):
        check(phantom_dir, empty_labels=False)


@pytest.mark.parametrize("content", ["", "{}", '{"training": [', '["phantom_001"]'])
def test_a_damaged_split_is_named(phantom_dir: Path, content: str) -> None:
    check(phantom_dir)
    (phantom_dir.parent / "models" / "split.json").write_text(content)
    with pytest.raises(ValueError, match=r"models/split\.json is damaged"):
        check(phantom_dir, keep=True)


def test_what_is_cropped_may_be_larger(phantom_dir: Path) -> None:
    edit(phantom_dir / IMAGE, lambda voxels: np.pad(voxels, ((0, 40), (0, 0), (0, 0))))
    edit(phantom_dir / LABEL, lambda voxels: np.pad(voxels, ((0, 40), (0, 0), (0, 0))))
    assert check(phantom_dir, cropped=True)


def test_a_class_that_no_training_label_shows_is_named(phantom_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["background", "anterior", "posterior"]
    split = check(phantom_dir, made_for=model(class_names=names))
    assert not warnings_in(caplog)
    for case in split["validation"] + split["test"]:  # where a class may well be missing
        edit(Path(str(case["label"])), lambda voxels: np.minimum(voxels, 1))
    check(phantom_dir, made_for=model(class_names=names))
    assert not warnings_in(caplog)
    for case in split["training"]:
        edit(Path(str(case["label"])), lambda voxels: np.minimum(voxels, 1))
    check(phantom_dir, made_for=model(class_names=names), keep=True)
    assert not warnings_in(caplog)
    check(phantom_dir, made_for=model(class_names=names))
    [line] = warnings_in(caplog)
    count = len(split["training"])
    assert line.startswith(f"no label of the {count} training cases shows class 2 (posterior): a network cannot learn")


def test_voxels_that_no_scanner_makes_are_told(phantom_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in phantom_dir.glob("*Tr/phantom_00[12].nii.gz"):
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(image.get_fdata(dtype=np.float32), np.diag([1000.0, 1000, 1000, 1])), path)
    check(phantom_dir)
    [told] = [line for line in warnings_in(caplog) if "edge" in line]
    assert told.startswith("2 of 8 case(s) have voxels with an edge outside of 0.01 to 50.0 mm, first phantom_00")
    assert "with 1000 x 1000 x 1000 mm: are these the units" in told


def test_files_are_compared_with_the_lists_of_the_data_set(phantom_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = phantom_dir / "dataset.json"
    content = json.loads(file.read_text())
    listed = content["training"]
    file.write_text(json.dumps(content | {"training": [], "test": [pair["image"] for pair in listed]}))
    check(phantom_dir)
    [told] = warnings_in(caplog)
    assert told.startswith(f"6 image(s) that {file} lists under 'test' have a label and are used to train or validate")
    listed[2]["label"], listed[3]["label"] = listed[3]["label"], listed[2]["label"]
    file.write_text(json.dumps(content))
    (phantom_dir / LABEL).write_bytes(b"")  # no file of a case is read before
    with pytest.raises(
        ValueError, match=rf"dataset\.json lists .*{IMAGE} with .*labelsTr/phantom_003.* of phantom_003: "
    ):
        check(phantom_dir)
