"""Outputs: the maps that an inference writes for a case, chosen by name."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.transforms import SaveImage, Transform

from calib_monai.case_names import case_of
from calib_monai.checks import OUTPUTS
from calib_monai.transforms import Confidenced, Entropyd
from calib_monai.writers import ScaledNIfTIWriter, WholeNIfTIWriter

MASKS = ("label", "margin")  # outputs that are whole numbers
KEYS = {"label": "pred", "probs": "prob"}  # of a case, where an output is called otherwise
MADE_BY = {"confidence": Confidenced, "entropy": Entropyd}  # of the probabilities, and forgotten once they are written


class SaveOutputsd(Transform):
    """Writes the chosen outputs of a case, each as `CASE/CASE_OUTPUT.nii.gz`.

    Args:
        output_dir: folder in which each case gets a folder.
        outputs: some of `calib_monai.checks.OUTPUTS`. A case must hold "pred", class indices (1, H, W[, D]), for
            "label"; "prob", (C, H, W[, D]), for "probs", "confidence" and "entropy"; and "spread" and "margin", the
            masks of the structures, (C - 1, H, W[, D]), for themselves.
            `calib_monai.case_names.case_of` says what the case is called.
        probs_dtype: type of all outputs but label and margin, which are uint8; integers are scaled.
    """

    def __init__(self, output_dir: str, outputs: Sequence[str], probs_dtype: str = "float32") -> None:
        self.folder = Path(output_dir)
        self.savers = {
            output: SaveImage(
                output_dtype="uint8" if output in MASKS else probs_dtype,
                writer=WholeNIfTIWriter if output in MASKS else ScaledNIfTIWriter,
                resample=False,
                print_log=False,
            )
            for output in OUTPUTS
            if output in outputs
        }
        self.made_by = {output: MADE_BY[output]() for output in self.savers if output in MADE_BY}

    def __call__(self, data: Mapping[Any, Any]) -> dict[Hashable, Any]:
        """The unchanged data, after they are written.

        Raises:
            OSError: a file cannot be written, such as on a full disk.
        """
        case = case_of(data)
        for output, save in self.savers.items():
            written = self.made_by[output](data) if output in self.made_by else data
            WholeNIfTIWriter.failure = None  # of an earlier case
            try:
                save(written[KEYS.get(output, output)], filename=self.folder / case / f"{case}_{output}")
            except RuntimeError as error:
                raise WholeNIfTIWriter.failure or error from None
        return dict(data)
