"""The demo: its real images, and its figures, which are held to those of docs/get_started.md."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import check_demo
import pytest
import real_cases

PAGE = Path(check_demo.__file__).parents[1] / "docs" / "get_started.md"
FIGURES = {
    "hippocampus_nacl": {"dice_foreground": 0.813, "ece_foreground": 0.045, "nll_all": 0.087},
    "hippocampus_dice_ce": {"dice_foreground": 0.812, "ece_foreground": 0.121, "nll_all": 0.057},
}


@pytest.mark.parametrize(
    ("of_nacl", "said"),
    [
        ({}, ""),
        ({"dice_foreground": 0.77}, r"'(Dice is about equal)', says .*; in demo dice_foreground of NACL is 0\.770"),
        ({"ece_foreground": 0.125}, r"'(There NACL has the smaller ECE)', .* 0\.125, of CE\+Dice 0\.121"),
        ({"nll_all": 0.057}, r"'(Its likelihood is worse)', .* nll_all of NACL is 0\.057, of CE\+Dice 0\.057"),
    ],
)
def test_a_sentence_of_the_page_that_does_not_hold_is_told(
    of_nacl: dict[str, float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(folder: Path) -> SimpleNamespace:
        return SimpleNamespace(metrics=FIGURES[folder.name] | (of_nacl if folder.name == "hippocampus_nacl" else {}))

    monkeypatch.setattr(check_demo, "read_run", read)
    if not said:
        check_demo.check_demo(Path("demo"))
        return
    with pytest.raises(ValueError, match=said) as told:
        check_demo.check_demo(Path("demo"))
    sentence = re.search(said, str(told.value))
    assert sentence
    assert sentence[1] in " ".join(PAGE.read_text(encoding="utf-8").split())


def test_real_images_are_test_cases_of_the_trained_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(_archive: Path, folder: Path) -> None:
        for kind in ("imagesTr", "labelsTr"):
            (folder / real_cases.TASK / kind).mkdir(parents=True)
            for case in ("hippocampus_011", "hippocampus_019", "hippocampus_001"):
                (folder / real_cases.TASK / kind / f"{case}.nii.gz").write_text(f"{kind} of {case}")

    monkeypatch.setattr(real_cases, "download_url_to_file", lambda _, file, **__: Path(file).touch())
    monkeypatch.setattr(real_cases, "extractall", extract)
    with pytest.raises(ValueError, match=r"Task04_Hippocampus.tar is not the data set: remove it"):
        real_cases.downloaded(tmp_path)
    monkeypatch.setattr(real_cases, "check_hash", lambda *_: True)
    data = real_cases.downloaded(tmp_path)
    assert real_cases.copy_cases(data, tmp_path / "cases", 2) == ["hippocampus_011", "hippocampus_019"]
    assert (tmp_path / "cases" / "labelsTr" / "hippocampus_019.nii.gz").read_text() == "labelsTr of hippocampus_019"
    assert len(list((tmp_path / "cases").rglob("*.nii.gz"))) == 4
    with pytest.raises(ValueError, match=r"hippocampus_024.nii.gz is not there; .* must be the folder Task04_Hippo"):
        real_cases.copy_cases(data, tmp_path / "more", 3)


def test_without_a_network_the_address_and_the_reason_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(real_cases, "download_url_to_file", fail)
    with pytest.raises(ValueError, match=r"^https://.*Task04_Hippocampus.tar cannot be downloaded: no route to host$"):
        real_cases.downloaded(tmp_path)


def test_a_data_set_is_not_taken_for_the_folder_to_write_to(tmp_path: Path) -> None:
    (tmp_path / "imagesTr").mkdir()
    script = PAGE.parents[1] / "scripts" / "demo.sh"
    done = subprocess.run(["bash", str(script), str(tmp_path)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path} holds a data set (imagesTr), and the demo would write into it")
    assert [path.name for path in tmp_path.iterdir()] == ["imagesTr"]
