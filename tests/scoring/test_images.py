"""Images of scored cases: found by their names, and never labels, probabilities or those of another case."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.scoring.images import images_in


def images(root: Path, *names: str, scored: tuple[str, ...] = (), cases: tuple[str, ...] = ("a",)) -> list[str]:
    """The names of the images of the first case in a folder with files of these names."""
    for name in (*names, *scored):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    found = images_in(root, cases[:1], cases, [root / name for name in scored])
    return [str(Path(file).relative_to(root)) for file in found[cases[0]]]


def test_labels_and_probabilities_in_the_same_tree_are_no_images(tmp_path: Path) -> None:
    scored = ("labelsTr/a.nii.gz", "probs/a.nii.gz")
    assert images(tmp_path, "imagesTr/a.nii.gz", scored=scored) == ["imagesTr/a.nii.gz"]


def test_channels_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert images(tmp_path, "b/a_0000.nii.gz", "a/a_0001.nii.gz") == ["b/a_0000.nii.gz", "a/a_0001.nii.gz"]


def test_a_name_that_begins_alike_is_that_of_another_case(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no image of pat1; it holds pat10001.nii.gz, pat10002.nii.gz"):
        images(tmp_path, "pat10001.nii.gz", "pat10002.nii.gz", cases=("pat1", "pat10001", "pat10002"))
    names = ("pat1_0000.nii.gz", "pat1_0001.nii.gz")
    assert images(tmp_path, *names, cases=("pat1", "pat1_0001")) == ["pat1_0000.nii.gz"]


@pytest.mark.parametrize("other", ["older/a_0000.nii.gz", "predictions/a.nii.gz", "x/a_img.nii.gz"])
def test_two_files_that_are_not_two_channels_are_refused(tmp_path: Path, other: str) -> None:
    with pytest.raises(ValueError, match=r"imagesTr/a_0000.nii.gz and .* are both the image of a; there must be one"):
        images(tmp_path, "imagesTr/a_0000.nii.gz", other)
