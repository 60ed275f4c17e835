"""The files that nnU-Net itself writes, by each of its readers of NIfTI; only where nnU-Net is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from saved_probs import AFFINE, NAMES, Folders

from calib_monai.reports.run_files import read_run
from calib_monai.score import main

DATASET = {
    "labels": {name: index for index, name in enumerate(NAMES)},
    "file_ending": ".nii.gz",
    "channel_names": {"0": "CT"},
}
RESAMPLING = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}


def plans(reader: str, spacing: list[float]) -> Any:
    """What nnU-Net knows of a configuration that neither crops nor resamples."""
    handler = pytest.importorskip("nnunetv2.utilities.plans_handling.plans_handler")
    return handler.PlansManager(
        {
            "image_reader_writer": reader,
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "label_manager": "LabelManager",
            "configurations": {
                "3d_fullres": {
                    "architecture": {},
                    "spacing": spacing,
                    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                    "resampling_fn_probabilities_kwargs": RESAMPLING,
                }
            },
        }
    )


@pytest.mark.parametrize("reader", ["SimpleITKIO", "SimpleITKIOWithReorient", "NibabelIO", "NibabelIOWithReorient"])
def test_what_nnunet_writes_has_the_measures_of_its_probabilities(
    folders: Callable[..., Folders], tmp_path: Path, reader: str
) -> None:
    export = pytest.importorskip("nnunetv2.inference.export_prediction")
    given = folders()
    expected = given._replace(probs=tmp_path / "niftis" / "probs")
    for case, made in given.cases.items():
        image = tmp_path / f"{case}_0000.nii.gz"
        logits = np.moveaxis(np.log(made.probs), 0, -1)
        expected.write(case, "{}.nii.gz", torch.from_numpy(logits).softmax(-1).numpy())
        nibabel.save(nibabel.Nifti1Image(made.label.astype(np.float32), AFFINE), image)
        channels = []
        for channel in logits.transpose(3, 0, 1, 2):
            path = tmp_path / "channel.nii.gz"
            nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(channel), AFFINE), path)
            manager = plans(reader, [1.0] * 3)
            values, properties = manager.image_reader_writer_class().read_images([str(path)])
            channels.append(values[0])
        manager = plans(reader, [float(size) for size in properties["spacing"]])
        shape = channels[0].shape
        properties |= {
            "shape_before_cropping": shape,
            "bbox_used_for_cropping": [[0, size] for size in shape],
            "shape_after_cropping_and_before_resampling": shape,
        }
        export.export_prediction_from_logits(
            torch.from_numpy(np.stack(channels)),
            properties,
            manager.get_configuration("3d_fullres"),
            manager,
            DATASET,
            str(given.probs / case),
            save_probabilities=True,
            num_threads_torch=1,
        )
    for folder in (given, expected):
        assert main(folder.options) == 0
    here, there = (read_run(folder.probs.parent / "out") for folder in (given, expected))
    assert here.metrics == pytest.approx(there.metrics, rel=0, abs=1e-6, nan_ok=True)
    assert here.cases.keys() == there.cases.keys()
