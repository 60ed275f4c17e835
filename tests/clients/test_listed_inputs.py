"""Lists of images that a program gives to an inference in Python, in the place of `--input`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from committed import refused
from driven import Driven
from monai.bundle import ConfigWorkflow
from monai.data import Dataset, MetaTensor

pytestmark = pytest.mark.filterwarnings("ignore:executing the bundle config")


def workflow(driven: Driven, out: Path, **options: Any) -> ConfigWorkflow:
    places = {"bundle_root": str(driven.root), "output_dir": str(out), "outputs": ["label", "probs"]}
    made = ConfigWorkflow(driven.inference, workflow_type="infer", logging_file=False, **places, **options)
    made.initialize()
    return made


def predicted(out: Path) -> dict[str, Any]:
    """The probabilities of each predicted case, by its name."""
    files = sorted(out.glob("predictions/*/*_probs.nii.gz"))
    return {file.parent.name: nibabel.load(file) for file in files}


def test_an_inference_predicts_the_cases_that_a_program_lists(driven: Driven, tmp_path: Path) -> None:
    listed = driven.cases["test"] + driven.cases["validation"]  # with labels, which are not read
    workflow(driven, tmp_path / "options", **{"dataset#data": listed}).run()
    set_later = workflow(driven, tmp_path / "later")
    set_later.dataset_data = listed
    set_later.run()
    first, second = predicted(tmp_path / "options"), predicted(tmp_path / "later")
    assert first.keys() == second.keys()
    assert len(first) == len(listed)
    assert all(np.array_equal(first[case].get_fdata(), second[case].get_fdata()) for case in first)


def test_an_image_in_memory_is_predicted_as_its_file(bundle_of: Callable[[str], Driven], tmp_path: Path) -> None:
    driven = bundle_of("hippocampus_nacl")
    file = driven.cases["test"][0]["image"]
    scan = nibabel.load(file)
    for affine in (scan.affine, np.diag([-1.0, -1, 2, 1])):
        given = tmp_path / "given.nii.gz"
        nibabel.save(nibabel.Nifti1Image(scan.get_fdata(dtype=np.float32), affine), given)
        image = MetaTensor(scan.get_fdata(dtype=np.float32), affine=affine)
        made = workflow(driven, tmp_path)
        made.dataset_data = [{"image": image}, {"image": image, "case": "other"}, str(given)]
        made.run()
        of_memory, of_file, other = predicted(tmp_path).values()
        for one in (of_memory, other):
            assert np.array_equal(one.get_fdata(), of_file.get_fdata())
            assert np.array_equal(one.affine, of_file.affine)


def test_what_a_program_lists_wrongly_is_one_line(bundle_of: Callable[[str], Driven], tmp_path: Path) -> None:
    driven = bundle_of("hippocampus_nacl")
    files = [driven.cases[name][0]["image"] for name in ("test", "validation")]
    made = workflow(driven, tmp_path)
    made.dataset_data = [files[0], str(tmp_path / "nowhere.nii.gz"), files[1]]
    with refused(r"^1 case\(s\) were skipped"):
        made.run()
    assert len(predicted(tmp_path)) == 2
    made = workflow(driven, tmp_path)
    made.dataset = Dataset([{"image": files[0]}], made.preprocessing)
    with refused("^the dataset has transforms of its own"):
        made.run()
    with refused("a list of cases is given as dataset#data"):
        workflow(driven, tmp_path, cases=[{"image": files[0]}]).run()


@pytest.mark.parametrize("calibrator", ["none", "ts"])
def test_a_wrong_folder_is_told_before_its_model_is_missed(
    calibrator: str, bundle_of: Callable[[str], Driven], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = bundle_of("hippocampus_nacl")
    monkeypatch.chdir(tmp_path)
    configs = driven.root / "configs"
    laid_over = ([driven.train, str(configs / f"{name}.json")] for name in ("evaluate", "calibrate"))
    for files in (driven.inference, *laid_over):
        made = ConfigWorkflow(files, workflow_type="infer", logging_file=False, calibrator=calibrator)
        made.initialize()
        with refused("^bundle_root .* holds no configs/metadata.json: run from inside the bundle or set --bundle_root"):
            made.run()
