"""Cases of an evaluation: it keeps the split of its model, and a training replaces no other."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from checked_phantoms import check, warnings_in

from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.datalists.split_files import CHECKSUM, checksum_of, names_of
from calib_monai.datalists.splits import SPLITS


def swap_test_and_validation(phantom_dir: Path) -> None:
    """As if the model had been trained with another split."""
    path = phantom_dir.parent / "models" / "split.json"
    names = json.loads(path.read_text())
    names["test"], names["validation"] = names["validation"], names["test"]
    del names["images"], names["labels"]
    path.write_text(json.dumps(names))


def test_an_evaluation_keeps_the_split_of_the_model(phantom_dir: Path) -> None:
    split = check(phantom_dir)
    swap_test_and_validation(phantom_dir)
    assert check(phantom_dir, keep=True)["test"] == split["validation"]


def test_a_split_that_was_changed_after_the_training_is_refused(phantom_dir: Path) -> None:
    split, models = check(phantom_dir), phantom_dir.parent / "models"
    (models / "model.json").write_text(json.dumps({CHECKSUM: checksum_of(names_of(split))}))
    path, known = models / "split.json", {"split_file": str(models / "split.json")}
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {name: stored[name][::-1] for name in SPLITS}))
    assert names_of(check(phantom_dir, keep=True, **known)) == {name: of[::-1] for name, of in names_of(split).items()}
    swap_test_and_validation(phantom_dir)
    others = Path(shutil.copy(path, phantom_dir.parent / "mine.json"))
    for given in ({}, known, {"split_file": str(others)}):
        with pytest.raises(ValueError, match=r"models/split.json is not the one of this training: its lists differ"):
            check(phantom_dir, keep=True, **given)
    (models / "model.json").write_text("{}")  # of an earlier version
    assert check(phantom_dir, keep=True)["test"] == split["validation"]


def test_an_evaluation_with_another_fold_than_the_training_says_that_it_changes_nothing(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split = check(phantom_dir, fold=2)
    assert check(phantom_dir, keep=True, fold=2) == split
    assert not warnings_in(caplog)
    assert check(phantom_dir, keep=True) == split
    [said] = warnings_in(caplog)
    kept = phantom_dir.parent / "models" / "split.json"
    assert said == f"{kept} is kept, which training drew with --fold 2: --fold 0 changes nothing here"
    written = json.loads((phantom_dir.parent / "eval" / "split.json").read_text())
    assert written["drawn_with"] == {
        "split_seed": 0,
        "fold": 2,
        "train_fraction": 1.0,
    }  # of what was evaluated, not of what was asked for


def test_a_training_on_a_share_of_the_cases_is_evaluated_as_it_was_split(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, part = check(phantom_dir, keep=True), check(phantom_dir, train_fraction=0.5)
    caplog.clear()
    assert (part["validation"], part["test"]) == (whole["validation"], whole["test"])
    assert 0 < len(part["training"]) < len(whole["training"])
    assert check(phantom_dir, keep=True) == part
    assert not warnings_in(caplog)
    with pytest.raises(ValueError, match=r"train_fraction is 2; it must be a number above 0 and at most 1"):
        check(phantom_dir, train_fraction=2)


def test_a_split_that_an_earlier_version_wrote_is_kept(phantom_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = check(phantom_dir, fold=1)
    path = phantom_dir.parent / "models" / "split.json"
    names = json.loads(path.read_text())
    del names["drawn_with"]
    path.write_text(json.dumps(names))
    assert check(phantom_dir, keep=True) == split
    assert not warnings_in(caplog)


def test_a_training_does_not_put_its_split_beside_another_model(phantom_dir: Path) -> None:
    check(phantom_dir)
    check(phantom_dir)
    swap_test_and_validation(phantom_dir)
    check(phantom_dir)  # no model was trained with that split
    swap_test_and_validation(phantom_dir)
    (phantom_dir.parent / "models" / "model.pt").touch()
    with pytest.raises(ValueError, match=r"another split, .*: set another --ckpt_dir"):
        check(phantom_dir)


def test_a_split_of_a_version_that_drew_cases_one_by_one_is_told(phantom_dir: Path) -> None:
    together = partial(hippocampus_split, dataset_dir=str(phantom_dir), seed=0, fold=0, group_sides=True)
    check(phantom_dir)
    swap_test_and_validation(phantom_dir)
    (phantom_dir.parent / "models" / "model.pt").touch()
    with pytest.raises(ValueError, match=r"another split \(of an earlier version\? It drew with --group_sides False\)"):
        check(phantom_dir, datalist=together)


def test_a_training_that_may_replace_a_model_leaves_its_split_there_until_then(phantom_dir: Path) -> None:
    beside = phantom_dir.parent / "models" / "split.json"
    split = check(phantom_dir, overwrite=True)
    assert split.replaced is None
    swap_test_and_validation(phantom_dir)
    before = beside.read_text()
    (beside.parent / "replaced").mkdir()
    (beside.parent / "replaced" / "model.pt").touch()
    replacing = check(phantom_dir, overwrite=True)
    assert beside.read_text() == before
    assert replacing.replaced == beside
    replacing.write_split(beside)
    assert beside.read_text() != before
    written, of_output = (json.loads(path.read_text()) for path in (beside, phantom_dir.parent / "eval" / "split.json"))
    assert written == of_output | {"images": replacing.images, "labels": replacing.labels}


def test_without_a_split_beside_the_model_a_warning_is_given(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check(phantom_dir, keep=True)
    assert "nothing says which cases the model was trained on" in caplog.text


def test_a_split_of_other_data_is_refused(phantom_dir: Path) -> None:
    split = check(phantom_dir)
    lost = split["test"][0]
    Path(lost["image"]).unlink()
    Path(lost["label"]).unlink()
    with pytest.raises(
        ValueError, match=rf"split\.json.*lists 1 case.* not found in dataset_dir, first {lost['case']}"
    ):
        check(phantom_dir, keep=True)


def test_an_evaluation_needs_no_case_but_those_it_tests(phantom_dir: Path) -> None:
    split = check(phantom_dir)
    for name in ("image", "label"):
        Path(split["training"][0][name]).unlink()
    assert check(phantom_dir, keep=True, use=("test",))["test"] == split["test"]
