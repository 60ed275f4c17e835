"""A temperature that a score has fitted, applied to cases without labels: it gives what the score gave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import nibabel
import numpy as np
import pytest
from applied_probs import FIT, applied, scored, values_of
from saved_probs import AFFINE, FORMS, NAMES, Folders, sharpened, with_more

from calib_monai.score import main as score
from calib_monai.scoring.arrays import stored_in


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
        assert stored_in(str(without_label)).dtype == np.float32


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


LAYOUTS: dict[str, Callable[[str], list[str]]] = {
    "numbers": lambda case: [f"{case}_{index}.nii.gz" for index in range(3)],
    "names and probs": lambda case: [f"{case}_{name}_probs.nii.gz" for name in NAMES],
    "arrays": lambda case: [f"{case}_{name}.npy" for name in NAMES],
    "folders": lambda case: [f"{case}/class_{index}.nii.gz" for index in range(3)],
    "a file in each folder": lambda case: [f"{case}/probs.npz"],
    "dots and spaces": lambda case: [f"{case}. probs.npz"],
}


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_files_may_be_called_as_for_a_score(
    folders: Callable[..., Folders], files: Callable[[str], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        values, names = sharpened(one.probs), files(case)
        for index, name in enumerate(names):
            given.write(case, name, values[index] if len(names) > 1 else values.transpose(0, 3, 2, 1))
        if len(names) > 1:
            given.write(case, "{}.nii.gz", one.label)  # a segmentation, whose number is that of no class
    out = scored(given)
    with caplog.at_level("INFO"):
        assert applied(given) == 0
    for name in files("case_3"):
        np.testing.assert_array_equal(values_of(out.parent / "applied" / name), values_of(out / "calibrated" / name))
    written = sorted(path for path in (out.parent / "applied").rglob("*") if path.is_file())
    assert len(written) == 4 * len(files("case_0")) + 1  # the note


def test_cases_may_be_stored_in_several_ways_if_the_temperature_was_fitted_to_both(
    folders: Callable[..., Folders],
) -> None:
    given = with_more(folders())
    for index, (case, one) in enumerate(given.cases.items()):
        values = sharpened(one.probs)
        given.write(case, "{}.npz", values.transpose(0, 3, 2, 1)) if index % 2 else given.write(case, "{}.npy", values)
    out = scored(given)
    assert applied(given) == 0
    for name in ("case_2.npy", "case_3.npz"):
        np.testing.assert_array_equal(values_of(out.parent / "applied" / name), values_of(out / "calibrated" / name))


def test_the_file_that_places_probabilities_of_nnunet_is_copied(folders: Callable[..., Folders]) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        given.write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
    scored(given)
    place = given.place("case_2", {"spacing": [3.0, 1.5, 1.5]})
    copied = given.probs.parent / "applied" / "case_2.pkl"
    copied.parent.mkdir()
    copied.write_text("of somebody else")
    with pytest.raises(ValueError, match=r"holds 1 of these names, first .*case_2.pkl; --overwrite replaces them"):
        applied(given)
    assert copied.read_text() == "of somebody else"
    assert applied(given, "--overwrite") == 0
    assert copied.read_bytes() == place.read_bytes()


def test_a_single_structure_beside_segmentations_is_calibrated(folders: Callable[..., Folders]) -> None:
    given = with_more(folders(classes=2))
    for case, one in given.cases.items():
        label = nibabel.Nifti1Image((one.label > 0).astype(np.uint8), AFFINE)
        nibabel.save(label, given.labels / f"{case}.nii.gz")
        given.write(case, "{}_probs.nii.gz", sharpened(one.probs)[1:].sum(0))
        given.write(case, "{}.nii.gz", np.asarray(label.dataobj))
    out = scored(given, "--classes", "background", "liver", "--foreground")
    assert applied(given) == 0
    names = [f"case_{index}_probs.nii.gz" for index in range(4)]
    assert sorted(path.name for path in (out.parent / "applied").iterdir()) == ["calibrated.json", *names]
    np.testing.assert_array_equal(
        values_of(out.parent / "applied" / names[3]), values_of(out / "calibrated" / names[3])
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
        "calibrated.json",
        *(f"case_{index}.npz" for index in range(4)),
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
    """Each is one line."""

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
        with pytest.raises(ValueError, match=r"holds 4 of these names, first .*case_0.npy; --overwrite repl"):
            applied(given)
        assert applied(given, "--overwrite") == 0

    @pytest.mark.parametrize("place", ["probs", "probs/inside", "out", "out/calibrated", "out/eval/inside", "."])
    def test_a_folder_among_what_is_read(self, given: Folders, place: str) -> None:
        with pytest.raises(ValueError, match=r"lies in --|set another --out"):
            applied(given, out=given.probs.parent / place)

    def test_a_folder_that_no_score_has_written(self, given: Folders) -> None:
        with pytest.raises(ValueError, match=r"labels holds no scored.json: --fitted must be the --out of"):
            applied(given, fitted=given.labels)

    def test_a_score_that_has_fitted_nothing(self, given: Folders) -> None:
        score(given.line("--out", str(given.probs.parent / "plain")))
        with pytest.raises(ValueError, match=r"plain has no calibrator: --fitted must be"):
            applied(given, fitted=given.probs.parent / "plain")

    def test_a_temperature_of_another_score(self, given: Folders) -> None:
        about = given.probs.parent / "out" / "scored.json"
        about.write_text(json.dumps(json.loads(about.read_text()) | {"logits": True}))
        with pytest.raises(ValueError, match=r"was fitted to another scored.json than the one beside it: --fi"):
            applied(given)

    def test_another_number_of_classes_and_other_axes(self, given: Folders) -> None:
        new = given.probs.parent / "new"
        new.mkdir()
        for shape in ((4, 8, 9, 10), (8, 9, 10, 3), (8, 9, 10)):
            np.save(new / "a.npy", np.full(shape, 1 / 3, np.float32))
            with pytest.raises(ValueError, match=r"a.npy is .*, which does not fit: it must be stored"):
                applied(given, probs=new)

    def test_a_wrong_file_stops_before_others_are_written_if_its_header_says_so(self, given: Folders) -> None:
        np.save(given.probs / "case_9.npy", np.zeros((8, 9), np.float32))
        with pytest.raises(ValueError, match=r"case_9.npy is \(8, 9\)"):
            applied(given)
        assert not (given.probs.parent / "applied").exists()

    def test_values_that_are_no_probabilities_and_then_nothing_is_written(self, given: Folders) -> None:
        np.save(given.probs / "case_9.npy", np.full((3, 8, 9, 10), 0.6, np.float32))
        with pytest.raises(ValueError, match=r"case_9.npy has 3 channel\(s\), whose sums lie between 1.8 and 1.8"):
            applied(given)
        assert not [*(given.probs.parent / "applied").iterdir()]

    def test_what_is_calibrated_already(self, given: Folders) -> None:
        with pytest.raises(ValueError, match=r"calibrated lies in --fitted .*out: these are calibrated already"):
            applied(given, probs=given.probs.parent / "out" / "calibrated")

    def test_what_is_calibrated_already_in_another_place(self, given: Folders) -> None:
        """Unless a temperature was fitted to it."""
        root = given.probs.parent
        applied(given)
        shutil.copytree(root / "out" / "calibrated", root / "copied")
        (root / "applied" / "calibrated.json").rename(root / "calibrated.json")
        for place, above in (("copied", "copied/"), ("applied", "")):
            with pytest.raises(ValueError, match=rf"{place} are calibrated by this .*/{above}calibrated.json says"):
                applied(given, probs=root / place, out=root / "twice")
        (root / "calibrated.json").write_text("{")
        (root / "raw").mkdir()
        (root / "copied").rename(root / "raw" / "copied")
        with pytest.raises(
            ValueError, match=r"copied/calibrated.json says: .* or remove that file if these are others"
        ):
            applied(given, probs=root / "raw", out=root / "twice")
        score(given.line("--probs", str(root / "applied"), "--out", str(root / "more"), *FIT))
        applied(given, probs=root / "applied", fitted=root / "more", out=root / "twice")
        assert len(json.loads((root / "twice" / "calibrated.json").read_text())["calibrators"]) == 1
        with pytest.raises(ValueError, match=r"twice are calibrated by another temperature already, as .*twice/cal"):
            applied(given, probs=root / "twice", out=root / "thrice")

    def test_an_out_that_is_a_file(self, given: Folders) -> None:
        file = given.probs.parent / "file"
        file.write_text("")
        for place in (file, file / "inside"):
            with pytest.raises(ValueError, match="nothing can be written to"):
                applied(given, out=place)

    def test_logits_for_a_temperature_of_probabilities(self, given: Folders) -> None:
        np.save(given.probs / "case_9.npy", np.random.default_rng(0).normal(size=(3, 8, 9, 10)).astype(np.float32))
        with pytest.raises(ValueError, match=r"case_9.npy .*fitted to files of probabilities that hold the background"):
            applied(given)

    def test_files_of_a_case_that_do_not_fit_together(self, folders: Callable[..., Folders]) -> None:
        given = with_more(folders())
        for case, one in given.cases.items():
            for index, values in enumerate(sharpened(one.probs)):
                given.write(case, f"{{}}_{index}.nii.gz", values)
        scored(given)
        given.write("case_9", "{}_0.nii.gz", np.zeros((8, 9, 10), np.uint16))
        for index, size in ((1, 10), (2, 11)):
            given.write("case_9", f"{{}}_{index}.nii.gz", np.zeros((8, 9, size), np.uint8))
        with pytest.raises(ValueError, match=r"case_9_0.nii.gz holds uint16, and .*must be of one type"):
            applied(given)
        given.write("case_9", "{}_0.nii.gz", np.zeros((8, 9, 10), np.uint8))
        with pytest.raises(ValueError, match=r"case_9_0.nii.gz is \(8, 9, 10\) and .*case_9_2.nii.gz \(8, 9, 11\)"):
            applied(given)

    def test_an_empty_folder_and_none(self, given: Folders) -> None:
        empty = given.probs.parent / "empty"
        with pytest.raises(ValueError, match=r"empty is not a folder"):
            applied(given, probs=empty)
        empty.mkdir()
        with pytest.raises(ValueError, match=r"empty holds no probabilities"):
            applied(given, probs=empty)
