"""Wrong probabilities are refused in one line that says what to do."""

from __future__ import annotations

import gzip
import json
import lzma
import pickle
import struct
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import itk
import nibabel
import numpy as np
import pytest
from saved_probs import AFFINE, Folders
from wrong_probs import last, niftis
from wrong_scores import WRONG_SCORES, WrongScore, options_of

from calib_monai import headers
from calib_monai.refusals import refusal_of
from calib_monai.reports.answers import beside
from calib_monai.reports.run_files import read_run
from calib_monai.score import main
from calib_monai.scoring.arrays import stored_in
from calib_monai.scoring.pickles import placed_by


@pytest.mark.parametrize("wrong", WRONG_SCORES, ids=lambda wrong: wrong.name)
def test_what_is_wrong_is_said_in_one_line(folders: Callable[..., Folders], wrong: WrongScore) -> None:
    given = folders()
    wrong.write(given)
    with pytest.raises(ValueError, match=wrong.said) as error:
        main(options_of(wrong, given))
    assert refusal_of(error.value) is error.value
    assert "\n" not in str(error.value)
    assert not list(given.probs.parent.glob("out/**/summary.json"))


def test_probabilities_that_do_not_fit_into_memory_are_refused_by_their_headers(
    folders: Callable[..., Folders], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = folders()
    [(case, made), *_] = given.cases.items()
    given.write(case, "{}.npz", made.probs.transpose(0, 3, 2, 1))
    needed = made.label.size * (12 + 4 * len(made.probs))
    monkeypatch.setattr(headers, "memory_here", lambda: needed - 1)
    with pytest.raises(ValueError, match=f"{case}.npz with its label takes .* GiB once loaded; there are .* GiB here"):
        main([*given.options, "--cases", case])


def test_an_order_that_is_given_is_judged_as_any(folders: Callable[..., Folders]) -> None:
    given = folders()
    for case, made in given.cases.items():
        given.write(case, "{}.npy", made.probs[[1, 2, 0]])
    order = ["--order", "liver", "tumor", "background"]
    with pytest.raises(ValueError, match=rf"channels look like those of other .*, {' '.join(order)}[,;] "):
        main([*given.options, "--order", "tumor", "liver", "background"])
    assert main([*given.options, *order]) == 0
    assert main([*given.options, "--overwrite", "--any_fit", "--order", "tumor", "liver", "background"]) == 0
    refused_order = [*given.options, "--overwrite", "--order", "background", "liver"]
    with pytest.raises(ValueError, match="--order is background, liver; it must be the classes"):
        main(refused_order)


def test_the_page_tells_of_a_case_that_is_turned_alone(folders: Callable[..., Folders]) -> None:
    given = folders()
    for turn, (case, made) in enumerate(given.cases.items()):
        given.write(case, "{}.npy", made.probs[:, ::-1] if turn else made.probs)
    assert main(given.options) == 0
    told = "1 of 2 case(s) fit their labels far better turned, first case_1 with x reversed: look at them."
    assert told in beside(read_run(given.probs.parent / "out"))


@pytest.mark.parametrize(
    ("name", "options"), [("a missing label", ["--cases", "case_0"]), ("another grid", ["--any_grid"])]
)
def test_an_option_of_a_message_mends_it(folders: Callable[..., Folders], name: str, options: list[str]) -> None:
    given = folders()
    next(wrong for wrong in WRONG_SCORES if wrong.name == name).write(given)
    assert main([*given.options, *options]) == 0


def test_an_ignored_label_does_not_count(folders: Callable[..., Folders]) -> None:
    given = folders()
    for case, made in given.cases.items():
        given.write(case, "{}.npz", made.probs.transpose(0, 3, 2, 1))
        label = made.label.copy()
        label[:, :, 0] = 255
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), given.labels / f"{case}.nii.gz")
    assert main([*given.options, "--ignore_label", "255"]) == 0
    measured = json.loads((given.probs.parent / "out" / "summary.json").read_text())["metrics"]["nll_all"]
    assert measured["voxels"] == sum(made.label[:, :, 1:].size for made in given.cases.values())


def test_what_a_pickle_says_is_read_and_what_it_does_is_not(folders: Callable[..., Folders], tmp_path: Path) -> None:
    given = folders()
    stuff = as_itk(AFFINE)
    for case, made in given.cases.items():
        given.write(case, "{}.npz", made.probs.transpose(0, 3, 2, 1))
        placed = placed_by(given.place(case, {"sitk_stuff": stuff, "class_locations": {1: np.zeros((2, 3))}}))
        assert placed is not None
        np.testing.assert_allclose(placed.affine, AFFINE, atol=1e-12)
    assert main(given.options) == 0
    (given.probs / "case_0.pkl").write_bytes(pickle.dumps(Evil(tmp_path / "ran")))
    assert placed_by(given.probs / "case_0.pkl") is None
    assert main(given.options) == 0
    assert not (tmp_path / "ran").exists()


class Evil:
    """What makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Touch the file."""
        return Path.touch, (self.path,)


@pytest.mark.parametrize("reader", ["NibabelIOWithReorient", "SimpleITKIOWithReorient"])
def test_an_image_that_nnunet_turned_is_turned_back(reader: str, folders: Callable[..., Folders]) -> None:
    given = folders()
    turned = nibabel.as_closest_canonical(nibabel.Nifti1Image(given.cases["case_0"].label, AFFINE)).affine
    told = {}
    for name, made in given.cases.items():
        image = nibabel.as_closest_canonical(nibabel.Nifti1Image(last(made.probs), AFFINE))
        given.write(name, "{}.npz", np.asarray(image.dataobj).transpose(3, 2, 1, 0))
        if reader.startswith("Nibabel"):
            placed = {"nibabel_stuff": {"original_affine": AFFINE, "reoriented_affine": turned}}
        else:  # which notes the turned image alone
            placed = {"sitk_stuff": {**as_itk(turned), "original_orientation": "PLS"}}
        given.place(name, placed)
    assert main(given.options) == 0
    told["turned"] = (given.probs.parent / "out" / "cases.csv").read_text()
    for name, made in given.cases.items():
        given.write(name, "{}.npz", made.probs.transpose(0, 3, 2, 1))
        (given.probs / f"{name}.pkl").unlink()
    assert main(given.options) == 0
    assert told["turned"] == (given.probs.parent / "out" / "cases.csv").read_text()


def test_segmentations_for_the_next_stage_of_a_cascade_are_passed_over(folders: Callable[..., Folders]) -> None:
    given = folders()
    next_stage = given.probs / "predicted_next_stage" / "3d_cascade_fullres"
    next_stage.mkdir(parents=True)
    for name, made in given.cases.items():
        given.write(name, "fold_0/validation/{}.npz", made.probs.transpose(0, 3, 2, 1))
        np.savez_compressed(next_stage / f"{name}.npz", seg=made.label.T)
    assert main(given.options) == 0


def test_a_turned_image_that_lies_elsewhere_is_refused(folders: Callable[..., Folders]) -> None:
    given = folders()
    for name, made in given.cases.items():
        image = nibabel.as_closest_canonical(nibabel.Nifti1Image(last(made.probs), AFFINE))
        image.affine[0, 3] += 40
        given.write(name, "{}.npz", np.asarray(image.dataobj).transpose(3, 2, 1, 0))
        given.place(name, {"sitk_stuff": {**as_itk(image.affine), "original_orientation": "PLS"}})
    with pytest.raises(ValueError, match=r"case_0.pkl lies elsewhere than .*case_0.nii.gz, by 40 mm"):
        main(given.options)


def as_itk(affine: Any) -> dict[str, Any]:
    """Spacing, origin and direction of an affine, as SimpleITK has them."""
    of_itk = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(of_itk[:3, :3], axis=0)
    direction = (of_itk[:3, :3] / spacing).ravel()
    return {"spacing": tuple(spacing), "origin": tuple(of_itk[:3, 3]), "direction": tuple(direction)}


def test_probabilities_whose_header_turns_them_are_measured_where_they_lie(folders: Callable[..., Folders]) -> None:
    given, told = folders(), {}
    for axes in (None, [[1, -1], [0, 1], [2, -1]]):
        for name, made in given.cases.items():
            image = nibabel.Nifti1Image(last(made.probs), AFFINE)
            image = image if axes is None else image.as_reoriented(axes)
            given.write(name, "{}.nii.gz", np.asarray(image.dataobj), image.affine)
        assert main([*given.options, "--overwrite"]) == 0
        told[axes is None] = (given.probs.parent / "out" / "cases.csv").read_text()
    assert told[True] == told[False]


@pytest.mark.parametrize(("highest", "dtype"), [(85, np.uint8), (32767, np.uint16)])
def test_whole_numbers_of_another_scale_are_told_once_no_case_reaches_half(
    folders: Callable[..., Folders], highest: int, dtype: type[np.generic]
) -> None:
    given = folders()
    for case, made in given.cases.items():
        structures = made.probs[1:] * (0.99 / made.probs[1:].sum(0).max())
        given.write(case, "{}.nii.gz", np.moveaxis(np.floor(structures * highest), 0, -1).astype(dtype))
    options = [*given.options, "--foreground"]
    with pytest.raises(ValueError, match=f"have half of {np.iinfo(dtype).max} or more, first .*case_0.nii.gz: if an"):
        main(options)
    assert main([*options, "--any_fit"]) == 0


@pytest.mark.parametrize("channels", [2, 3])
def test_a_label_of_several_channels_is_told_with_its_file(folders: Callable[..., Folders], channels: int) -> None:
    given = folders()
    niftis()(given)
    label = given.cases["case_1"].label
    (given.labels / "case_1.nii.gz").unlink()
    image = itk.image_from_array(np.stack([label.T] * channels, axis=-1), is_vector=True)
    itk.imwrite(image, str(given.labels / "case_1.nrrd"))
    with pytest.raises(ValueError, match=f"case_1.nrrd has {channels} channels; a label must be one volume"):
        main(given.options)


def test_a_file_that_a_library_cannot_read_is_named(folders: Callable[..., Folders], tmp_path: Path) -> None:
    given = folders()
    niftis()(given)
    for folder in (given.probs, given.labels):
        [file] = folder.glob("case_1*")
        raw = bytearray(gzip.decompress(file.read_bytes()))
        before = file.read_bytes()
        struct.pack_into("<f", raw, 116, float("nan"))  # scl_inter
        struct.pack_into("<f", raw, 112, 1.0)
        file.write_bytes(gzip.compress(bytes(raw)))
        with pytest.raises(ValueError, match=rf"{file.name} .*nan"):
            main(given.options)
        file.write_bytes(before)
    for error in (RuntimeError("encrypted"), lzma.LZMAError("corrupt"), tokenize.TokenError("EOF")):
        with patch.object(np.lib.format, "read_magic", side_effect=error):
            np.save(tmp_path / "a.npy", np.zeros(3))
            with pytest.raises(ValueError, match=r"a.npy is damaged: (encrypted|corrupt|EOF)"):
                stored_in(str(tmp_path / "a.npy"))
