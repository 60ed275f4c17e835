"""MONAI's `check_properties`, which the model zoo runs: all bundles have what MONAI's workflows look for."""

from __future__ import annotations

from pathlib import Path

import pytest
from committed import BUNDLES, FILES, SOME_BUNDLES
from driven import KINDS
from monai.bundle import ConfigWorkflow
from monai.utils import BundleProperty, set_determinism
from monai.utils.misc import get_seed

TYPES = {"train": "train", "evaluate": "train", "inference": "infer"}  # an evaluation is laid over the training
WITHOUT = {"train_postprocessing", "train_key_metric", "key_metric"}  # a training measures its loss alone


def workflow_of(bundle: Path, config: str) -> ConfigWorkflow:
    files = [str(bundle / "configs" / f"{name}.json") for name in FILES[config]]
    workflow = ConfigWorkflow(config_file=files, workflow_type=TYPES[config], logging_file=False)
    workflow.parser.parse()  # as `initialize` does
    return workflow


@pytest.mark.parametrize("bundle", SOME_BUNDLES, ids=lambda path: path.name)
def test_no_property_is_missing_or_called_otherwise(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # MONAI makes each property to see whether it is there; here it is only looked for.
    monkeypatch.setattr(ConfigWorkflow, "_get_property", ConfigWorkflow._get_prop_id)
    for config in TYPES:
        assert workflow_of(bundle, config).check_properties() == []


@pytest.mark.parametrize("config", ["train", "inference"])
@pytest.mark.parametrize("bundle", [path for path in BUNDLES if path.name in KINDS], ids=lambda path: path.name)
def test_the_optional_properties_are_there_too(bundle: Path, config: str) -> None:
    workflow = workflow_of(bundle, config)
    for name, told in workflow.properties.items():
        assert (workflow._get_prop_id(name, told) is None) is (name in WITHOUT), name
        assert name not in WITHOUT or not told[BundleProperty.REQUIRED]


def test_an_evaluation_is_seeded_before_a_property_is_read() -> None:
    files = [str(BUNDLES[0] / "configs" / f"{name}.json") for name in FILES["evaluate"]]
    workflow = ConfigWorkflow(config_file=files, workflow_type="train", logging_file=False, seed=5)
    try:
        workflow.initialize()
        assert get_seed() == 5
    finally:
        set_determinism(None)
