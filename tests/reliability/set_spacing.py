"""Copies a folder of NIfTI with another size of the voxels in the headers: `python tests/reliability/set_spacing.py
MnMs_vendorA COPY 1.33 1.33 10`. The directions of the axes and the voxels stay."""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel
import numpy as np


def main() -> None:
    """Write the copies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of the files")
    parser.add_argument("target", type=Path, help="folder of the copies")
    parser.add_argument("spacing", type=float, nargs=3, help="mm along each axis")
    asked = parser.parse_args()
    for file in sorted(asked.source.rglob("*.nii.gz")):
        image = nibabel.load(file)
        affine = image.affine.copy()
        affine[:3, :3] *= np.array(asked.spacing) / image.header.get_zooms()[:3]
        copy = asked.target / file.relative_to(asked.source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine), copy)


if __name__ == "__main__":
    main()
