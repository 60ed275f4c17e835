"""Committed bundles: what each says of itself, and what holds of all together."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from committed import BUNDLES, COLLECTION, FILES, REPOSITORY, SCHEMA, SOME_BUNDLES, VOLUMES, config_of
from monai.bundle import ConfigParser, ConfigWorkflow

from calib_monai.option_values import check_settings, unused_keys


def test_methods_differ_in_their_loss_and_in_what_adapts() -> None:
    views = {"augment", "learning_rate", "lr_scheduler", "train", "validate"}
    besides = {"crac": {"validate"}, "consistency": views, "bwcr": views}
    for bundle in BUNDLES:
        config = config_of(bundle, "train")
        method, plain = config["method"], config_of(f"{config['dataset']}_ce", "train")
        differing = {key for key in config.keys() | plain.keys() if config.get(key) != plain.get(key)}
        assert differing == (set() if method == "ce" else {"loss", "method"} | besides.get(method, set()))


def test_every_bundle_has_a_display_name_of_its_own() -> None:
    shown = [config_of(bundle, "metadata")["name"] for bundle in BUNDLES]
    assert len(set(shown)) == len(BUNDLES)
    assert "Hippocampus segmentation in MRI, neighbor-aware calibration" in shown


def test_no_name_stands_inside_another() -> None:
    # The zoo's tooling looks bundles up with `in`.
    names = [path.name for path in BUNDLES]
    assert not [(a, b) for a in names for b in names if a != b and a in b]


def test_metadata_are_as_monai_wants_them() -> None:
    schema = json.loads(SCHEMA.read_text()) if SCHEMA.is_file() else {}
    validator = jsonschema.validators.validator_for(schema)(schema)
    for bundle in BUNDLES:
        metadata = config_of(bundle, "metadata")
        assert metadata["version"] in metadata["changelog"], bundle
        assert all(metadata["required_packages_version"].values()), bundle
        assert list(validator.iter_errors(metadata)) == [], bundle


@pytest.mark.parametrize("bundle", SOME_BUNDLES, ids=lambda path: path.name)
@pytest.mark.parametrize(("config", "kind"), [("train", "train"), ("inference", "infer")])
def test_a_config_has_the_properties_that_monai_looks_for(bundle: Path, config: str, kind: str) -> None:
    configs = bundle / "configs"
    workflow = ConfigWorkflow(config_file=str(configs / f"{config}.json"), workflow_type=kind, logging_file=False)
    workflow.initialize = workflow.parser.parse  # type: ignore[method-assign] # without the checks of the data
    workflow.parser.parse()
    missing = [
        name
        for name, about in workflow.properties.items()
        if about["required"] and name != "meta" and about["id"] not in workflow.parser
    ]
    assert not missing


def test_configs_are_ascii_for_monai_reads_them_in_the_encoding_of_the_machine() -> None:
    for bundle in BUNDLES:
        for path in (bundle / "configs").glob("*.json"):
            path.read_text(encoding="ascii")


def test_lines_fit_and_are_whole() -> None:
    for path in (REPOSITORY / "bundles").glob("*/configs/*.json"):
        text = path.read_text(encoding="utf-8")
        assert text.endswith("}\n")
        for line in text.splitlines():
            assert len(line) <= 120 or '"$' in line or "_desc_" in line or path.name == "metadata.json"


@pytest.mark.parametrize("files", (FILES | VOLUMES).values(), ids=FILES | VOLUMES)
def test_each_setting_may_be_as_it_is_and_something_takes_it(files: tuple[str, ...]) -> None:
    for bundle in [*COLLECTION.glob("*_nacl"), *COLLECTION.glob("hippocampus_*")]:
        if "volumes" in files and bundle.name.startswith("busi_"):
            continue
        config = ConfigParser.load_config_files([str(bundle / "configs" / f"{name}.json") for name in files])
        check_settings(config)
        assert unused_keys(config) == []
