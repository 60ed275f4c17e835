"""Packaging: the distributions are built without a warning, are whole, and work where only the wheel is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from committed import config_of
from packaging.metadata import Metadata
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
WRITTEN = (
    *("bundles/hippocampus_ce/models/model.json", "bundles/hippocampus_ce/eval/report/results.md"),
    *("benchmark/results.json", "demo/report/results.md", "mine/knees_nacl/configs/train.json", "site/index.html"),
)  # what runs and builds write
IN_THERE = """
import gc
gc.disable()  # as `tests/shared/fresh` does
import sys
import calib_monai, pytest
from calib_monai.datalists.hippocampus import write_hippocampus
from calib_monai.phantoms import Phantom, make_phantoms
from monai.bundle import run

print(calib_monai.__file__)
bundle, data = sys.argv[1:]
cases = make_phantoms(3, seed=7).items()
write_hippocampus(data, {case: Phantom(image[..., 14:18], label[..., 14:18]) for case, (image, label) in cases})
for config, options in (("train", {"epochs": 1}), ("inference", {})):
    run(config_file=f"{bundle}/configs/{config}.json", bundle_root=bundle, dataset_dir=data, **options)
options = ["-q", "-p", "no:cacheprovider", f"--basetemp={data}_of_tests"]
sys.exit(pytest.main([*options, "tests/docs/test_python.py"]))
"""  # a bundle that lies elsewhere, then the examples in Python


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


def committed_files() -> set[str]:
    git = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    if git.returncode:
        pytest.skip("this is no clone")
    return set(git.stdout.splitlines())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the source distribution and of the wheel that is built from it; a warning is an error."""
    folder = tmp_path_factory.mktemp("built")
    for name in committed_files():
        (folder / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "clone" / name)
    for name in WRITTEN:
        (folder / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "clone" / name).touch()
    said = _run("-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "clone", PYTHONWARNINGS="error")
    assert [line for line in said.splitlines() if "warning:" in line.lower()] == []  # a file may be named so
    return folder / "dist"


def _run(*arguments: object, python: object = sys.executable, cwd: Path = ROOT, **environment: str) -> str:
    """What Python says, run outside of these tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(  # noqa: S603 - our own
        [str(python), *map(str, arguments)],
        cwd=cwd,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def source(built: Path) -> Path:
    """The source distribution, unpacked."""
    [packed] = built.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(built / "source", filter="data")
    [folder] = (built / "source").iterdir()
    return folder


def test_the_source_distribution_holds_the_repository_and_nothing_else(source: Path) -> None:
    held = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    made = {"PKG-INFO"} | {name for name in held if name.startswith("calib_monai.egg-info/")}
    assert held - made == committed_files() - {".ci/run", ".gitignore"}


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {name for name in committed_files() if name.startswith("calib_monai/")}


def test_a_bundle_elsewhere_and_the_examples_in_python_run_with_the_wheel_alone(
    built: Path, source: Path, tmp_path: Path
) -> None:
    """In an environment of its own, which finds all other packages where this one has them."""
    _run("-m", "venv", "--without-pip", tmp_path / "environment")
    python = tmp_path / "environment" / "bin" / "python"
    [wheel] = built.glob("*.whl")
    _run("-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", "--no-compile", wheel)
    [packages] = (tmp_path / "environment").glob("lib/*/site-packages")
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    bundle = shutil.copytree(source / "bundles" / "hippocampus_ce", tmp_path / "mine")
    (tmp_path / "repository").mkdir()
    for name in ("README.md", "setup.cfg", "docs", "tests"):  # and so no package beside them
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, tmp_path / "repository" / name)
    said = _run("-c", IN_THERE, bundle, tmp_path / "data", python=python, cwd=tmp_path / "repository")
    assert str(packages / "calib_monai" / "__init__.py") in said.splitlines()
    assert len(list((bundle / "eval" / "predictions").glob("*/*.nii.gz"))) == 3


def metadata_of(source: Path) -> Metadata:
    return Metadata.from_email((source / "PKG-INFO").read_bytes())


def test_the_metadata_are_valid_and_name_license_addresses_and_versions(source: Path) -> None:
    told = metadata_of(source)
    assert str(told.license_expression) == "Apache-2.0"
    assert told.project_urls
    pythons = [one for one in told.classifiers or [] if re.search(r":: 3\.\d+$", one)]
    assert told.requires_python is not None
    assert all(told.requires_python.contains(one.rpartition(" ")[2]) for one in pythons)
    assert "Typing :: Typed" in (told.classifiers or [])


def test_the_description_links_to_no_file_that_an_index_does_not_have(source: Path) -> None:
    told = metadata_of(source)
    description = told.description or ""
    assert description.startswith("# calib_monai")
    assert told.description_content_type == "text/markdown"
    assert "](https://" in description
    assert not re.search(r"\]\((?!https?://)", description)
