"""Checks: what cannot work is refused in one line that names it."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from calib_monai.checks import (
    check_bundle_root,
    check_model,
    check_network,
    check_schedule,
    checked_inputs,
    checked_split,
)
from calib_monai.datalists.hippocampus import hippocampus_split

IMAGE = "imagesTr/phantom_002.nii.gz"
LABEL = "labelsTr/phantom_002.nii.gz"


def check(
    folder: Path, *, keep: bool = False, slice_size: tuple[int, int] = (48, 64)
) -> dict[str, list[dict[str, str]]]:
    """The checked split of a Decathlon folder."""
    work = folder.parent
    return checked_split(
        partial(hippocampus_split, str(folder)), 3, slice_size, str(work / "models"), str(work / "eval"), keep=keep
    )


def edit(path: Path, change: object) -> None:
    """Replace the voxels of a NIfTI by `change(voxels)`."""
    image = nibabel.load(path)
    voxels = change(image.get_fdata(dtype=np.float32))  # type: ignore[operator]
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), path)


def set_first(value: float) -> object:
    def change(voxels: np.ndarray) -> np.ndarray:
        voxels[0, 0, 0] = value
        return voxels

    return change


def test_good_cases_pass_and_their_split_is_written(phantom_dir: Path) -> None:
    split = check(phantom_dir)
    for folder in ("eval", "models"):
        written = json.loads((phantom_dir.parent / folder / "split.json").read_text())
        assert written == {name: [case["case"] for case in cases] for name, cases in split.items()}
    assert [len(cases) for cases in split.values()] == [5, 1, 2]


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (LABEL, set_first(5), "phantom_002.nii.gz holds the label value(s) 5; with 3 classes"),
        (LABEL, set_first(-1), "label value(s) -1"),
        (LABEL, set_first(0.5), "label value(s) 0.5"),
        (LABEL, lambda voxels: voxels[1:], "they must be equal"),
        (LABEL, lambda voxels: 255 * voxels, "label value(s) 255, 510"),
        (IMAGE, set_first(np.nan), "phantom_002.nii.gz holds 1 voxel(s) that are NaN or infinite"),
        (IMAGE, set_first(np.inf), "holds 1 voxel(s)"),
        (IMAGE, lambda voxels: voxels[..., None].repeat(2, axis=-1), "must be 3D"),
        (IMAGE, lambda voxels: np.pad(voxels, ((0, 40), (0, 0), (0, 0))), "slice_size is [48, 64]"),
    ],
)
def test_a_file_that_cannot_be_trained_on_is_named_with_its_value(
    phantom_dir: Path, file: str, change: object, said: str
) -> None:
    edit(phantom_dir / file, change)
    with pytest.raises(SystemExit) as stop:
        check(phantom_dir)
    assert said in str(stop.value)
    assert "phantom_002" in str(stop.value)
    assert "\n" not in str(stop.value)
    assert not (phantom_dir.parent / "eval").exists()


@pytest.mark.parametrize("content", [b"", b"not a gzip file", None])
def test_a_file_that_cannot_be_read_is_named(phantom_dir: Path, content: bytes | None) -> None:
    path = phantom_dir / IMAGE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(SystemExit, match=r"phantom_002\.nii\.gz cannot be read"):
        check(phantom_dir)


def test_several_bad_files_are_counted(phantom_dir: Path) -> None:
    for name in ("phantom_001", "phantom_004"):
        edit(phantom_dir / "labelsTr" / f"{name}.nii.gz", set_first(9))
    with pytest.raises(SystemExit, match=r"and 1 more of 8 cases"):
        check(phantom_dir)


def swap_test_and_validation(phantom_dir: Path) -> None:
    """As if the model had been trained with another split."""
    path = phantom_dir.parent / "models" / "split.json"
    names = json.loads(path.read_text())
    names["test"], names["validation"] = names["validation"], names["test"]
    path.write_text(json.dumps(names))


def test_an_evaluation_keeps_the_split_of_the_model(phantom_dir: Path) -> None:
    split = check(phantom_dir)
    swap_test_and_validation(phantom_dir)
    assert check(phantom_dir, keep=True)["test"] == split["validation"]


def test_a_training_does_not_put_its_split_beside_another_model(phantom_dir: Path) -> None:
    check(phantom_dir)
    check(phantom_dir)
    swap_test_and_validation(phantom_dir)
    check(phantom_dir)  # no model was trained with that split
    swap_test_and_validation(phantom_dir)
    (phantom_dir.parent / "models" / "model.pt").touch()
    with pytest.raises(SystemExit, match="trained with another split: set another --ckpt_dir"):
        check(phantom_dir)


def test_without_a_split_beside_the_model_a_warning_is_given(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check(phantom_dir, keep=True)
    assert "nothing says which cases the model was trained on" in caplog.text


def test_a_split_of_other_data_is_refused(phantom_dir: Path) -> None:
    check(phantom_dir)
    for kind in ("imagesTr", "labelsTr"):
        (phantom_dir / kind / "phantom_005.nii.gz").unlink()
    with pytest.raises(SystemExit, match=r"split\.json.*lists 1 case\(s\) that dataset_dir lacks, first phantom_005"):
        check(phantom_dir, keep=True)


@pytest.mark.parametrize("content", ["", "{}", '{"training": [', '["phantom_001"]'])
def test_a_damaged_split_is_named(phantom_dir: Path, content: str) -> None:
    check(phantom_dir)
    (phantom_dir.parent / "models" / "split.json").write_text(content)
    with pytest.raises(SystemExit, match=r"models/split\.json is damaged"):
        check(phantom_dir, keep=True)


class Doubling(torch.nn.Module):
    """Logits of two classes on a grid twice as fine, of images that can be halved."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        halves = torch.cat([image[..., ::2, :], image[..., 1::2, :]], dim=1)
        return torch.nn.functional.interpolate(halves, scale_factor=(4.0, 2.0))


def test_a_network_that_cannot_take_the_slices_is_refused() -> None:
    network, device = Doubling(), torch.device("cpu")
    with pytest.raises(SystemExit, match=r"Doubling cannot take slices of the shape \(1, 1, 5, 4\): Sizes of tensors"):
        check_network(network, 1, 2, [5, 4], device)
    with pytest.raises(SystemExit, match=r"gives \(1, 2, 8, 8\) for slices .* it must give \(1, 2, 4, 4\)"):
        check_network(network, 1, 2, [4, 4], device)
    check_network(torch.nn.Conv2d(1, 2, 1), 1, 2, [4, 4], device)
    assert network.training


@pytest.mark.parametrize("slice_size", [(50, 64), (0, 64), (48, -16)])
def test_a_slice_size_that_no_network_can_halve_is_refused(phantom_dir: Path, slice_size: tuple[int, int]) -> None:
    with pytest.raises(SystemExit, match="multiples of 16"):
        check(phantom_dir, slice_size=slice_size)


@pytest.mark.parametrize(("epochs", "val_interval"), [(0, 1), (2, 5), (2, 0)])
def test_a_training_that_never_validates_is_refused(epochs: int, val_interval: int) -> None:
    check_schedule(3, 3)
    with pytest.raises(SystemExit, match=f"epochs is {epochs} and val_interval {val_interval}"):
        check_schedule(epochs, val_interval)


def test_inputs_are_an_image_a_folder_or_the_test_cases(phantom_dir: Path) -> None:
    models = str(phantom_dir.parent)
    datalist = partial(hippocampus_split, str(phantom_dir))
    one = checked_inputs(str(phantom_dir / IMAGE), datalist, models)
    assert one == [{"image": str(phantom_dir / IMAGE), "case": "phantom_002"}]
    assert len(checked_inputs(str(phantom_dir / "imagesTr"), datalist, models)) == 8
    test = checked_inputs("", datalist, models)
    assert [case["case"] for case in test] == [case["case"] for case in datalist()["test"]]


def test_inputs_that_are_none_are_refused(phantom_dir: Path) -> None:
    datalist = partial(hippocampus_split, str(phantom_dir))
    with pytest.raises(SystemExit, match="does not exist"):
        checked_inputs(str(phantom_dir / "nothing"), datalist, "")
    with pytest.raises(SystemExit, match="holds no"):
        checked_inputs(str(phantom_dir), datalist, "")
    shutil.copy(phantom_dir / IMAGE, phantom_dir / "imagesTr" / "phantom_003.nii")
    with pytest.raises(SystemExit, match="holds phantom_003 twice"):
        checked_inputs(str(phantom_dir / "imagesTr"), datalist, "")
    edit(phantom_dir / IMAGE, set_first(np.nan))
    with pytest.raises(SystemExit, match="NaN"):
        checked_inputs(str(phantom_dir / IMAGE), datalist, "")


def test_a_bundle_root_and_a_model_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds no configs/metadata\.json"):
        check_bundle_root(str(tmp_path))
    with pytest.raises(SystemExit, match=r"no model at .*model\.pt"):
        check_model(str(tmp_path / "model.pt"))


def test_labels_beside_their_images_are_not_predicted(phantom_dir: Path) -> None:
    folder = phantom_dir / "imagesTr"
    shutil.copy(phantom_dir / LABEL, folder / "phantom_002_gt.nii.gz")
    cases = checked_inputs(str(folder), dict, str(phantom_dir))
    assert [case["case"] for case in cases] == [f"phantom_{n:03d}" for n in range(8)]
