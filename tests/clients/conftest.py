"""Fixtures: a bundle of each kind as another program finds it, with weights, and phantoms for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache

import pytest
import torch
from committed import COLLECTION, config_of, trimmed, write_dataset
from driven import KINDS, Driven
from monai.bundle import ConfigParser

from calib_monai.phantoms import make_phantoms


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Driven]:
    """For the name of a bundle the bundle and phantoms; tests write nothing into it."""

    @cache
    def bundle_of(name: str) -> Driven:
        folder = tmp_path_factory.mktemp(name)
        root = shutil.copytree(COLLECTION / name, folder / name, ignore=shutil.ignore_patterns("models", "eval"))
        data = folder / "data"
        config = config_of(name, "train")
        dataset = name.rpartition("_")[0]
        write_dataset(dataset, data, trimmed(make_phantoms(6, seed=5, num_classes=config["num_classes"]), 14, 20))
        parser = ConfigParser(config | {"dataset_dir": str(data)})
        torch.manual_seed(0)
        (root / "models").mkdir()
        torch.save(parser.get_parsed_content("network_def").state_dict(), root / "models" / "model.pt")
        split = parser.get_parsed_content("datalist")()
        cases = {part: [{key: case[key] for key in ("image", "label")} for case in split[part]] for part in split}
        return Driven(root, data, cases)

    return bundle_of


@pytest.fixture(params=KINDS)
def driven(request: pytest.FixtureRequest, bundle_of: Callable[[str], Driven]) -> Driven:
    """A bundle of each kind."""
    return bundle_of(request.param)
