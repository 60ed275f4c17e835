"""Phantoms: the same for a seed, ambiguous along the border alone."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from write_phantoms import main as write_phantoms

from calib_monai import phantoms
from calib_monai.phantoms import make_phantoms


def test_the_same_seed_makes_the_same_phantoms_and_another_seed_others() -> None:
    one, same, other = make_phantoms(2, seed=1), make_phantoms(2, seed=1), make_phantoms(2, seed=2)
    for name in one:
        assert np.array_equal(one[name].image, same[name].image)
        assert np.array_equal(one[name].label, same[name].label)
        assert one[name].image.shape != other[name].image.shape or not np.array_equal(
            one[name].image, other[name].image
        )


def test_a_phantom_has_two_touching_structures_of_fair_size() -> None:
    for image, label in make_phantoms(4).values():
        assert image.shape == label.shape
        assert image.dtype == np.float32
        assert set(np.unique(label)) == {0, 1, 2}
        assert min((label == k).mean() for k in (1, 2)) > 0.005
        touching = (label[:, :-1] == 2) & (label[:, 1:] == 1)
        assert touching.sum() > 20


@pytest.mark.parametrize("num_classes", [2, 3, 4, 5, 9])
def test_a_phantom_has_as_many_classes_as_asked_for(num_classes: int) -> None:
    for _, label in make_phantoms(4, num_classes=num_classes).values():
        assert np.unique(label).tolist() == list(range(num_classes))


def test_a_reader_errs_along_the_border_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    read = make_phantoms(3)
    monkeypatch.setattr(phantoms, "WANDER", 0.0)
    true = make_phantoms(3)
    for name, (image, label) in true.items():
        assert np.array_equal(image, read[name].image)
        depth = np.max([distance_transform_edt(label == k) for k in range(3)], axis=0)
        wrong = read[name].label != label
        assert 0.05 < wrong[depth <= 2].mean() < 0.5
        assert wrong[depth > 5].sum() == 0


def test_no_phantom_is_no_request() -> None:
    with pytest.raises(ValueError, match="0"):
        make_phantoms(0)
    with pytest.raises(ValueError, match="num_classes is 10"):
        make_phantoms(3, num_classes=10)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cases", "0"], "num_cases is 0; it must be a whole number, at least 1"),
        (["--cases", "2", "--seed", "-1"], "--seed is -1; it must be a whole number, at least 0"),
        (
            ["--cases", "2"],
            r"data holds other cases, first .*labelsTr/hippocampus_001.nii.gz: phantoms need a folder of their own",
        ),
    ],
)
def test_phantoms_are_not_written_among_other_cases_or_from_wrong_options(
    options: list[str], said: str, tmp_path: Path
) -> None:
    other = tmp_path / "data" / "labelsTr" / "hippocampus_001.nii.gz"
    write_phantoms([str(tmp_path / "data"), "--cases", "1"])
    other.touch()
    (tmp_path / "data" / "dataset.json").write_text("mine")
    with pytest.raises(ValueError, match=said):
        write_phantoms([str(tmp_path / "data"), *options])
    assert (tmp_path / "data" / "dataset.json").read_text() == "mine"
    other.unlink()
    write_phantoms([str(tmp_path / "data"), "--cases", "2"])


def test_the_script_prints_the_variables_of_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my phantoms"
    write_phantoms([str(folder), "--cases", "2"])
    told = dict(shlex.split(line)[0].split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert told["DATA"] == str(folder)
    assert Path(told["IMAGE"]).is_file()
