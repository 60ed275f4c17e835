"""Results in an export: they come from an evaluation of the same weights, or there are none."""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import REPOSITORY, config_of
from monai.bundle import ConfigParser

EXPORT = runpy.run_path(str(REPOSITORY / "scripts" / "export_bundle.py"))
METADATA, PAGE = "configs/metadata.json", "docs/README.md"
HEADINGS = [
    *("# Model Overview", "## Data", "### Preprocessing", "## Training configuration", "## Input", "## Output"),
    *("## Performance", "## MONAI Bundle Commands", "## Limitations", "# References", "# License"),
]
VOLUMES = "### Networks for volumes (3D)"  # a part of the performance where such networks were measured
DICE = {"title": "Dice", "decimals": 3, "more_is_better": True}


@pytest.fixture
def weights(bundle: Path) -> Path:
    """The bundle's own weights."""
    config = ConfigParser(json.loads((bundle / "configs" / "inference.json").read_text()))
    (bundle / "models").mkdir()
    torch.save(config.get_parsed_content("network_def").state_dict(), bundle / "models" / "model.pt")
    return bundle / "models" / "model.pt"


@pytest.fixture
def evaluated(weights: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes the summary of an evaluation of these weights, some of its keys changed, and returns its folder."""

    def write(**changed: Any) -> Path:
        content = {
            "model": {"path": str(weights), "modified": weights.stat().st_mtime},
            "calibrator": "none",
            "disturbance": [],
            "class_names": ["background", "anterior", "posterior"],
            "num_cases": 50,
            "metrics": {
                "dice_foreground": {"value": 0.84404, "measure": DICE},
                "nll_all": {"value": 0.0123456},
                "hd95_mm": {"value": None},
            },
        }
        (tmp_path / "summary.json").write_text(json.dumps({**content, **changed}))
        return tmp_path

    return write


def test_the_values_of_an_evaluation_are_in_the_metadata_and_on_the_page(
    bundle: Path, evaluated: Callable[..., Path]
) -> None:
    files = EXPORT["bundle_files"](bundle, None, evaluated())
    assert json.loads(files[METADATA])["eval_metrics"] == {"dice_foreground": 0.844, "nll_all": 0.0123}
    page = files[PAGE].decode()
    rows = "| measure | value |\n| --- | --- |\n| Dice | 0.844 |\n| NLL (per 1000 voxels) | 12.3 |\n\n"
    assert f"## Performance\n\n{rows}Means over 50 test cases.\n\n## MONAI Bundle Commands" in page
    assert [told[:38] for told in EXPORT["remarks"](files)] == ["no models/model.json beside the weights"[:38]]
    assert EXPORT["check"](bundle.name, files) == "0.1.0"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"model": {"modified": 1.0}},
            "summary.json was measured with weights of 1970-01-01 .*: evaluate these weights",
        ),
        ({"model": None}, "summary.json is no summary of an evaluation"),
        ({"metrics": {"dice_foreground": 0.8}}, "summary.json is no summary of an evaluation"),
        ({"metrics": {"dice_foreground": {"value": "high"}}}, "summary.json is no summary of an evaluation"),
        (
            {"class_names": ["background", "a"]},
            r'summary.json has class_names \["background", "a"\]; the bundle\'s own',
        ),
        ({"calibrator": "ts"}, 'summary.json has calibrator "ts"; the bundle\'s own is "none"'),
        ({"members": ["a/model.pt", "b/model.pt"]}, r'summary.json has members \["a/model.pt", "b/model.pt"\]; the'),
        ({"part": "validation"}, 'summary.json has part "validation"; the bundle\'s own is "test"'),
        ({"elsewhere": {"name": "other"}}, 'summary.json has elsewhere {"name": "other"}; the bundle\'s own is null'),
        (
            {"disturbance": [{"transform": "RandGaussianNoised"}]},
            "summary.json has disturbance .*; the bundle's own is",
        ),
    ],
)
def test_results_of_something_else_are_refused(
    bundle: Path, evaluated: Callable[..., Path], refused: Callable[..., str], changed: dict[str, Any], said: str
) -> None:
    assert re.search(said, refused(bundle, "--results", evaluated(**changed)))


def test_results_that_are_not_there_or_have_no_weights_are_refused(
    bundle: Path, weights: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert f"{tmp_path}/summary.json is not there: an evaluation writes it" in refused(bundle, "--results", tmp_path)
    weights.unlink()
    assert refused(bundle, "--results", tmp_path) == f"error: {tmp_path} is given, and no weights: results need weights"


def test_results_stay_with_their_weights_and_go_with_others(
    bundle: Path, weights: Path, evaluated: Callable[..., Path]
) -> None:
    files = EXPORT["bundle_files"](bundle, None, evaluated())
    for name in (METADATA, PAGE):
        (bundle / name).write_bytes(files[name])
    again = EXPORT["bundle_files"](bundle)
    assert {name: again[name] for name in (METADATA, PAGE)} == {name: files[name] for name in (METADATA, PAGE)}
    assert "eval_metrics" not in json.loads(EXPORT["bundle_files"](bundle, weights)[METADATA])
    state = torch.load(weights)
    torch.save({name: value + 1 for name, value in state.items()}, weights)
    trained_again = EXPORT["bundle_files"](bundle)
    assert "eval_metrics" not in json.loads(trained_again[METADATA])
    assert b"Of these weights none are told here" in trained_again[PAGE]


def test_results_that_a_person_wrote_stay(bundle: Path, weights: Path) -> None:
    assert weights.is_file()
    metadata = json.loads((bundle / METADATA).read_text()) | {"eval_metrics": {"dice": 0.9}}
    (bundle / METADATA).write_text(json.dumps(metadata))
    assert json.loads(EXPORT["bundle_files"](bundle)[METADATA]) == metadata


def test_weights_that_were_copied_with_their_time_keep_their_results(
    bundle: Path, weights: Path, evaluated: Callable[..., Path], tmp_path: Path
) -> None:
    folder = evaluated()
    copy = tmp_path / "best.pt"
    copy.write_bytes(weights.read_bytes())
    os.utime(copy, ns=(weights.stat().st_atime_ns, weights.stat().st_mtime_ns))
    assert "eval_metrics" in json.loads(EXPORT["bundle_files"](bundle, copy, folder)[METADATA])


def test_a_page_has_the_headings_of_the_zoo_and_the_license_of_the_data_is_beside_it(bundle: Path) -> None:
    page = (bundle / PAGE).read_text(encoding="utf-8")
    found = re.findall(r"^#{1,3} .*$", page, re.MULTILINE)
    assert [heading for heading in found if heading != VOLUMES] == HEADINGS
    pins = config_of(bundle, "metadata")["required_packages_version"]
    assert all(f" {name}=={version}" in page for name, version in pins.items())
    said = (bundle / "docs" / "data_license.txt").read_text(encoding="utf-8")
    assert "Source: Task04_Hippocampus of the Medical Segmentation Decathlon" in said
    assert "License: CC BY-SA 4.0." in said
