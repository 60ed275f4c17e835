"""What whole data sets take: `python tests/reliability/sets.py [brats kits]` prints the peak of a training and a check.

The volumes are made as they are asked for, in the sizes of the real ones. Of BraTS 2019, 235 cases of four channels
are kept for training, about 66 slices with tumor and 16 from elsewhere each, and 35 whole ones for validation. Of
KiTS19 a CT of 1059 slices of 512 x 512, the largest there is, is checked with seven of 150 slices in the four threads
of a run. The peak is that of the process, Python and its libraries included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import numpy as np
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bundles"))

from committed import start  # noqa: E402 - once the path is set

from calib_monai.slices import SliceLoader  # noqa: E402

BRAIN = (145, 192, 140)  # padded to the bundle's slices
TUMOR_SLICES = 82  # of a case, those from elsewhere included


class Brains:
    """Prepared cases, each made when it is asked for."""

    def __init__(self, count: int, size: tuple[int, ...]) -> None:
        self.count = count
        self.size = size

    def __len__(self) -> int:
        """Number of cases."""
        return self.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The cases."""
        return map(self.__getitem__, range(self.count))

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A case: image and label as the network sees them, and the label as it was loaded."""
        generator = torch.Generator().manual_seed(index)
        image = torch.rand(4, *self.size, generator=generator)
        return {"image": image, "label": torch.ones(1, *self.size), "case": str(index)}


def whole(case: dict[str, Any]) -> dict[str, Any]:
    """A case of validation: with the label on the grid of the files."""
    return case | {"truth": torch.ones(1, 240, 240, 155)}


def train_brats() -> None:
    """Keep what a training keeps, and take an epoch of batches."""
    loader = SliceLoader(Brains(235, (128, 192, TUMOR_SLICES)), batch_size=16)  # type: ignore[arg-type]
    kept = [whole(case) for case in Brains(35, BRAIN)]
    print(len(kept), "volumes and", sum(1 for _ in loader), "batches")  # noqa: T201


def check_kits() -> None:
    """Check the files of eight CTs."""
    with TemporaryDirectory() as folder:
        for index, depth in enumerate([150, 1059, *[150] * 6]):
            case = Path(folder) / "data" / f"case_{index:05d}"
            case.mkdir(parents=True)
            affine = np.array([[0, 0, -0.8, 0], [0, -0.8, 0, 0], [-0.5 * 1059 / depth, 0, 0, 0], [0, 0, 0, 1]])
            voxels = np.zeros((depth, 512, 512), np.int16)
            voxels[: depth // 2] = 100
            nibabel.save(nibabel.Nifti1Image(voxels, affine), case / "imaging.nii.gz")
            nibabel.save(nibabel.Nifti1Image((voxels > 0).astype(np.uint8), affine), case / "segmentation.nii.gz")
        start("kits_ce", "train", Path(folder) / "data", Path(folder), initialize=["@cases"], run=[])


WORK = {"brats": ("BraTS 2019, training", train_brats), "kits": ("KiTS19, check", check_kits)}


def measured(name: str, work: Callable[[], None]) -> None:
    """Print the peak of a piece of work, in a process of its own."""
    begun = time.monotonic()
    process = multiprocessing.get_context("spawn").Process(target=_peak_of, args=(name, work, begun))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"error: {name} ended with {process.exitcode}")


def _peak_of(name: str, work: Callable[[], None], begun: float) -> None:
    work()
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
