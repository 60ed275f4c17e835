"""What scoring large cases takes: `python tests/reliability/large_scores.py [CASES] [FORMATS]` prints memory and time.

Each case has 512 x 512 x 400 voxels, or others with `--size X Y Z`, and 5 classes. With `--calibrate`, a temperature is
fitted to the first case and measured on the others. All cases are links to one, which is read anew each time. The peak
is that of the process, Python and its libraries included.
"""

from __future__ import annotations

import argparse
import gzip
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import nibabel
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
SHAPE, CLASSES, ENLARGED = (512, 512, 400), 5, 8
FORMATS = ("npz", "nii.gz")
AFFINE = np.diag([0.8, 0.8, 1.0, 1.0])
NAMES = ["background", *(f"organ{index}" for index in range(1, CLASSES))]


def enlarged(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each voxel many."""
    for axis in range(small.ndim):
        small = small.repeat(ENLARGED, axis=axis)
    return small


def prepare(folder: Path, form: str, count: int, shape: Sequence[int] = SHAPE) -> None:
    """Write a case whose structures are blobs, with its label, and links to both under other names."""
    rng = np.random.default_rng(0)
    grids = np.stack(np.meshgrid(*(np.linspace(-1, 1, size // ENLARGED) for size in shape), indexing="ij"))
    centers = rng.uniform(-0.5, 0.5, (CLASSES - 1, 3, 1, 1, 1))
    logits = [np.zeros_like(grids[0]), *(6 - 40 * ((grids - center) ** 2).sum(0) for center in centers)]
    probs = np.exp(np.stack(logits))
    probs = (probs / probs.sum(0)).astype(np.float32)
    label = enlarged(np.stack([probs.argmax(0)])[0].astype(np.float32)).astype(np.uint8)
    for name in ("probs", "labels"):
        (folder / name).mkdir()
    nibabel.save(nibabel.Nifti1Image(label, AFFINE), folder / "labels" / "case_0.nii.gz")
    first = folder / "probs" / f"case_0.{form}"
    if form == "npz":
        header = {"descr": "<f4", "fortran_order": False, "shape": (CLASSES, *shape[::-1])}
        with (
            zipfile.ZipFile(first, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("probabilities.npy", "w", force_zip64=True) as stream,
        ):
            np.lib.format.write_array_header_1_0(stream, header)
            write(stream, probs)
    else:
        image = nibabel.Nifti1Image(np.empty((1, 1, 1, 1), np.float32), AFFINE)
        image.header.set_data_shape((*shape, CLASSES))
        image.header.set_data_offset(352)
        with gzip.open(first, "wb", compresslevel=1) as stream:
            stream.write(image.header.binaryblock + b"\0" * 4)
            write(stream, probs)
    for index in range(1, count):
        (folder / "labels" / f"case_{index}.nii.gz").symlink_to(folder / "labels" / "case_0.nii.gz")
        (folder / "probs" / f"case_{index}.{form}").symlink_to(first)


def write(stream: BinaryIO, probs: NDArray[np.float32]) -> None:
    """Write the channels, x running fastest."""
    for channel in probs:
        for plane in channel.T:
            two = plane.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1).tobytes()
            stream.writelines(two for _ in range(ENLARGED))


def run(folder: Path, options: Sequence[str] = ()) -> tuple[float, float]:
    """Peak of the memory in GiB and seconds of a run with these options."""
    line = [sys.executable, "-W", "ignore", "-m", "calib_monai.score", "--probs", str(folder / "probs")]
    line += ["--labels", str(folder / "labels"), "--out", str(folder / "out"), "--classes", *NAMES, *options]
    begun = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, cwd=ROOT)  # noqa: S603 - our own
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"error: {(folder / 'log.txt').read_text()[-2000:]}")
    return used.ru_maxrss / 2**20, time.monotonic() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="?", type=int, default=20, help="number of cases")
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="npz or nii.gz; both without any")
    parser.add_argument("--calibrate", action="store_true", help="fit a temperature to the first case")
    parser.add_argument("--size", nargs=3, type=int, default=SHAPE, help=f"of a case, multiples of {ENLARGED} voxels")
    given = parser.parse_args()
    options = ["--calibrate", "ts", "--fit", "case_0"] if given.calibrate else []
    print(f"{'':28}{'GiB':>8}{'seconds':>10}")  # noqa: T201
    for form in given.formats or FORMATS:
        with TemporaryDirectory() as name:
            prepare(Path(name), form, given.cases, given.size)
            peak, seconds = run(Path(name), options)
            print(f"{f'{given.cases} case(s), {form}':28}{peak:8.1f}{seconds:10.0f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
