"""Packaging: an installed package is whole."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from committed import config_of
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def setup_cfg() -> ConfigParser:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    return setup


def test_metadata_of_bundles_pin_what_the_package_needs_within_its_ranges() -> None:
    needed = {one.name: one for one in map(Requirement, setup_cfg()["options"]["install_requires"].split())}
    metadata = config_of(ROOT / "bundles" / "hippocampus_ce", "metadata")
    named = {"torch": "pytorch_version", "monai": "monai_version", "numpy": "numpy_version"}
    pins = metadata["required_packages_version"] | {name: metadata[key] for name, key in named.items()}
    assert pins.keys() == needed.keys() - {"pyyaml"}  # the bundles are JSON
    assert all(needed[name].specifier.contains(version) for name, version in pins.items())


def test_setup_cfg_names_every_file_of_the_package_that_is_not_python() -> None:
    named = {name.strip() for name in setup_cfg()["options.package_data"]["calib_monai"].split(",")}
    package = ROOT / "calib_monai"
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert {path.relative_to(package).as_posix() for path in files} == named
