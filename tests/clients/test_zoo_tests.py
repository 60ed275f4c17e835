"""The model zoo's unit tests of a bundle: train, evaluate and infer by `ConfigWorkflow` in Python, on data they make.

As in `ci/unit_tests/test_spleen_ct_segmentation.py` of Project-MONAI/model-zoo (f0de79dc): overrides in Python,
`check_properties` between `initialize` and `run`, and an inference that loads no weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from committed import FILES
from driven import QUICK, Driven
from monai.bundle import ConfigWorkflow


def run_as_the_zoo(driven: Driven, config: str, workflow: str, **override: Any) -> None:
    configs = driven.root / "configs"
    ran = ConfigWorkflow(
        workflow_type=workflow,
        config_file=[str(configs / f"{name}.json") for name in FILES[config]],
        logging_file=str(configs / "logging.conf"),
        meta_file=str(configs / "metadata.json"),
        bundle_root=str(driven.root),
        **override,
    )
    ran.initialize()
    assert ran.check_properties() == []
    ran.run()
    ran.finalize()


def test_train_evaluate_and_infer(driven: Driven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"dataset_dir": str(driven.data), "ckpt_dir": str(tmp_path / "models"), "output_dir": str(tmp_path)}
    run_as_the_zoo(driven, "train", "train", **places, **QUICK, epochs=1)
    run_as_the_zoo(driven, "evaluate", "train", **places, figures=False, slice_size=[48, 64])
    assert (tmp_path / "summary.json").is_file()
    nowhere = {"ckpt_dir": str(tmp_path / "nowhere"), "handlers#0#_disabled_": True, "slice_size": [48, 64]}
    run_as_the_zoo(driven, "inference", "infer", **places | nowhere)
    assert len(list((tmp_path / "predictions").glob("*/*_label.nii.gz"))) == len(driven.cases["test"])
