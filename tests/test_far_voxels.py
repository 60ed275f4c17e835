"""Far voxels: an image whose voxels have a size of their own is told, and those of several scanners are not."""

from __future__ import annotations

from pathlib import Path

import nibabel
import pytest

from calib_monai.far_voxels import tell_far_voxels
from calib_monai.orientation import Geometry

DATA = Path(__file__).parents[2] / "shared" / "data"  # where there are some


def volumes(*edges: tuple[float, float, float], size: tuple[int, int, int] = (96, 96, 20)) -> dict[str, Geometry]:
    """Geometries of these voxels, and of five others of 0.6 x 0.6 x 3.6 mm."""
    usual = [Geometry((96, 96, 20), (0.6, 0.6, 3.6), "RAS")] * 5
    return {f"p{place}": one for place, one in enumerate([*usual, *(Geometry(size, edge, "RAS") for edge in edges)])}


@pytest.mark.parametrize(
    ("edges", "told"),
    [
        ((0.6, 0.6, 0.36), "0.6 x 0.6 x 0.36"),
        ((0.6, 0.6, 36.0), "0.6 x 0.6 x 36"),
        ((0.06, 0.06, 3.6), "0.06 x 0.06 x 3.6"),
        ((1.0, 1.0, 1.0), "1 x 1 x 1"),
    ],
)
def test_an_image_whose_voxels_are_far_from_all_others_is_told(
    edges: tuple[float, float, float], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    tell_far_voxels(volumes(edges), "RAS")
    [line] = caplog.messages
    assert line.startswith(
        f"1 of 6 case(s) have voxels of a size far from that of the others, first p5 with {told} mm, in the middle of "
        "all 0.6 x 0.6 x 3.6 mm: "
    )


def test_images_of_several_scanners_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    tell_far_voxels(volumes((0.3, 0.3, 1.0), (1.5, 1.5, 8.0), (0.5, 0.5, 10.0)), "RAS")
    tell_far_voxels(volumes((0.6, 0.6, 0.6), size=(96, 96, 120)), "RAS")  # thin slices, but more
    tell_far_voxels(volumes((3.6, 0.6, 0.6), size=(20, 96, 96)), "stored")  # the same, stored otherwise
    sagittal = {"p9": Geometry((20, 96, 96), (3.6, 0.6, 0.6), "SRA")}
    for axcodes in ("RAS", "auto"):
        tell_far_voxels({**volumes(), **sagittal}, axcodes)
    tell_far_voxels(volumes(*[(1.0, 1.0, 1.0)] * 2), "RAS")
    tell_far_voxels(volumes((1.0, 1.0, 1.0), size=(60, 60, 70)), "RAS")  # as of a sequence of cubes
    tell_far_voxels(dict([*volumes((0.6, 0.6, 0.36)).items()][4:]), "RAS")  # two, of which neither tells the other
    tell_far_voxels({f"b{place}": Geometry((64, 64), (1.0, 1.0), "") for place in range(6)}, "stored")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("ACDC", "training/*/*_gt.nii.gz"),
        ("KiTS19_labels", "**/*.nii.gz"),
        ("MnMs_vendorA", "**/*.nii.gz"),
        ("Task04_Hippocampus", "labelsTr/*.nii.gz"),
        ("Task05_Prostate_labels", "**/*.nii.gz"),
    ],
)
def test_real_data_gives_no_warning(name: str, pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    files = [file for file in (DATA / name).glob(pattern) if not file.name.startswith(".")]
    if not files:
        pytest.skip(f"needs {name}")
    geometries = {}
    for file in files:
        header = nibabel.load(file)
        codes = "".join(nibabel.aff2axcodes(header.affine))
        geometries[str(file)] = Geometry(header.shape[:3], header.header.get_zooms()[:3], codes)
    tell_far_voxels(geometries, "RAS")
    assert not caplog.messages
