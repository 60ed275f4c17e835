"""Inputs: images to predict are found and read, and those that cannot be are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import Dataset, MetaTensor
from monai.transforms import Compose
from PIL import Image
from predicted import IMAGE, LOADING, inputs, on_demand, used_by

from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.predicted_cases import end


def test_inputs_are_an_image_a_folder_or_the_test_cases(phantom_dir: Path) -> None:
    assert inputs(phantom_dir / IMAGE, phantom_dir) == [{"image": str(phantom_dir / IMAGE), "case": "phantom_002"}]
    assert len(inputs(phantom_dir / "imagesTr", phantom_dir)) == 8
    test = hippocampus_split(str(phantom_dir))["test"]
    assert [case["case"] for case in inputs("", phantom_dir)] == [case["case"] for case in test]


def test_inputs_that_are_none_are_refused(phantom_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        inputs(phantom_dir / "nothing", phantom_dir)
    image = nibabel.load(phantom_dir / IMAGE)
    voxels = image.get_fdata(dtype=np.float32)
    voxels[0, 0, 0] = np.nan
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), phantom_dir / IMAGE)
    with pytest.raises(ValueError, match="NaN"):
        inputs(phantom_dir / IMAGE, phantom_dir)
    Image.new("L", (5, 4)).save(tmp_path / "flat.png")
    with pytest.raises(ValueError, match=r"flat\.png is a picture; needed is a volume"):
        inputs(tmp_path / "flat.png", phantom_dir)


def test_without_an_input_or_a_data_set_it_is_said_what_to_set(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    said = "set --input to an image or a folder of images; without it the test cases of dataset_dir are predicted"
    with pytest.raises(ValueError, match=f"^{said}, and dataset_dir {nowhere} is not a folder: set --dataset_dir"):
        inputs("", nowhere)
    with pytest.raises(ValueError, match=r"set --input to a folder of files that end in _a\.nii, _b\.nii; without"):
        inputs("", nowhere, ("_a.nii", "_b.nii"))


def test_a_channel_that_cannot_be_read_is_named(phantom_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "patient"
    folder.mkdir()
    for ending in ("_t1.nii.gz", "_t2.nii.gz"):
        shutil.copy(phantom_dir / IMAGE, folder / f"one{ending}")
    endings = ("_t1.nii.gz", "_t2.nii.gz")
    files = [str(folder / f"one{ending}") for ending in endings]
    assert inputs(folder, phantom_dir, endings) == [{"image": files, "case": "one"}]
    (folder / "one_t2.nii.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"one_t2\.nii\.gz cannot be read"):
        inputs(folder, phantom_dir, endings)


def test_many_cases_of_several_files_are_read_at_once(phantom_dir: Path, tmp_path: Path) -> None:
    # MONAI's readers remember the files of the last call: shared between threads they mix cases up.
    endings = ("_t1.nii.gz", "_t2.nii.gz", "_flair.nii.gz")
    for number in range(40):
        for ending in endings:
            (tmp_path / f"case_{number:02d}{ending}").symlink_to(
                phantom_dir / "imagesTr" / f"phantom_00{number % 8}.nii.gz"
            )
    assert len(inputs(tmp_path, phantom_dir, endings)) == 40


def test_what_cannot_be_read_or_prepared_is_passed_over(phantom_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = sorted((phantom_dir / "imagesTr").iterdir())
    images[0].write_bytes(b"no image")

    def preparation(data: dict[str, Any]) -> dict[str, Any]:
        if data["case"] in images[1].name:
            raise RuntimeError("nothing left to crop")
        return data

    cases = on_demand(images[0].parent, phantom_dir, preparation=preparation)
    found = used_by(cases, cases)
    assert [case["case"] for case in found] == [path.name.removesuffix(".nii.gz") for path in images[2:]]
    assert [line.split(" cannot be ")[0] for line in found.failed] == [str(path) for path in images[:2]]
    assert found.failed[1].endswith("cannot be prepared: nothing left to crop")
    with pytest.raises(ValueError, match=r"^2 case\(s\) were skipped, as the lines above say$"):
        end(cases, "eval")
    said, told = capsys.readouterr()
    assert said == f"{len(images) - 2} case(s): the maps and the structures in numbers are in eval/predictions\n"
    assert told.splitlines() == found.failed
    cases.lose(found[0]["case"], "no room for its name")
    with pytest.raises(ValueError, match=r"^3 case\(s\) were skipped, as the lines above say$"):
        end(cases, "eval")
    assert capsys.readouterr().out.startswith(f"{len(images) - 3} case(s): ")
    one = on_demand(images[2], phantom_dir)
    assert len(one) == 1
    end(one, "eval")


def test_transforms_that_take_long_are_not_tried_before(phantom_dir: Path) -> None:
    class Slow:
        takes_long = True

        def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
            raise AssertionError(data)

    assert inputs(phantom_dir / IMAGE, phantom_dir, preparation=Slow())


def test_where_nothing_can_be_read_the_first_is_told(phantom_dir: Path) -> None:
    images = sorted((phantom_dir / "imagesTr").iterdir())
    for image in images:
        image.write_bytes(b"no image")
    with pytest.raises(ValueError, match=rf"{images[0].name} cannot be read.*and {len(images) - 1} more"):
        inputs(images[0].parent, phantom_dir)


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".PNG"])
def test_a_picture_for_a_volume_is_refused_by_name(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{suffix}"
    pages = [Image.new("L", (8, 6), 30 * index) for index in range(4)]
    pages[0].save(file, **({"save_all": True, "append_images": pages[1:]} if suffix != ".PNG" else {}))
    with pytest.raises(ValueError, match=rf"a{suffix} is a picture; needed is a volume, as NIfTI"):
        inputs(file, tmp_path)


def test_nothing_is_read_before_the_cases_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = on_demand(tmp_path / "nowhere", tmp_path)
    end(cases, "eval")  # after an evaluator of somebody else
    assert capsys.readouterr().out == "the maps and the structures in numbers are in eval/predictions\n"
    for look in (len, list, lambda cases: cases[0]):
        with pytest.raises(ValueError, match="does not exist"):
            look(cases)


def test_a_list_of_a_program_takes_the_place_of_the_input(
    phantom_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(phantom_dir)
    cases = on_demand("nowhere", phantom_dir)
    files = sorted(phantom_dir.glob("imagesTr/*"))
    files[2].write_bytes(b"no image")
    held = MetaTensor(torch.rand(4, 3, 2), affine=torch.diag(torch.tensor([2.0, 1, 1, 1])))
    given = [str(files[0]), {"image": Path("imagesTr") / files[1].name, "label": "nowhere"}, files[2]]
    listed = [*given, {"image": [files[3]], "case": "three"}, {"image": held, "case": "four"}]
    found = used_by(cases, listed)
    assert "takes the place of --input nowhere, which is not predicted" in caplog.text
    names = [file.name.removesuffix(".nii.gz") for file in files]
    assert [case["case"] for case in found] == [names[0], names[1], "three", "four"]
    assert [case["image"] for case in found[:-1]] == [str(files[0]), str(files[1]), str(files[3])]
    assert found[-1]["image"] is held
    assert "label" not in found[1]
    assert listed[:3] == given  # the list of the program stays as it is
    with pytest.raises(ValueError, match=r"^1 case\(s\) were skipped"):
        end(cases, "eval")


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([], "^dataset#data is an empty list"),
        ("/data/a.nii", "^dataset#data is of the type str; it must be a list of images"),
        ({"image": "a.nii"}, "^dataset#data is of the type dict; it must be a list"),
        (None, "^dataset#data is of the type NoneType; it must be a list"),
        (["a::1.nii"], "^dataset#data a::1.nii holds '::'; MONAI makes '::' of '#'"),
        ([{"img": "a.nii"}], "^dataset#data lists {'img': 'a.nii'}; needed is a path without control characters, or"),
        ([""], "^dataset#data lists ''; needed is a path"),
        ([None], "^dataset#data lists None; needed is a path"),
        ([["a" * 300, 3]], r"^dataset#data lists \['a{100,}\.\.\.; needed is a path"),
        (["a/x.nii", "b/x.nii.gz"], "lists a/x.nii and b/x.nii.gz, and both are called x; both would be written"),
        (["a/x.nii", "a/x.nii"], "lists x twice, a/x.nii; both would"),
        ([torch.zeros(2, 2, 2)] * 2, "lists case twice, an image in memory; both would be written to one place: name"),
        ([{"image": torch.zeros(2, 2, 2), "case": "a"}], "^the case a cannot be taken: image is in memory and has"),
        ([MetaTensor(torch.zeros(1, 2, 2, 2))], "^the image of case holds one value only, 0, in"),
        ([MetaTensor(torch.arange(8.0).view(1, 2, 2, 2) % 3)], "^the image of case holds only whole numbers from 0 to"),
    ],
)
def test_a_list_of_something_else_is_refused(listed: list[Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        used_by(on_demand("", tmp_path), listed)


def test_channels_that_are_listed_in_another_order_are_refused(phantom_dir: Path, tmp_path: Path) -> None:
    """The network would take one for the other, and nothing in the result would show it."""
    endings = ("_t1.nii.gz", "_t1ce.nii.gz")
    files = [str(tmp_path / f"one{ending}") for ending in endings]
    for file in files:
        shutil.copy(phantom_dir / IMAGE, file)
    cases = on_demand("", phantom_dir, endings)
    said = (
        r"one_t1ce\.nii\.gz is listed as channel 1 of one_t1ce, whose files end in _t1\.nii\.gz: list the files in the"
    )
    with pytest.raises(ValueError, match=said):
        used_by(cases, [{"image": files[::-1]}])
    (tmp_path / "list.json").write_text(json.dumps([{"image": files[::-1], "case": "one"}]))
    with pytest.raises(ValueError, match="is listed as channel 1 of one, whose"):
        inputs(tmp_path / "list.json", phantom_dir, endings)
    assert used_by(on_demand("", phantom_dir, endings), [{"image": files, "case": "one"}])


def test_a_data_set_with_transforms_of_its_own_is_refused(tmp_path: Path) -> None:
    """The postprocessing takes predictions back through the transforms of the preprocessing alone."""
    with pytest.raises(ValueError, match=r"^the dataset has transforms of its own, .* change those of preprocessing"):
        on_demand("", tmp_path).used(Dataset([], Compose([LOADING])))
