"""Whatever is in a file or a tensor: it is refused in one line or read, and a measure is in its range. See `fuzzed`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from compose_bundles import compose
from fuzzed import refused_or_read, spoiled
from hypothesis import given
from hypothesis import strategies as st
from written_runs import write_run, write_trial

from calib_monai.datalists.inputs import listed_in
from calib_monai.datalists.patterns import pattern_split
from calib_monai.datalists.split_files import read_split
from calib_monai.experiments.published import read_published
from calib_monai.experiments.trial_files import read_trial
from calib_monai.metrics import BrierMetric, CECEMetric, ECEMetric, NLLMetric, TACEMetric
from calib_monai.reports.run_files import read_run

PART = {
    "image": {"channels": ["PD", "T2"], "modality": "MR"},
    "both": {
        "slice_size": [160, 160],
        "datalist": {"images": ["scans/{case}_pd.nii.gz", "scans/{case}_t2.nii.gz"], "label": "masks/{case}.nii.gz"},
    },
    "numbers": {"pixdim": [0.6, 0.6, -1]},
    "train": {"class_names": ["background", "femur", "tibia"]},
}


@given(content=spoiled(PART))
def test_a_part_of_ones_own_makes_a_bundle_or_one_line(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    refused_or_read(lambda: compose(str(path), "nacl"))


SPLIT = {"training": ["a"], "validation": ["b"], "test": ["c"], "drawn_with": {"split_seed": 0}}


LIST = {"test": [{"image": "a.nii.gz"}, {"image": ["b_0.nii.gz", "b_1.nii.gz"], "case": "b"}, "c.nii.gz"]}


@given(content=spoiled(LIST))
def test_a_list_of_images_is_read_or_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(content))
    refused_or_read(lambda: listed_in(path))


@given(content=spoiled(SPLIT))
def test_a_split_is_read_or_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps(content))
    refused_or_read(lambda: read_split(path))


TABLE = {"source": "A", "dataset": "b", "measures": ["dice_foreground"], "rows": {"ce": [0.5]}}


@given(content=spoiled([TABLE]))
def test_published_tables_are_read_or_refused(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "published.json"
    path.write_text(json.dumps(content))
    refused_or_read(lambda: read_published(path))


@given(data=st.data(), name=st.sampled_from(["summary.json", "bins.json", "logits.json"]))
def test_a_run_is_read_or_refused(data: st.DataObject, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    if not folder.exists():
        write_run(folder, 1.0)
    good = (folder / name).read_text()
    (folder / name).write_text(json.dumps(data.draw(spoiled(json.loads(good)))))
    try:
        refused_or_read(lambda: read_run(folder))
    finally:
        (folder / name).write_text(good)


@given(data=st.data(), name=st.sampled_from(["train.json", "evaluate.json"]))
def test_a_trial_is_read_or_refused(data: st.DataObject, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "unet" / "ce" / "seed0_fold0" / "eval"
    if not folder.exists():
        write_trial(tmp_path, "ce", [0.7, 0.8, 0.9])
    path = (folder.parent if name == "train.json" else folder) / name
    good = path.read_text()
    path.write_text(json.dumps(data.draw(spoiled(json.loads(good)))))
    try:
        refused_or_read(lambda: read_trial(folder))
    finally:
        path.write_text(good)


NAMES = st.text("ab_{case}*./[?", max_size=14)


@given(images=st.lists(NAMES, max_size=2), label=NAMES)
def test_patterns_find_cases_or_are_refused(images: list[str], label: str, tmp_path: Path) -> None:
    for name in ("a_1.nii.gz", "b_1.nii.gz", "a_2.nii.gz", "b_2.nii.gz"):
        (tmp_path / name).touch()
    refused_or_read(lambda: pattern_split(str(tmp_path), images, label))


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(1, 6), st.integers(1, 6)),
    sharpness=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    metric=st.sampled_from([ECEMetric, CECEMetric, TACEMetric, BrierMetric, NLLMetric]),
    region=st.sampled_from(["foreground", "union", "boundary", "all"]),
)
def test_a_measure_of_probabilities_is_in_its_range(
    seed: int, shape: tuple[int, ...], sharpness: float, metric: Any, region: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    probs = (sharpness * torch.randn(shape, generator=generator)).softmax(dim=1)
    labels = torch.randint(shape[1], (shape[0], 1, *shape[2:]), generator=generator)
    measure = metric(region=region)
    probs = 0.999 * probs + 0.001 / shape[1]  # all 0 and 1 in a whole image would be hard labels
    measure(y_pred=probs, y=labels)
    value = measure.aggregate().item()
    inside = labels > 0 if region == "foreground" else None
    if inside is not None and not inside.any():
        assert value != value  # noqa: PLR0124 - NaN: there is nothing to measure
    elif value == value:  # noqa: PLR0124
        assert 0 <= value <= {BrierMetric: 2, NLLMetric: float("inf")}.get(metric, 1)


@given(values=st.lists(st.floats(), min_size=12, max_size=12))
def test_what_is_no_probability_is_refused(values: list[float]) -> None:
    probs = torch.tensor(values, dtype=torch.float64).view(1, 3, 2, 2)
    labels = torch.ones(1, 1, 2, 2)
    for metric in (ECEMetric(region="foreground"), CECEMetric(region="foreground"), NLLMetric(region="foreground")):
        off = (probs.sum(dim=1) - 1).abs().max()
        if not (probs.isfinite().all() and probs.min() >= 0 and off < 1e-3):
            with pytest.raises(ValueError, match="y_pred"):
                metric(y_pred=probs, y=labels)
