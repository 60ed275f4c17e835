"""Fits: a calibrator of saved probabilities, and the files of calibrated ones."""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from monai.transforms import Transform
from numpy.typing import NDArray

from calib_monai import handlers
from calib_monai.handlers.calibration import FitInputs
from calib_monai.handlers.copy_check import Look
from calib_monai.headers import is_nifti
from calib_monai.locks import release
from calib_monai.metrics.inputs import plain
from calib_monai.posthoc.files import Calibrator
from calib_monai.scoring.arrays import LOGITS, NPZ, PROBS, StoredArray
from calib_monai.scoring.earlier import SCORED
from calib_monai.scoring.evaluation import Scoring, evaluator_of, fit_checks, postprocessing_of, run
from calib_monai.scoring.probs import FoundProbs, view_of
from calib_monai.whole_files import whole_file, whole_path

OF_FIT = "of the cases of --fit, "  # which a message begins with


def fitted(kind: str, region: str, scoring: Scoring, folder: Path) -> tuple[Calibrator, Mapping[bytes, Sequence[Look]]]:
    """A calibrator of saved probabilities, which is written to a folder with the report of its fit.

    Args:
        kind: "ts" or "lts".
        region: the voxels whose likelihood counts, one of `calib_monai.regions`.
        scoring: the cases that it is fitted to.
        folder: of the results. Its `scored.json` stands for a model.

    Returns:
        The calibrator, and the cases that it was fitted to by their digest, as `CopyCheck` has them.

    Raises:
        ValueError: local temperatures without images, or probabilities that do not allow a fit, or that fit their
            labels far better turned or as other classes.
    """
    channels = {len(found.pair.images) for found in scoring.cases.values()}
    if kind == "lts" and channels == {0}:
        raise ValueError(
            "lts predicts the temperature of a voxel from its image, too: give --images FOLDER, or take --calibrate "
            "ts, which needs none"
        )
    if len(channels) > 1:
        numbers = " and ".join(map(str, sorted(channels)))
        raise ValueError(f"the cases have images of {numbers} files; there must be one for each channel")
    fitting = handlers.CalibratorFit(
        kind,
        FitInputs(scoring.class_names, max(1, *channels)),
        str(folder),
        str(folder),
        {kind: {"region": region}},
        model=SCORED,
        region_option="--fit_region",
    )
    copies = handlers.CopyCheck(of=OF_FIT)
    checks = [*fit_checks(scoring, OF_FIT), copies]
    try:
        run(evaluator_of(scoring, [fitting, *checks], postprocessing=postprocessing_of(scoring)))
    finally:
        if fitting.items is not None:  # the run stopped before the fit
            fitting.items.remove()
            release(fitting.lock)
    return fitting.calibrator, copies.cases


class SaveProbsd(Transform):
    """Writes the probabilities of each case into another folder, as the files from which they came.

    Args:
        scoring: says which these are.
        root: folder of the given files.
        folder: of the written ones, which have the same paths in it.
    """

    def __init__(self, scoring: Scoring, root: Path, folder: Path) -> None:
        self.scoring = scoring
        self.root = root.absolute()
        self.folder = folder

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The unchanged case, after its "prob" is written."""
        found = self.scoring.cases[str(data["case"])]
        values = plain(data["prob"])
        if self.scoring.reading.order:
            values = values[torch.tensor(self.scoring.reading.order).argsort()]
        places = values[int(self.scoring.reading.foreground) :].numpy()
        for index, stored in enumerate(found.stored):
            part = places if len(found.stored) == 1 else places[index : index + 1]
            write_like(_of_probs(stored), self._path_of(stored.file), view_of(part, found))
        if found.place:
            shutil.copyfile(found.place, self._path_of(found.place))
        return dict(data)

    def paths_of(self, found: FoundProbs) -> list[Path]:
        """The files that are written of a case."""
        place = [self._path_of(found.place)] if found.place else []
        return [*(self._path_of(stored.file) for stored in found.stored), *place]

    def _path_of(self, file: str | Path) -> Path:
        """Where the file that comes from a given one is written."""
        return self.folder / Path(file).absolute().relative_to(self.root)


def _of_probs(stored: StoredArray) -> StoredArray:
    """The file as if it held probabilities, at least of single precision: a coarser type makes 0 of low ones."""
    dtype = np.promote_types(stored.dtype, np.float32) if stored.dtype.kind == "f" else np.dtype(np.float32)
    key = PROBS if stored.called == LOGITS else stored.key
    return replace(stored, dtype=dtype, key=key)


def write_like(stored: StoredArray, path: Path, probs: NDArray[np.float32]) -> None:
    """Write probabilities in the format of a file, complete or not at all.

    Args:
        stored: the file, as one of probabilities.
        path: where to write.
        probs: with the axes of the stored array.
    """
    if is_nifti(stored.file):
        header: Any = nibabel.load(stored.file).header
        image: Any = nibabel.Nifti1Image(probs.reshape(header.get_data_shape()), None, header)  # type: ignore[no-untyped-call]
        image.header.set_slope_inter(1, 0)
        image.set_data_dtype(stored.dtype)
        with whole_path(path) as unfinished:
            nibabel.save(image, unfinished)
        return
    values = probs.astype(stored.dtype, order="F" if stored.fortran else "K", copy=False)  # written in parts
    with whole_file(path) as file:
        if stored.file.lower().endswith(NPZ):
            arrays: dict[str, Any] = {stored.called: values}
            np.savez_compressed(file, **arrays)
        else:
            np.save(file, values)
