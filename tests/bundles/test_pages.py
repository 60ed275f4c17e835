"""Pages of bundles: what they show of results, whatever the workflow may have written."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from committed import REPOSITORY

sys.path.append(str(REPOSITORY / "scripts"))

import bundle_pages
from bundle_pages import matrix, readme
from bundle_parts import dataset_part, load, method_part, names

from calib_monai.overrides import check_overrides
from calib_monai.targets import located

PROGRAM = ".../monai/bundle/__main__.py"
PIXELS = {"title": "HD95 (pixels)", "decimals": 1}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes results of BUSI that differ from those of hippocampus as a function makes them."""
    monkeypatch.setattr(bundle_pages, "RESULTS", tmp_path)

    def write(change: Any) -> str:
        path = REPOSITORY / "results" / "hippocampus" / "main" / "results.json"
        content = json.loads(path.read_text(encoding="utf-8")) | {"dataset": "busi"}
        change(content)
        (tmp_path / "busi" / "main").mkdir(parents=True)
        (tmp_path / "busi" / "main" / "results.json").write_text(json.dumps(content), encoding="utf-8")
        parts = {"dataset": dataset_part("busi")[1], "method": load("methods/nacl.json")}
        return readme("busi", "nacl", parts)

    return write


def nacl(content: Any) -> Any:
    return content["rows"]["nacl"]["measures"]


def test_pixels_are_a_column_where_there_are_no_millimeters(results: Any) -> None:
    def in_pixels(content: Any) -> None:
        content["measures"]["hd95_pixels"] = {**content["measures"].pop("hd95_mm"), **PIXELS}
        for row in content["rows"].values():
            row["measures"]["hd95_pixels"] = row["measures"].pop("hd95_mm")
        nacl(content)["hd95_pixels"] |= {"mean": 12.34, "seed_deviation": 0.21}

    page = results(in_pixels)
    assert (
        "| method | Dice | HD95 (pixels) | missed structures | ECE, label foreground | CECE, label foreground |" in page
    )
    assert "**12.3 ± 0.2**" in page


def test_a_measure_with_a_factor_reads_as_in_a_report(results: Any) -> None:
    def per_1000(content: Any) -> None:
        content["measures"]["ece_foreground"] |= {"decimals": 1, "factor": 1000.0}
        nacl(content)["ece_foreground"] |= {"mean": 0.01234, "seed_deviation": 0.0005}

    assert "**12.3 ± 0.5**" in results(per_1000)


def test_likelihood_is_a_column_where_it_was_measured(results: Any) -> None:
    def with_likelihood(content: Any) -> None:
        content["measures"]["nll_all"] = {"title": "NLL (per 1000 voxels)", "decimals": 1, "factor": 1000.0}
        for row in content["rows"].values():
            row["measures"]["nll_all"] = {"mean": 0.02341, "seed_deviation": 0.0012}

    page = results(with_likelihood)
    assert "| missed structures | NLL (per 1000 voxels) | ECE, label foreground | CECE, label foreground |" in page
    assert "**23.4 ± 1.2**" in page


def test_one_seed_has_no_deviation_and_what_is_missing_is_said(results: Any) -> None:
    def alone(content: Any) -> None:
        content["seeds"] = [7]
        nacl(content)["dice_foreground"] |= {"mean": 0.5, "seed_deviation": None}
        nacl(content)["ece_foreground"] |= {"mean": None, "seed_deviation": None}
        nacl(content)["missed_structures"] |= {"mean": 1 / 3, "seed_deviation": 0.577}

    page = results(alone)
    assert "| **nacl** | **0.500** |" in page
    assert "| **0.33 ± 0.58** | **none** |" in page  # a structure missed once is not shown as 0
    assert "and seed 7 (fold 0).\n" in page
    assert "Dice 0.500, ECE none" in matrix()


def test_all_machines_and_folds_are_told(results: Any) -> None:
    def wider(content: Any) -> None:
        content["folds"] = [0, 1]
        content["conditions"]["hardware"] = [{"device": "A"}, {"device": "B"}]

    page = results(wider)
    assert "(fold 0, 1)" in page
    assert "A; B." in page


def of_volumes(content: dict[str, Any]) -> None:
    """Makes results those of networks for volumes."""
    for row in content["rows"].values():
        row["options"]["--volumes"] = "True"


def test_results_of_volumes_stand_apart_and_never_among_those_of_slices(results: Any) -> None:
    with pytest.raises(
        ValueError, match="has in the row 'ce' a network for volumes; pages show results of slices from"
    ):
        results(of_volumes)
    folder = bundle_pages.RESULTS / "busi"
    (folder / "main").rename(folder / "volumes")
    page = readme("busi", "nacl", {"dataset": dataset_part("busi")[1], "method": load("methods/nacl.json")})
    told = page.partition("## Performance\n\nNot measured yet.\n\n### Networks for volumes (3D)\n\n| method |")[2]
    assert "| **nacl** |" in told
    assert "Options: `--epochs 6`, `--network_def#_target_ calib_monai.networks.unet`" in told
    assert "`configs/volumes.json`" in told
    assert "From `results/busi/volumes/results.json`" in told
    assert "busi_nacl: Dice" not in matrix()
    content = json.loads((folder / "volumes" / "results.json").read_text())
    del content["rows"]["nacl"]["options"]["--volumes"]
    (folder / "volumes" / "results.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="has in the row 'nacl' a network for slices"):
        readme("busi", "nacl", {"dataset": dataset_part("busi")[1], "method": load("methods/nacl.json")})


def test_rows_of_several_networks_are_refused(results: Any) -> None:
    def two_networks(content: Any) -> None:
        content["rows"] = {f"{name} unet": row for name, row in content["rows"].items()}

    with pytest.raises(ValueError, match=r"results.json has a row 'bwcr unet'; pages show methods, all with one "):
        results(two_networks)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("consistency", {"boundary_weighted": False, "consistency_weight": 1.0}),
        ("bwcr", {"boundary_weighted": True, "weight_max": 1.0, "weight_min": 0.01, "width": 10}),
    ],
)
def test_a_page_names_the_options_of_its_loss_with_their_values(method: str, options: dict[str, Any]) -> None:
    page = readme("busi", method, {"dataset": dataset_part("busi")[1], "method": load(f"methods/{method}.json")})
    assert all(f"`--loss#{name} {value}`" in page for name, value in options.items())


@pytest.mark.parametrize("method", names("methods"))
def test_the_defaults_of_a_loss_that_a_page_tells_are_those_of_its_class(method: str) -> None:
    part = method_part(method)
    taken = inspect.signature(located(part["train"]["loss"]["_target_"])).parameters
    told = part["docs"].get("loss_defaults", {})
    assert told == {name: taken[name].default for name in told}
    assert not told.keys() & part["train"]["loss"].keys()  # one place for each


def test_the_matrix_links_to_every_bundle_by_one_sign() -> None:
    page = matrix()
    cells = re.findall(r"\[([●○])\]\(([^) ]+) \"(\w+)", page)
    bundles = {path.parents[1].name for path in (REPOSITORY / "bundles").glob("*/docs/README.md")}
    assert {bundle for _, _, bundle in cells} == bundles
    assert all(link == f"{bundle}/docs/README.md" for _, link, bundle in cells)
    measured = {path.parents[1].name for path in (REPOSITORY / "results").glob("*/main/results.json")}
    assert {bundle.partition("_")[0] for sign, _, bundle in cells if sign == "●"} == measured
    head = page.split("\n| ---")[0].rpartition("\n")[2].strip("| ").split(" | ")
    assert len(set(head)) == len(head)
    assert max(map(len, head)) <= 5  # more would not fit a phone


@pytest.mark.parametrize("paper", load("paper_settings.json")["papers"])
def test_the_settings_of_a_paper_are_options_of_the_bundles_that_tell_them(paper: str) -> None:
    described = load("paper_settings.json")["papers"][paper]
    told = 0
    for dataset in described["datasets"]:
        for method in described["methods"]:
            folder = REPOSITORY / "bundles" / f"{dataset}_{method}"
            page = (folder / "docs" / "README.md").read_text(encoding="utf-8")
            if found := re.search(rf"training of {paper} on this data set is `(.*?)`\.", page):
                told += 1
                options = shlex.split(found[1])
                check_overrides([PROGRAM, "run", "--config_file", str(folder / "configs" / "train.json"), *options])
    assert told


def test_margin_and_learning_rate_of_mbls_on_ultrasound_stand_on_its_page() -> None:
    page = (REPOSITORY / "bundles" / "busi_mbls" / "docs" / "README.md").read_text(encoding="utf-8")
    assert "--batch_size 4 --learning_rate 0.0001 --loss#margin 12.0`" in page
    assert "The papers' settings" not in page


def test_a_method_of_no_paper_says_that_no_paper_has_settings() -> None:
    page = (REPOSITORY / "bundles" / "acdc_ace" / "docs" / "README.md").read_text(encoding="utf-8")
    assert bundle_pages.NONE_NEARER in page
