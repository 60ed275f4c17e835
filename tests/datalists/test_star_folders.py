"""Star folders: files of one case in different folders are told, whatever the folders have in common is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.datalists.patterns import find_cases


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("images", "label", "files", "apart"),
    [
        (
            ["scans/*/{case}_pd.nii", "scans/*/{case}_t2.nii"],
            "masks/{case}.nii",
            ["scans/2019/1_pd.nii", "scans/2021/1_t2.nii", "masks/1.nii"],
            (0, 1),
        ),
        (["scans/*/{case}.nii"], "masks/*/{case}.nii", ["scans/A/1.nii", "masks/B/1.nii"], (0, 1)),
        (["{case}/*/t1.nii"], "{case}/visit_*/s.nii", ["1/A/t1.nii", "1/visit_B/s.nii"], (0, 1)),
        (["*/*/{case}.nii"], "*/*/{case}_s.nii", ["A/1/1.nii", "A/2/1_s.nii"], (0, 1)),
        (["{case}.nii", "*/{case}_x.nii"], "*/{case}_s.nii", ["1.nii", "A/1_x.nii", "B/1_s.nii"], (1, 2)),
    ],
)
def test_two_files_of_different_folders_are_told(
    images: list[str],
    label: str,
    files: list[str],
    apart: tuple[int, int],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    touch(tmp_path, *files)
    assert len(find_cases(str(tmp_path), images, label)) == 1
    first, second = (tmp_path / files[place] for place in apart)
    said = f"1 case(s) have files in different folders where their patterns have *, first {first} and {second}: check"
    assert [message[: len(said)] for message in caplog.messages] == [said]


@pytest.mark.parametrize(
    ("images", "label", "files"),
    [
        (["*/{case}_t1.nii", "*/{case}_t2.nii"], "*/{case}_seg.nii", ["A/1_t1.nii", "A/1_t2.nii", "A/1_seg.nii"]),
        (["imagesTr_*/{case}.nii"], "labelsTr_*/{case}.nii", ["imagesTr_A/1.nii", "labelsTr_A/1.nii"]),
        (["{case}/t2_*.nii"], "{case}/seg_*.nii", ["1/t2_2019.nii", "1/seg_2021.nii"]),
        (["*/{case}.nii"], "masks/{case}.nii", ["A/1.nii", "masks/1.nii"]),
        (["*/*/{case}.nii"], "*/{case}_seg.nii", ["A/B/1.nii", "B/1_seg.nii"]),
        (["{case}_*/t.nii"], "{case}_*/s.nii", ["Mu\u0308_A/t.nii", "M\u00fc_A/s.nii"]),
    ],
)
def test_files_of_the_same_folders_are_not_told(
    images: list[str], label: str, files: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, *files)
    assert len(find_cases(str(tmp_path), images, label)) == 1
    assert caplog.messages == []
