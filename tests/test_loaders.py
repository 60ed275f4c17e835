"""Loaders: workers that are not forked load what this process would, and what they did can be inverted here."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import itk
import pytest
import torch
from committed import DATASETS, REPOSITORY, config_of, processes, start, trimmed, write_dataset
from monai.bundle import ConfigParser
from monai.data import Dataset
from monai.transforms import Compose, EnsureChannelFirstd, Lambdad, LoadImaged, ResizeWithPadOrCropd, Spacingd

from calib_monai.datalists.acdc import read_acdc
from calib_monai.inverses import InvertProbsd, SlabSpacingd
from calib_monai.loaders import VolumeLoader
from calib_monai.phantoms import make_phantoms


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two cases of ACDC."""
    folder = tmp_path_factory.mktemp("acdc")
    write_dataset("acdc", folder, trimmed(make_phantoms(2, seed=1, num_classes=4), 14, 18))
    return read_acdc(str(folder))


def preparation() -> Compose:
    """Of a kind twice, whose inverses must not be taken for each other."""
    keys = ["image", "label"]
    return Compose(
        [
            Compose([LoadImaged(keys), EnsureChannelFirstd(keys)]),
            SlabSpacingd("image", (1.2, 1.2, -1), mode="bilinear"),
            Spacingd("image", (1.4, 1.3, -1), mode="bilinear"),
            ResizeWithPadOrCropd("image", (48, 32, -1)),
            Spacingd("image", (1.5, 1.6, -1), mode="bilinear"),
        ]
    )


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_what_workers_loaded_is_what_this_process_loads_and_can_be_inverted(
    method: str, cases: list[dict[str, Any]]
) -> None:
    context = processes() if method == "forkserver" else method
    transform = preparation()
    dataset = Dataset(cases, transform)
    invert = InvertProbsd("pred", transform, "image")
    here, there = (
        [invert({"pred": torch.cat([batch["image"][0]] * 2), "image": batch["image"][0]})["pred"] for batch in loader]
        for loader in (VolumeLoader(dataset), VolumeLoader(dataset, 1, multiprocessing_context=context))
    )
    assert len(here) == len(there) == len(cases)
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one.affine, other.affine)


def test_transforms_that_cannot_be_copied_run_in_this_process_and_that_is_said(
    cases: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    dataset = Dataset(cases, Compose([preparation(), Lambdad("image", lambda image: image + 1)]))
    loader = VolumeLoader(dataset, 2, multiprocessing_context="spawn")
    assert loader.num_workers == 0
    assert "loaded in this process, for workers that are started by spawn need a copy" in caplog.text
    assert "lambda" in caplog.text
    assert len(list(loader)) == len(cases)
    caplog.clear()
    assert VolumeLoader(dataset, 2, multiprocessing_context="fork").num_workers == 2
    assert not caplog.records


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_transforms_of_each_data_set_can_be_copied(dataset: str) -> None:
    for name, keys in {"train": ["loading", "preparation"], "inference": ["preprocessing"]}.items():
        config = config_of(f"{dataset}_nacl", name)
        parser = ConfigParser({key: value for key, value in config.items() if key not in ("initialize", "run")})
        for key in keys:
            transform = parser.get_parsed_content(key)
            assert type(pickle.loads(pickle.dumps(transform))) is type(transform)  # noqa: S301 - our own


def test_a_type_of_itk_is_itself_when_it_is_copied() -> None:
    for kind in (itk.F, itk.D, itk.SS, itk.US, itk.UC):
        assert pickle.loads(pickle.dumps(kind)) is deepcopy(kind) is itk.ctype(kind.name) is kind  # noqa: S301


def test_no_part_of_a_bundle_has_a_lambda() -> None:
    parts = sorted((REPOSITORY / "scripts" / "parts").rglob("*.json"))
    assert len(parts) > 20
    assert not [path.name for path in parts if "lambda " in path.read_text() or "lambda:" in path.read_text()]


@pytest.fixture
def by_server() -> Iterator[None]:
    """As Python 3.14 starts processes on Linux."""
    before = multiprocessing.get_start_method()
    processes()
    multiprocessing.set_start_method("forkserver", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


@pytest.mark.usefixtures("by_server")
def test_a_bundle_trains_evaluates_and_infers_with_workers_that_are_not_forked(tmp_path: Path) -> None:
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(5, seed=5), 14, 16))
    for workers in (0, 1):
        for config, options in (("train", {"epochs": 1}), ("evaluate", {"figures": False}), ("inference", {})):
            out = tmp_path / str(workers)
            start("hippocampus_ce", config, tmp_path / "data", out, num_workers=workers, **options)
    one, other = ((tmp_path / str(workers) / "cases.csv").read_text() for workers in (0, 1))
    assert one == other
    labels = [sorted((tmp_path / str(workers) / "predictions").rglob("*_label.nii.gz")) for workers in (0, 1)]
    assert [path.name for path in labels[0]] == [path.name for path in labels[1]] != []
