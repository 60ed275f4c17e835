"""Cases in sets that a person gives, or that patients should be kept together in."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from checked_phantoms import model
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from calib_monai.cases import checked_split
from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.split_settings import SplitSettings

KEYS = ("image", "label")
LISTS = {
    "training": ["phantom_001", "phantom_005"],
    "validation": ["phantom_000"],
    "test": ["phantom_007", "phantom_003"],
}


def check(folder: Path, split_file: object = "", *, fold: int = 0, keep: bool = False, share: float = 1.0) -> object:
    """Names of the cases of each set."""
    split = checked_split(
        partial(hippocampus_split, dataset_dir=str(folder), seed=0, fold=fold),
        SplitSettings(
            made_for=model(),
            loading=Compose([LoadImaged(KEYS), EnsureChannelFirstd(KEYS)]),
            ckpt_dir=str(folder.parent / "models"),
            output_dir=str(folder.parent / "eval"),
            use=["test"] if keep else ["training", "validation"],
            keep=keep,
            train_fraction=share,
            split_file=str(split_file),
        ),
    )
    return {name: [case["case"] for case in cases] for name, cases in split.items()}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(LISTS))
    return path


def test_a_split_that_is_given_is_trained_on_and_kept(
    phantom_dir: Path, mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sets = {name: sorted(names) for name, names in LISTS.items()}
    assert check(phantom_dir, mine, fold=2) == sets
    assert f"--fold 2 changes nothing: the split is that of {mine}" in caplog.text
    assert "3 case(s) are in no list" in caplog.text
    written = json.loads((phantom_dir.parent / "models" / "split.json").read_text())
    for digests in ("images", "labels"):
        assert len(written.pop(digests)) == len(sets["training"] + sets["validation"])
    assert written == sets | {"drawn_with": {"split": "mine.json", "split_seed": 0, "train_fraction": 1.0}}
    for split_file in ("", mine, phantom_dir.parent / "models" / "split.json"):
        assert check(phantom_dir, split_file, keep=True) == sets
    mine.write_text(json.dumps(LISTS | {"test": ["phantom_006"]}))
    with pytest.raises(ValueError, match=r"--split .*mine\.json is not the split that the model was trained with"):
        check(phantom_dir, mine, keep=True)
    (phantom_dir.parent / "models" / "split.json").unlink()
    assert check(phantom_dir, mine, keep=True) == sets | {"test": ["phantom_006"]}


def test_a_share_of_a_split_that_is_given_is_evaluated_as_it_was(phantom_dir: Path, mine: Path) -> None:
    part = check(phantom_dir, mine, share=0.5)
    assert isinstance(part, dict)
    assert len(part["training"]) == 1
    assert check(phantom_dir, mine, keep=True) == part


def test_what_is_wrong_in_a_split_that_is_given_is_one_line(phantom_dir: Path, mine: Path) -> None:
    mine.write_text(json.dumps(LISTS | {"validation": ["phantom_001"]}))
    with pytest.raises(ValueError, match=r"^split .*mine\.json lists phantom_001 in validation, and in training"):
        check(phantom_dir, mine)
    assert not (phantom_dir.parent / "models").exists()


def test_two_cases_that_may_be_of_one_patient_are_told_in_training_alone(
    phantom_dir: Path, mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for before, after in (("phantom_001", "anna_ED"), ("phantom_003", "anna_ES")):
        for folder in ("imagesTr", "labelsTr"):
            (phantom_dir / folder / f"{before}.nii.gz").rename(phantom_dir / folder / f"{after}.nii.gz")
    mine.write_text(json.dumps(LISTS).replace("phantom_001", "anna_ED").replace("phantom_003", "anna_ES"))
    check(phantom_dir, mine)
    assert "first anna_ED (training) and anna_ES (test)" in caplog.text
    caplog.clear()
    check(phantom_dir, keep=True)
    assert "anna" not in caplog.text
