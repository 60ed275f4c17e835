"""The demo: its real images, and its figures, which are held to those of docs/get_started.md."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import check_demo
import pytest
import real_cases


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"ece_foreground": 0.009}, ""),
        (
            {"ece_foreground": 0.011},
            r"ece_foreground of NACL and CE\+Dice is 0\.060 and 0\.086 in demo; .* says",
        ),
        ({"ece_plausible": -0.03}, r"ece_plausible of NACL and CE\+Dice is 0\.015 and -0\.007"),
        ({"nll_all": 0.0}, "better likelihood"),
    ],
)
def test_other_figures_than_those_of_the_page_are_told(
    change: dict[str, float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {
        "hippocampus_nacl": {"ece_foreground": 0.049, "ece_plausible": 0.045, "nll_all": 0.07},
        "hippocampus_dice_ce": {"ece_foreground": 0.075, "ece_plausible": 0.023, "nll_all": 0.04},
    }

    def read(folder: Path) -> SimpleNamespace:
        found = {name: value + change.get(name, 0) for name, value in measured[folder.name].items()}
        return SimpleNamespace(metrics=found | ({"nll_all": 0.05} if "nll_all" in change else {}))

    monkeypatch.setattr(check_demo, "read_run", read)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    if said:
        with pytest.raises(ValueError, match=said):
            check_demo.check_demo(Path("demo"))
    else:
        check_demo.check_demo(Path("demo"))


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
