"""The endings by which an inference finds the images of one's own cases, from the patterns of the images."""

from __future__ import annotations

from collections.abc import Sequence

from calib_monai.datalists.inputs import IMAGE_SUFFIXES

CASE = "{case}"


def endings_of(images: Sequence[str]) -> list[str]:
    """How the names of a case's images end, in the order of the channels, so that an inference calls it as a training.

    Args:
        images: the pattern of each channel.

    Returns:
        The endings. None if a name ends in its case, or if an inference could not tell the files apart by them: an
        ending with `*`, one that ends another, or files in different folders.

    Examples:
        >>> endings_of(["scans/{case}_pd.nii.gz", "scans/{case}_t2.nii.gz"])
        ['_pd.nii.gz', '_t2.nii.gz']
    """
    folders = {pattern.rpartition("/")[0] for pattern in images}
    names = [pattern.rpartition("/")[2] for pattern in images]
    ends = [name.rpartition(CASE)[2] for name in names]
    by_folder = any(
        CASE not in name and "*" in pattern.partition(CASE)[0] for name, pattern in zip(names, images, strict=True)
    )
    alike = any(one.endswith(other) for i, one in enumerate(ends) for j, other in enumerate(ends) if i != j)
    by_case = len(ends) == 1 and ends[0].lower() in IMAGE_SUFFIXES
    return [] if len(folders) > 1 or by_folder or alike or by_case or "*" in "".join(ends) else ends
