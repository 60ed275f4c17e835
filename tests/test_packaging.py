"""Packaging: an installed package is whole."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from committed import config_of
from packaging.metadata import Metadata
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


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what setuptools says of the distributions, outside the repository; a warning is an error."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-W", "error", "setup.py", "-q", "egg_info", "--egg-base", str(folder)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert not said.stdout + said.stderr
    return folder / "calib_monai.egg-info"


def test_the_source_distribution_holds_the_repository_and_nothing_else(built: Path) -> None:
    git = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    if git.returncode:
        pytest.skip("this is no clone")
    sources = set((built / "SOURCES.txt").read_text().split("\n"))
    held = {path for path in sources if path and "egg-info/" not in path}
    assert held == {path for path in git.stdout.split("\n") if path and path not in {".ci/run", ".gitignore"}}


def test_the_metadata_are_valid_and_name_license_addresses_and_versions(built: Path) -> None:
    told = Metadata.from_email((built / "PKG-INFO").read_bytes())
    assert str(told.license_expression) == "Apache-2.0"
    assert told.project_urls
    pythons = [one for one in told.classifiers or [] if re.search(r":: 3\.\d+$", one)]
    assert told.requires_python is not None
    assert all(told.requires_python.contains(one.rpartition(" ")[2]) for one in pythons)
    assert "Typing :: Typed" in (told.classifiers or [])


def test_the_description_links_to_no_file_that_an_index_does_not_have(built: Path) -> None:
    told = Metadata.from_email((built / "PKG-INFO").read_bytes())
    description = told.description or ""
    assert description.startswith("# calib_monai")
    assert told.description_content_type == "text/markdown"
    assert "](https://" in description
    assert not re.search(r"\]\((?!https?://)", description)
