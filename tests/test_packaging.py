"""Packaging: an installed package is whole."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_setup_cfg_names_every_file_of_the_package_that_is_not_python() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    named = {name.strip() for name in setup["options.package_data"]["calib_monai"].split(",")}
    package = ROOT / "calib_monai"
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}}
    assert {path.relative_to(package).as_posix() for path in files} == named
