"""What whole data sets take: `python tests/reliability/sets.py [brats kits]` prints the peak of a training and a check.

Files of the real sizes are written to a temporary folder, a few of them, and linked under as many names as the data set
has cases. Of BraTS 2019 335 cases of four channels are checked; 235 train and 35 are validated on, all kept as a run
keeps them; then come three steps and the validation of one case. Of KiTS19 210 CTs are checked, with 29 to 1059 slices
and four of the largest together; these are stored as float64, the others as int16. The peak is that of the process,
Python and its libraries included.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import nibabel
import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bundles"))

from committed import start  # noqa: E402 - once the path is set

BRAIN, TUMOR = (145, 185, 140), (60, 70, 66)  # voxels of BraTS's largest brains, and of a tumor with its edema
BRAINS = 335  # cases of BraTS 2019
DEPTHS = {1059: 1, 850: 3, 700: 6, 500: 16, 330: 24, 220: 28, 150: 32, 103: 35, 80: 28, 61: 25, 29: 12}  # KiTS19: CTs
LARGE = 850  # slices, from which a CT is stored as float64
NOISY = 16  # of so many slices one is noise


def ellipsoid(shape: tuple[int, ...], size: tuple[float, ...]) -> np.ndarray:
    """A mask of an ellipsoid in the middle, of so many voxels from end to end."""
    axes = np.ogrid[tuple(slice(-number / 2, number / 2, number * 1j) for number in shape)]
    return np.asarray(sum((2 * axis / length) ** 2 for axis, length in zip(axes, size, strict=True)) < 1)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> None:
    """Write a NIfTI file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)


def write_brats(data: Path) -> None:
    """Write the 335 cases, which are two."""
    layers = np.broadcast_to(np.arange(155) % 16, (240, 240, 155))
    for number in range(BRAINS):
        folder, names = data / "HGG" / f"BraTS19_{number:03d}_1", ("flair", "t1", "t1ce", "t2", "seg")
        for index, name in enumerate(names):
            path, first = folder / f"{folder.name}_{name}.nii.gz", f"BraTS19_{number % 2:03d}_1"
            if number >= 2:
                folder.mkdir(exist_ok=True)
                os.link(data / "HGG" / first / f"{first}_{name}.nii.gz", path)
            elif name == "seg":
                inner, outer = (ellipsoid((240, 240, 155), TUMOR * np.array(part)) for part in (0.5, 1.0))
                save(path, np.where(inner, 4, 2 * outer).astype(np.uint8), np.diag([-1.0, -1, 1, 1]))
            else:
                brain = ellipsoid((240, 240, 155), BRAIN) * (600 + 100 * index + layers)
                save(path, brain.astype(np.int16), np.diag([-1.0, -1, 1, 1]))


def train_brats(folder: Path) -> None:
    """Check, prepare and keep all cases, train three steps and validate one case."""
    trainer = {"train#trainer#epoch_length": 3, "validate#evaluator#epoch_length": 1}
    start("brats_ce", "train", folder / "data", folder, epochs=1, initialize=["$@cases.checked"], **trainer)


def write_kits(data: Path) -> None:
    """Write the 210 cases, one for each number of slices."""
    depths = [depth for depth, count in DEPTHS.items() for _ in range(count)]
    written: dict[int, Path] = {}
    for number, depth in enumerate(depths):
        case = data / f"case_{number:05d}"
        if depth in written:
            case.mkdir()
            for path in written[depth].iterdir():
                os.link(path, case / path.name)
            continue
        affine = np.array([[0, 0, -0.8, 0], [0, -0.8, 0, 0], [-0.5 * 1059 / depth, 0, 0, 0], [0, 0, 0, 1]])
        voxels = np.zeros((depth, 512, 512), np.int16)
        voxels[: depth // 2] = 100
        noise = np.random.default_rng(depth).integers(0, 200, voxels[::NOISY].shape, np.int16)
        voxels[::NOISY] = noise  # or the file would be smaller than that of any scan, and be refused
        save(case / "imaging.nii.gz", voxels.astype(np.float64 if depth >= LARGE else np.int16), affine)
        save(case / "segmentation.nii.gz", (voxels > 99).astype(np.uint8), affine)
        written[depth] = case


def check_kits(folder: Path) -> None:
    """Check the files of all CTs."""
    start("kits_ce", "train", folder / "data", folder, initialize=["$@cases.checked"], run=[])
    split = json.loads((folder / "split.json").read_text())
    if sum(map(len, (split[name] for name in ("training", "validation", "test")))) != sum(DEPTHS.values()):
        raise SystemExit(f"error: not every case was checked: {folder / 'split.json'}")


WORK = {
    "brats": ("BraTS 2019, training", write_brats, train_brats),
    "kits": ("KiTS19, check", write_kits, check_kits),
}


def measured(name: str, write: Callable[[Path], None], work: Callable[[Path], None]) -> None:
    """Print the peak of a piece of work with what was written for it, in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with TemporaryDirectory() as folder:
        writing = spawn.Process(target=write, args=(Path(folder) / "data",))  # a process begins with its parent's peak
        working = spawn.Process(target=_peak_of, args=(name, work, Path(folder)))
        for process in (writing, working):
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"error: {name} ended with {process.exitcode}")


def _peak_of(name: str, work: Callable[[Path], None], folder: Path) -> None:
    begun = time.monotonic()
    with mock.patch("calib_monai.cases.without_copies", lambda split, *_, **__: (split, [])):  # links are other scans
        work(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:24}{peak:8.1f} GiB{time.monotonic() - begun:8.0f} s", flush=True)  # noqa: T201


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", choices=[[], *WORK], help="brats or kits; both without any")
    for name in parser.parse_args().sets or WORK:
        measured(*WORK[name])


if __name__ == "__main__":
    main()
