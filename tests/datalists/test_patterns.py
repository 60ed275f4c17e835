"""Patterns: files named by their case are found and paired, and what is alone is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calib_monai.datalists.patterns import find_cases, is_named, pattern_split


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, *images: str, label: str, **options: object) -> dict[str, tuple[object, str]]:
    def told(path: str) -> str:
        return Path(path).relative_to(folder).as_posix()

    return {
        case["case"]: (
            [told(path) for path in case["image"]] if isinstance(case["image"], list) else told(case["image"]),
            told(case["label"]),
        )
        for case in find_cases(str(folder), images, label, **options)  # type: ignore[arg-type]
    }


def test_image_and_label_of_one_name_are_a_case(tmp_path: Path) -> None:
    touch(tmp_path, "i/a.nii", "i/b.nii", "l/b.nii", "l/a.nii", "l/._a.nii", "i/.b.nii", "i/notes.txt")
    assert found(tmp_path, "i/{case}.nii", label="l/{case}.nii") == {
        "a": ("i/a.nii", "l/a.nii"),
        "b": ("i/b.nii", "l/b.nii"),
    }


def test_a_label_that_lies_beside_its_image_is_no_image(tmp_path: Path) -> None:
    touch(tmp_path, "Case00.mhd", "Case00_segmentation.mhd")
    assert list(found(tmp_path, "{case}.mhd", label="{case}_segmentation.mhd")) == ["Case00"]


def test_channels_come_in_the_order_of_their_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "p/1/t2_x.nii", "p/1/t1.nii", "p/1/1_seg.nii")
    cases = found(tmp_path, "p/{case}/t1.nii", "p/{case}/t2_*.nii", label="p/{case}/{case}_seg.nii")
    assert cases == {"1": (["p/1/t1.nii", "p/1/t2_x.nii"], "p/1/1_seg.nii")}


def test_a_release_may_lie_in_one_of_several_places(tmp_path: Path) -> None:
    touch(tmp_path, "x/HGG/a/a.nii", "x/HGG/a/a_seg.nii", "LGG/b/b.nii", "LGG/b/b_seg.nii")
    cases = found(tmp_path, "{case}/{case}.nii", label="{case}/{case}_seg.nii", places=("LGG", "*/HGG"))
    assert list(cases) == ["a", "b"]


def test_what_is_alone_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "i/a.nii", "i/b.nii", "l/b.nii")
    with pytest.raises(ValueError, match=r"1 image\(s\) without a partner l/\{case\}\.nii: .*i/a\.nii"):
        found(tmp_path, "i/{case}.nii", label="l/{case}.nii")
    assert list(found(tmp_path, "i/{case}.nii", label="l/{case}.nii", unlabeled=True)) == ["b"]
    touch(tmp_path, *(f"l/{name}.nii" for name in "cdefgh"))
    with pytest.raises(ValueError, match=r"6 label\(s\) without a partner i/.*l/c\.nii, .*l/g\.nii and 1 more"):
        found(tmp_path, "i/{case}.nii", label="l/{case}.nii", unlabeled=True)


def test_two_files_for_one_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "p/1/t2_x.nii", "p/1/t2_y.nii", "p/1/seg.nii")
    with pytest.raises(ValueError, match=r"t2_x\.nii and .*t2_y\.nii are of one case, 1"):
        found(tmp_path, "p/{case}/t2_*.nii", label="p/{case}/seg.nii")
    touch(tmp_path, "i/a.png", "o/a_mask.png", "o/a_mask_1.png")
    with pytest.raises(
        ValueError, match=r"of one case, a; there must be one of them; unite the masks of a case in one"
    ):
        found(tmp_path, "i/{case}.png", label="o/{case}_mask*.png")


def test_several_masks_of_a_picture_are_found_if_asked_for(tmp_path: Path) -> None:
    touch(tmp_path, "i/a.png", "i/b.png", "m/a_mask.png", "m/a_mask_1.png", "m/b_mask.png")
    cases = find_cases(str(tmp_path), ["i/{case}.png"], "m/{case}_mask*.png", several_masks=True)
    masks = {case["case"]: case["label"] for case in cases}
    assert masks == {
        "a": [str(tmp_path / "m" / f"a_mask{number}.png") for number in ("", "_1")],
        "b": str(tmp_path / "m" / "b_mask.png"),
    }
    with pytest.raises(ValueError, match=r"several_masks is .yes.; it must be True or False"):
        find_cases(str(tmp_path), ["i/{case}.png"], "m/{case}_mask*.png", several_masks="yes")  # type: ignore[arg-type]


def test_no_mask_is_taken_for_an_image(tmp_path: Path) -> None:
    touch(tmp_path, "a/a.png", "a/a_1.png", "a/a_2.png")
    [case] = find_cases(str(tmp_path), ["{case}/*.png"], "{case}/{case}_*.png", several_masks=True)
    assert case["image"] == str(tmp_path / "a" / "a.png")


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        find_cases(str(tmp_path / "nowhere"), ["i/{case}.nii"], "l/{case}.nii")
    with pytest.raises(ValueError, match=r"holds no label l/\{case\}\.nii, in itself; it is empty$"):
        find_cases(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii")
    touch(tmp_path, "release/l/a.nii")
    with pytest.raises(ValueError, match=r"l/\{case\}\.nii, in itself; did you mean .*release\?; it holds release"):
        find_cases(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii")
    for pattern in ("i/*.nii", ""):
        with pytest.raises(ValueError, match=rf"the pattern '{re.escape(pattern)}' must name the case"):
            find_cases(str(tmp_path), [pattern], "l/{case}.nii")
    with pytest.raises(ValueError, match="images is empty; it must have a pattern for each channel"):
        find_cases(str(tmp_path), [], "l/{case}.nii")


@pytest.mark.parametrize("image", ["./i/{case}.nii", "i//{case}.nii", "i/./{case}.nii", "i/{case}*.nii"])
def test_a_pattern_may_be_written_in_another_way(image: str, tmp_path: Path) -> None:
    touch(tmp_path, "i/a.nii", "l/a.nii")
    assert found(tmp_path, image, label="./l//{case}.nii") == {"a": ("i/a.nii", "l/a.nii")}
    assert is_named(tmp_path / "i" / "a.nii", image)


def test_a_pattern_may_hold_what_glob_takes_for_something_else(tmp_path: Path) -> None:
    touch(tmp_path, "scan [T1]/a?.nii", "scan T/a?.nii", "[!l]/a.nii", "l/a.nii")
    assert found(tmp_path, "scan [T1]/{case}?.nii", label="[!l]/{case}.nii") == {
        "a": ("scan [T1]/a?.nii", "[!l]/a.nii")
    }


def test_two_stars_are_refused_with_what_to_write(tmp_path: Path) -> None:
    said = r"the pattern 'i/\*\*/\{case\}\.nii' must not hold \*\*: write one \* for each folder"
    with pytest.raises(ValueError, match=said):
        find_cases(str(tmp_path), ["i/**/{case}.nii"], "l/{case}.nii")


@pytest.mark.parametrize(("image", "label"), [("Mu\u0308ller", "M\u00fcller"), ("M\u00fcller", "Mu\u0308ller")])
def test_accents_may_be_written_in_two_ways(image: str, label: str, tmp_path: Path) -> None:
    touch(tmp_path, f"i/{image}.nii", f"l/{label}.nii")
    [case] = find_cases(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii")
    assert case == {"image": str(tmp_path / f"i/{image}.nii"), "label": str(tmp_path / f"l/{label}.nii"), "case": label}
    touch(tmp_path, f"i/{label}.nii")
    with pytest.raises(ValueError, match=f"are of one case, {label}; there must be one of them"):
        find_cases(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii")


def test_a_folder_of_ones_own_is_split(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{kind}/{number}.nii" for kind in "il" for number in range(20)))
    split = pattern_split(str(tmp_path), ["i/{case}.nii"], "l/{case}.nii")
    assert [len(cases) for cases in split.values()] == [14, 2, 4]


@pytest.mark.parametrize(
    ("image", "label", "tests"),
    [
        ("images*/{case}.nii", "labelsTr/{case}.nii", "imagesTs"),
        ("*/{case}.nii", "masks/{case}.nii", "test"),
        ("*/{case}.nii", "*/{case}_seg.nii", "Testing_2"),
        ("*/{case}/t1.nii", "*/{case}/seg.nii", "validation"),
        ("a/*/{case}/x/{case}.nii", "a/*/{case}/y.nii", "unlabeled"),
    ],
)
def test_a_test_set_without_labels_is_passed_over(
    image: str, label: str, tests: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def written(pattern: str, folder: str, case: str) -> str:
        return pattern.replace("images*", folder).replace("*", folder).replace("{case}", case)

    trained_on = "imagesTr" if tests == "imagesTs" else "training"
    touch(tmp_path, *(written(pattern, trained_on, case) for pattern in (image, label) for case in ("1", "2")))
    before = found(tmp_path, image, label=label)
    assert list(before) == ["1", "2"]
    touch(tmp_path, *(written(image, tests, case) for case in ("2", "3")))
    assert found(tmp_path, image, label=label) == before
    assert "2 image(s) without a label are skipped, first" in caplog.text
    touch(tmp_path, written(image, "images_b", "4"))
    with pytest.raises(ValueError, match=r"1 image\(s\) without a partner"):
        found(tmp_path, image, label=label)


def test_a_test_set_in_which_a_label_is_missing_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.nii", "train/1_seg.nii", "test/2.nii", "test/2_seg.nii", "test/3.nii")
    with pytest.raises(ValueError, match=r"1 image\(s\) without a partner .*test/3\.nii"):
        found(tmp_path, "*/{case}.nii", label="*/{case}_seg.nii")
