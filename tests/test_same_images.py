"""Copies of a case under another name: left out or refused where results would say too much."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from checked_phantoms import check, warnings_in
from numpy.typing import NDArray

from calib_monai.datalists.split_files import OtherCases
from calib_monai.datalists.splits import Split
from calib_monai.same_images import WHY, digest_of, label_digest_of, without_copies


def test_an_image_is_known_by_its_voxels_and_its_shape() -> None:
    image = torch.arange(24.0).reshape(1, 4, 6)
    assert digest_of(image) == digest_of(image.clone()) != b""
    assert digest_of(image) == digest_of(image.transpose(1, 2).contiguous().transpose(1, 2))
    assert digest_of(image) != digest_of(image.reshape(1, 6, 4))
    assert digest_of(image) != digest_of(image.flip(1))
    assert digest_of(torch.ones(1, 4, 6)) == b""
    volume, affine = torch.arange(24.0).reshape(1, 2, 3, 4), np.diag([1.0, 2, 3, 1])
    for axes, flipped in (((0, 1, 2), [0]), ((2, 0, 1), []), ((1, 2, 0), [1, 2])):
        stored, placed = volume.permute(0, *(axis + 1 for axis in axes)), affine[:, [*axes, 3]]
        for axis in flipped:
            stored, placed = stored.flip(axis + 1), placed @ np.diag([-1.0 if axis == each else 1 for each in range(4)])
        assert digest_of(stored, placed) == digest_of(volume, affine) != digest_of(stored)
    scans = torch.randint(0, 4000, (2, 30, 20, 10), generator=torch.Generator().manual_seed(1)).float()
    for changed in (2 * scans - 1024, scans / 3999, torch.stack([scans[0] / 7, scans[1] + 3])):
        assert digest_of(changed) == digest_of(scans) != digest_of(-changed)
    large = torch.rand(2, 600, 700, generator=torch.Generator().manual_seed(0))
    assert digest_of(large) == digest_of(large.clone()) != digest_of(large.flip(2))


def test_a_label_is_known_by_all_its_voxels() -> None:
    label = torch.zeros(1, 40, 50, 60)
    label[0, 7, 8, 9] = 1
    affine = np.diag([1.0, 2, 3, 1])
    assert label_digest_of(label, affine) == label_digest_of(label.flip(1), affine @ np.diag([-1.0, 1, 1, 1]))
    for changed in (2 * label, label.roll(1, 1), label.reshape(1, 50, 40, 60)):
        assert label_digest_of(changed, affine) != label_digest_of(label, affine)
    assert label_digest_of(label[..., 0]) == label_digest_of(label[..., 0].clone())


def split_of(training: str, validation: str, test: str, patients: dict[str, str] | None = None) -> Split:
    """A split of cases that are letters."""
    lists = {"training": training, "validation": validation, "test": test}
    of = patients or {}
    return {
        name: [{"case": case} | ({"patient": of[case]} if case in of else {}) for case in cases]
        for name, cases in lists.items()
    }


def parted(split: Split, same: str = "", *, apart: bool = False, given: bool = False) -> tuple[str, list[str]]:
    """What `without_copies` makes of a split in which the cases of `same` have one image."""
    names = [case["case"] for cases in split.values() for case in cases]
    digests = [b"same" if name in same else name.encode() for name in names]
    kept, left_out = without_copies(split, list(split), digests, apart=apart, given=given)
    return " ".join("".join(case["case"] for case in cases) for cases in kept.values()), left_out


@pytest.mark.parametrize(
    ("same", "kept", "left_out"),
    [
        ("", "abc de fg", ""),
        ("ab", "abc de fg", ""),  # in one set
        ("af", "bc de fg", "a"),
        ("abf", "c de fg", "ab"),
        ("ad", "bc de fg", "a"),
        ("adf", "bc e fg", "ad"),
        ("dg", "abc e fg", "d"),
    ],
)
def test_an_image_stays_in_the_last_of_its_sets(same: str, kept: str, left_out: str) -> None:
    assert parted(split_of("abc", "de", "fg"), same) == (kept, list(left_out))
    assert parted(split_of("abc", "de", "fg"), same, apart=True) == ("abc de fg", [])


def test_all_cases_of_a_patient_are_left_out_with_a_copy() -> None:
    split = split_of("abc", "de", "fg", {"a": "p", "b": "p", "f": "q"})
    assert parted(split, "af") == ("c de fg", ["a", "b"])


def test_copies_are_told(caplog: pytest.LogCaptureFixture) -> None:
    split = split_of("abc", "de", "fg")
    with caplog.at_level(logging.WARNING):
        parted(split)
        assert not caplog.records
        parted(split, "abf")
        parted(split, "ab")
        parted(split, "cf", apart=True)
    assert [record.getMessage() for record in caplog.records] == [
        f"2 case(s) are left out, first a: the image of a (training) is that of f (test). {WHY}",
        "1 case(s) are copies of others: the image of b (training) is that of a (training)",
        "1 case(s) are copies of others: the image of c (training) is that of f (test)",
    ]


def test_copies_in_lists_of_ones_own_and_sets_without_a_case_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^the image of b \(training\) is that of f \(test\): leave one out of"):
        parted(split_of("abc", "de", "fg"), "bf", given=True)
    with pytest.raises(ValueError, match=r"^no case is left for validation: the image of d \(validation\) is that"):
        parted(split_of("abc", "d", "fg"), "df")


def copy(folder: Path, source: str, target: str) -> None:
    """Make a case the copy of another one, in other bytes."""
    for place in ("imagesTr", "labelsTr"):
        content = gzip.decompress((folder / place / f"{source}.nii.gz").read_bytes())
        (folder / place / f"{target}.nii.gz").write_bytes(gzip.compress(content, mtime=1))


def test_a_training_leaves_out_a_copy_of_a_test_case_and_resumes(phantom_dir: Path) -> None:
    drawn = check(phantom_dir)
    trained, tested = drawn["training"][0]["case"], drawn["test"][0]["case"]
    copy(phantom_dir, tested, trained)
    cases = check(phantom_dir)
    assert [case["case"] for case in cases["training"]] == [case["case"] for case in drawn["training"][1:]]
    assert cases["test"] == drawn["test"]
    beside_model = phantom_dir.parent / "models" / "split.json"
    assert json.loads(beside_model.read_text())["left_out"] == [trained]
    (beside_model.parent / "model.pt").touch()
    assert dict(check(phantom_dir)) == dict(cases)
    other = drawn["training"][1]["case"]
    copy(phantom_dir, drawn["validation"][0]["case"], other)
    with pytest.raises(ValueError, match="holds a model that was trained with another split, which --resume does not"):
        check(phantom_dir)
    assert json.loads(beside_model.read_text())["left_out"] == [trained]
    assert check(phantom_dir, overwrite=True).left_out == [trained, other]
    assert json.loads(beside_model.read_text())["left_out"] == [trained]  # until the model is replaced
    assert check(phantom_dir, keep=True, use=["test"])["test"] == drawn["test"]


def test_a_split_of_ones_own_must_not_have_a_copy_in_two_lists(phantom_dir: Path, tmp_path: Path) -> None:
    copy(phantom_dir, "phantom_002", "phantom_001")
    mine = tmp_path / "mine.json"
    lists = {"training": ["phantom_001"], "validation": ["phantom_003"], "test": ["phantom_002"]}
    mine.write_text(json.dumps(lists))
    with pytest.raises(ValueError, match=r"^the image of phantom_001 \(training\) is that of phantom_002 \(test\): "):
        check(phantom_dir, split_file=str(mine))
    mine.write_text(json.dumps(lists | {"training": ["phantom_001", "phantom_002"], "test": ["phantom_004"]}))
    assert len(check(phantom_dir, split_file=str(mine))["training"]) == 2


def measured(folder: Path, other: Path, *models: str) -> list[str]:
    """The cases of another folder, as an evaluation takes them, of the models in these folders or in "models"."""
    cases = [
        {"case": file.name[0], "image": str(file), "label": str(other / "labelsTr" / file.name)}
        for file in sorted((other / "imagesTr").iterdir())
    ]
    split = OtherCases({"training": [], "validation": [], "test": cases})
    dirs = [str(folder.parent / name) for name in models]
    checked = check(folder, datalist=lambda: split, keep=True, use=["test"], ckpt_dirs=dirs)
    return [case["case"] for case in checked["test"]]


def test_other_data_with_an_image_that_a_model_has_seen_are_refused_under_any_name_and_in_any_file(
    phantom_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = check(phantom_dir)
    beside_model = phantom_dir.parent / "models" / "split.json"
    seen = [case["case"] for name in ("training", "validation") for case in drawn[name]]
    assert list(json.loads(beside_model.read_text())["images"]) == seen
    other = tmp_path / "other"
    for place in ("imagesTr", "labelsTr"):
        (other / place).mkdir(parents=True)
        shutil.copy(phantom_dir / place / f"{drawn['test'][0]['case']}.nii.gz", other / place / "x.nii.gz")
    assert measured(phantom_dir, other) == ["x"]
    for name, case in (("training", drawn["training"][-1]), ("validation", drawn["validation"][0])):
        for place, key in (("imagesTr", "image"), ("labelsTr", "label")):
            image = nibabel.load(case[key])
            stored = nibabel.Nifti1Image(np.asarray(image.dataobj).astype(np.float64), image.affine)
            nibabel.save(stored, other / place / "y.nii.gz")
        told = rf"^the image of y \(test\) is that of {case['case']}, which .*models.split.json has for {name}: measure"
        with pytest.raises(ValueError, match=told):
            measured(phantom_dir, other)
        member = phantom_dir.parent / f"not_{name}"
        member.mkdir()
        content = json.loads(beside_model.read_text())
        content["images"][case["case"]] = 32 * "0"
        (member / "split.json").write_text(json.dumps(content))
        assert measured(phantom_dir, other, member.name) == ["x", "y"]
        with pytest.raises(ValueError, match=told):
            measured(phantom_dir, other, member.name, "models")
    beside_model.write_text(json.dumps({name: [case["case"] for case in drawn[name]] for name in drawn}))
    assert measured(phantom_dir, other) == ["x", "y"]
    assert "split.json does not say which images the model has seen" in warnings_in(caplog)[-1]


def test_a_member_of_an_ensemble_must_not_have_seen_a_test_image_under_another_name(phantom_dir: Path) -> None:
    drawn = check(phantom_dir)
    tested, trained = drawn["test"][0]["case"], drawn["training"][0]["case"]
    member = phantom_dir.parent / "member"
    shutil.copytree(phantom_dir.parent / "models", member)
    dirs = [str(phantom_dir.parent / "models"), str(member)]
    again = {"keep": True, "use": ["test"], "ckpt_dirs": dirs}
    assert check(phantom_dir, **again)["test"] == drawn["test"]
    copy(phantom_dir, trained, tested)
    with pytest.raises(ValueError, match=rf"^the image of {tested} \(test\) is that of {trained}, which .*models"):
        check(phantom_dir, **again)
    content = json.loads((phantom_dir.parent / "models" / "split.json").read_text())
    content["drawn_with"]["group_duplicates"] = False  # copies stay where they are
    (phantom_dir.parent / "models" / "split.json").write_text(json.dumps(content))
    assert check(phantom_dir, **again)["test"] == drawn["test"]


def test_data_that_were_numbered_anew_are_not_those_of_the_training(phantom_dir: Path) -> None:
    drawn = check(phantom_dir)
    tested, valid, trained = (drawn[name][0]["case"] for name in ("test", "validation", "training"))
    copy(phantom_dir, tested, valid)
    with pytest.raises(ValueError, match=rf"^{valid} has another image than .*split.json has for validation: give"):
        check(phantom_dir, keep=True, use=["validation"])
    copy(phantom_dir, trained, tested)
    with pytest.raises(ValueError, match=rf"^the image of {tested} \(test\) is that of {trained}, which .*split.json"):
        check(phantom_dir, keep=True, use=["test"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda digests: digests.pop("phantom_000"), "has {key} of other cases than it lists"),
        (lambda digests: digests.update(another=32 * "0"), "has {key} of other cases than it lists"),
        (lambda digests: digests.update(phantom_000="0"), "split.json .*{key}.phantom_000"),
    ],
)
@pytest.mark.parametrize("key", ["images", "labels"])
def test_digests_that_were_edited_are_refused(phantom_dir: Path, key: str, change: Any, said: str) -> None:
    check(phantom_dir)
    beside_model = phantom_dir.parent / "models" / "split.json"
    content = json.loads(beside_model.read_text())
    change(content[key])
    beside_model.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=said.format(key=key)):
        check(phantom_dir, keep=True, use=["test"])


def with_one_more_voxel(label: NDArray[Any]) -> NDArray[Any]:
    label = label.copy()
    label[0, 0, 0] = 1
    return label


@pytest.mark.parametrize(("kind", "changed"), [("image", np.flipud), ("label", with_one_more_voxel)])
def test_a_training_with_other_files_of_the_same_names_does_not_resume(
    phantom_dir: Path, kind: str, changed: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    drawn = check(phantom_dir)
    models = phantom_dir.parent / "models"
    (models / "model.pt").touch()
    first = drawn["training"][0]["case"]
    assert dict(check(phantom_dir)) == dict(drawn)
    path = phantom_dir / f"{kind}sTr" / f"{first}.nii.gz"
    stored = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(changed(np.asarray(stored.dataobj)), stored.affine), path)
    with pytest.raises(ValueError, match=f"model that was trained with another {kind} of {first}, which --resume"):
        check(phantom_dir)
    before = (models / "split.json").read_bytes()
    assert check(phantom_dir, overwrite=True).replaced == models / "split.json"
    assert (models / "split.json").read_bytes() == before  # until the model is replaced
