"""A temperature that a score has fitted, applied to cases without labels: it gives what the score gave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from saved_probs import AFFINE, FORMS, NAMES, Folders, sharpened, with_more

from calib_monai.apply import main
from calib_monai.score import main as score
from calib_monai.scoring.arrays import stored_in

FIT = ("--calibrate", "ts", "--fit", "case_0", "case_1")


def values_of(path: Path) -> np.ndarray[Any, Any]:
    """What a file holds."""
    if path.name.endswith(".nii.gz"):
        return np.asarray(nibabel.load(path).dataobj)
    loaded = np.load(path)
    return loaded if path.name.endswith(".npy") else loaded[loaded.files[0]]


def applied(given: Folders, *more: str, **others: Path) -> int:
    """The exit code of the command, for the folder of the score and its own probabilities if no others are given."""
    folder = given.probs.parent
    folders = {"fitted": folder / "out", "probs": given.probs, "out": folder / "applied"} | others
    return main([*more, *(word for name, path in folders.items() for word in (f"--{name}", str(path)))])


def scored(given: Folders, *more: str) -> Path:
    """The folder of a score that has fitted a temperature."""
    assert score([*given.line(*more), *FIT]) == 0
    return given.probs.parent / "out"


@pytest.mark.parametrize(("name", "stored"), FORMS.values(), ids=FORMS)
def test_files_get_what_the_score_gave_them(
    folders: Callable[..., Folders], name: str, stored: Callable[[Any], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    given = with_more(folders())
    paths = {case: given.write(case, name, stored(sharpened(one.probs))) for case, one in given.cases.items()}
    out = scored(given)
    assert applied(given) == 0
    assert "4 case(s) with the temperature " in capsys.readouterr().out
    for case in ("case_2", "case_3"):
        relative = paths[case].relative_to(given.probs)
        by_score, without_label = (folder / relative for folder in (out / "calibrated", out.parent / "applied"))
        np.testing.assert_array_equal(values_of(without_label), values_of(by_score))
        assert stored_in(str(without_label)).dtype == stored_in(str(paths[case])).dtype


def test_files_of_each_class_and_of_the_only_structure_are_calibrated(folders: Callable[..., Folders]) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        for index, name in enumerate(NAMES):
            given.write(case, f"{{}}_{name if index else 0}.nii.gz", sharpened(one.probs)[index])
    out = scored(given)
    assert applied(given) == 0
    for name in ("case_2_0.nii.gz", "case_2_tumor.nii.gz"):
        np.testing.assert_array_equal(values_of(out.parent / "applied" / name), values_of(out / "calibrated" / name))


def test_a_structure_alone_and_logits_are_calibrated(folders: Callable[..., Folders]) -> None:
    given = with_more(folders(classes=2))
    for case, one in given.cases.items():
        label = nibabel.Nifti1Image((one.label > 0).astype(np.uint8), AFFINE)
        nibabel.save(label, given.labels / f"{case}.nii.gz")
        odds = 3 * np.log(one.probs[1:].sum(0) / one.probs[0])
        given.write(case, "{}.nii.gz", odds.astype(np.float32))
    out = scored(given, "--classes", "background", "liver", "--logits", "--foreground")
    assert applied(given) == 0
    name = "case_3.nii.gz"
    np.testing.assert_array_equal(values_of(out.parent / "applied" / name), values_of(out / "calibrated" / name))


def test_channels_in_another_order_keep_it(folders: Callable[..., Folders]) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        given.write(case, "{}.npy", sharpened(one.probs)[[1, 2, 0]])
    out = scored(given, "--order", "liver", "tumor", "background")
    assert applied(given) == 0
    np.testing.assert_array_equal(
        values_of(out.parent / "applied" / "case_2.npy"), values_of(out / "calibrated" / "case_2.npy")
    )


def test_segmentations_beside_the_probabilities_are_passed_over(
    folders: Callable[..., Folders], caplog: pytest.LogCaptureFixture
) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        given.write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
        given.write(case, "{}.nii.gz", one.label)
    scored(given)
    with caplog.at_level("INFO"):
        assert applied(given) == 0
    assert "4 without probabilities (case_0.nii.gz" in caplog.text
    assert sorted(path.name for path in (given.probs.parent / "applied").iterdir()) == [
        f"case_{index}.npz" for index in range(4)
    ]


def test_cases_that_the_temperature_was_fitted_to_are_told(
    folders: Callable[..., Folders], caplog: pytest.LogCaptureFixture
) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        given.write(case, "{}.npy", sharpened(one.probs))
    scored(given)
    applied(given)
    assert "the temperature was fitted to 2 of these cases, first case_0" in caplog.text


class TestRefusals:
    """Each is one line, and nothing is written."""

    @pytest.fixture
    def given(self, folders: Callable[..., Folders]) -> Folders:
        """Cases with a score that has fitted a temperature."""
        given = with_more(folders())
        for case, one in given.cases.items():
            given.write(case, "{}.npy", sharpened(one.probs))
        scored(given)
        return given

    def test_results_are_replaced_only_when_asked(self, given: Folders) -> None:
        assert applied(given) == 0
        with pytest.raises(ValueError, match=r"4 such file\(s\), first .*case_0.npy: replace them by --overwrite"):
            applied(given)
        assert applied(given, "--overwrite") == 0

    @pytest.mark.parametrize("place", ["probs", "probs/inside", "out", "out/calibrated", "out/eval/inside", "."])
    def test_a_folder_among_what_is_read(self, given: Folders, place: str) -> None:
        with pytest.raises(ValueError, match=r"lies in --|set another --out"):
            applied(given, out=given.probs.parent / place)

    def test_a_folder_that_no_score_has_written(self, given: Folders) -> None:
        with pytest.raises(ValueError, match=r"labels holds no scored.json: fit it with"):
            applied(given, fitted=given.labels)

    def test_a_score_that_has_fitted_nothing(self, given: Folders) -> None:
        score(given.line("--out", str(given.probs.parent / "plain")))
        with pytest.raises(ValueError, match=r"plain has no calibrator: fit it with"):
            applied(given, fitted=given.probs.parent / "plain")

    def test_a_temperature_of_another_score(self, given: Folders) -> None:
        about = given.probs.parent / "out" / "scored.json"
        about.write_text(json.dumps(json.loads(about.read_text()) | {"logits": True}))
        with pytest.raises(ValueError, match=r"was fitted to another scored.json than the one beside it: fit it"):
            applied(given)

    def test_another_number_of_classes_and_other_axes(self, given: Folders) -> None:
        new = given.probs.parent / "new"
        new.mkdir()
        for shape in ((4, 8, 9, 10), (8, 9, 10, 3), (8, 9, 10)):
            np.save(new / "a.npy", np.full(shape, 1 / 3, np.float32))
            with pytest.raises(ValueError, match=r"a.npy is .*; it must be as the files that the temp"):
                applied(given, probs=new)

    def test_a_wrong_file_stops_before_others_are_written_if_its_header_says_so(self, given: Folders) -> None:
        np.save(given.probs / "case_9.npy", np.zeros((8, 9), np.float32))
        with pytest.raises(ValueError, match=r"case_9.npy is \(8, 9\)"):
            applied(given)
        assert not (given.probs.parent / "applied").exists()

    def test_values_that_are_no_probabilities(self, given: Folders) -> None:
        np.save(given.probs / "case_9.npy", np.full((3, 8, 9, 10), 0.6, np.float32))
        with pytest.raises(ValueError, match=r"case_9.npy has 3 channel\(s\), whose sums lie between 1.8 and 1.8"):
            applied(given)

    def test_an_empty_folder_and_none(self, given: Folders) -> None:
        empty = given.probs.parent / "empty"
        with pytest.raises(ValueError, match=r"empty is not a folder"):
            applied(given, probs=empty)
        empty.mkdir()
        with pytest.raises(ValueError, match=r"empty holds no probabilities"):
            applied(given, probs=empty)
