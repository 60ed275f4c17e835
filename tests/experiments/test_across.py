"""Ranks over data sets: what papers printed of their own ranks comes out of their tables, and the laws."""

from __future__ import annotations

import json
import re
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib_monai.experiments.across import main, radar_panels, rank_panels, ranks_table
from calib_monai.experiments.across_ranks import RANKINGS, OnDataset, from_published, ranks_across, rows_in_all
from calib_monai.experiments.published import read_published
from calib_monai.measures import measure_of
from calib_monai.ranks import method_ranks
from calib_monai.reports.bars import bars_figure
from calib_monai.reports.radar import radars_figure

PUBLISHED = Path(__file__).parents[2] / "workflow" / "published.json"
# As CRaC (MICCAI 2024) prints below its Table 1, and NACL (arXiv:2401.14487) in its figure of ranks.
FRIEDMAN = {"focal": "7.88", "ecp": "5.38", "ls": "4.88", "svls": "5.25", "mbls": "5.25", "nacl": "2.25"}
FRIEDMAN |= {"bwcr": "3.13", "crac": "1.75"}
SUM_RANKS = {"dice_ce": 112, "focal": 127, "ecp": 103, "ls": 98, "svls": 105, "mbls": 95, "nacl": 32}
OF_CRAC, OF_NACL = "as CRaC ranks", "as MbLS and NACL rank"


def printed(source: str) -> list[OnDataset]:
    """The printed values of the table that begins like this, by data set."""
    return from_published([table for table in read_published(PUBLISHED) if table.source.startswith(source)])


def test_the_friedman_ranks_that_crac_printed_come_out_of_its_table() -> None:
    results = printed("CRaC")
    ranks = ranks_across(results, RANKINGS[OF_CRAC])
    assert ranks is not None
    table = ranks_table(OF_CRAC, ranks, results)
    assert table.header[2] == "Friedman rank"
    assert {row[0]: row[2] for row in table.cells} == FRIEDMAN


def test_the_radar_of_mbls_has_the_printed_errors() -> None:
    results = printed("MbLS (Murugesan et al., Medical Image Analysis 2023), Table 3")
    rows, datasets = ["ce", "mbls", "mbls + LTS"], [one.dataset for one in results]
    panels = radar_panels([one.of_rows(rows) for one in results], rows)
    [axes] = radars_figure(panels, datasets).axes
    assert axes.get_title() == "1 - ECE, label foreground"
    assert [label.get_text() for label in axes.get_xticklabels()] == datasets
    drawn = {line.get_label(): np.round(1 - np.asarray(line.get_ydata())[:-1], 3).tolist() for line in axes.lines}
    assert drawn["mbls"] == [0.061, 0.038, 0.101, 0.232, 0.034, 0.193]
    assert drawn["ce"] == [0.079, 0.045, 0.131, 0.411, 0.052, 0.23]


def test_the_ranks_that_nacl_drew_come_out_of_its_tables_but_for_one_pair() -> None:
    # Rounded values tie, and the paper ranked values before they were rounded: its sums lie between both ways to break
    # ties. Those of dice_ce and focal do not: in one column of 24 its figure has them in the other order.
    results = printed("NACL (Murugesan et al. 2024")
    ranks = ranks_across(results, RANKINGS[OF_NACL])
    assert ranks is not None
    assert len(ranks.blocks) == 24
    sums = dict(zip(ranks.rows, ranks.sums, strict=True))
    columns = [[one.value(row, name) for row in ranks.rows] for one in results for name in RANKINGS[OF_NACL]]
    best, worst = np.zeros(7), np.zeros(7)
    for column, name in zip(columns, [*RANKINGS[OF_NACL]] * len(results), strict=True):
        of = np.array(column) if name != "dice_foreground" else -np.array(column)
        best += method_ranks(of, lower_is_better=True, ties="min")
        worst += 8 - method_ranks(-of, lower_is_better=True, ties="min")
    for row, low, high in zip(ranks.rows, best, worst, strict=True):
        off = {"dice_ce": -1, "focal": 1}.get(row, 0)
        assert low <= SUM_RANKS[row] - off <= high
        assert abs(sums[row] - SUM_RANKS[row]) <= 0.5 + 1.5 * bool(off)
    [axes] = bars_figure(rank_panels({OF_NACL: ranks})).axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == ranks.sums
    assert min(zip(heights, ranks.rows, strict=True))[1] == "nacl"


def results_file(path: Path, dataset: str, cases: dict[str, list[float | None]], distance: str = "hd95_mm") -> Path:
    """A `results.json` of an experiment with this Dice of each case; ECE and CECE are 1 minus it, HD95 is constant."""
    measures: dict[str, Any] = {name: {"title": name} for name in ("ece_foreground", "cece_foreground")}
    measures[distance] = {"title": measure_of(distance).title}
    measures["dice_foreground"] = {"title": "Dice", "more_is_better": True}
    rows = {}
    for row, dice in cases.items():
        known = [value for value in dice if value is not None]
        of = {"dice_foreground": sum(known) / len(known), distance: 2.0}
        of |= dict.fromkeys(("ece_foreground", "cece_foreground"), 1 - of["dice_foreground"])
        of_case = {
            str(place): {
                "dice_foreground": value,
                distance: 2.0,
                **dict.fromkeys(("ece_foreground", "cece_foreground"), None if value is None else 1 - value),
            }
            for place, value in enumerate(dice)
        }
        rows[row] = {
            "measures": {name: {"mean": mean} for name, mean in of.items()},
            "trials": [{"seed": 0, "fold": 0, "cases": of_case}],
        }
    path.write_text(json.dumps({"dataset": dataset, "measures": measures, "rows": rows}))
    return path


def test_experiments_on_several_data_sets_are_ranked_together(tmp_path: Path) -> None:
    first = results_file(tmp_path / "a.json", "a", {"ce": [0.9, 0.9, 0.1], "nacl": [0.8, 0.8, 0.8], "ls": [0.1] * 3})
    other = results_file(tmp_path / "b.json", "b", {"nacl": [0.9, None], "ce": [0.8, 0.7]}, "hd95_pixels")
    assert main([str(first), str(other), "--out", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "across.json").read_text())
    assert found["left_out"] == ["ls"]
    assert list(found["rankings"]) == [OF_NACL]
    ranks = found["rankings"][OF_NACL]
    assert ranks["rows"] == ["ce", "nacl"]
    assert ["b", "hd95_pixels"] in ranks["blocks"]
    assert ranks["sums"] == [2 * (3 * 2 + 1.5), 2 * (3 * 1 + 1.5)]  # nacl has the better mean on both
    assert ranks["friedman_ranks"] == [(3 * 2 + 1) / 4, 1]  # equal distances share the best rank
    a, b = (3 * 4 / 3 + 1.5) / 4, (3 * 2 + 1.5) / 4  # on a, ce is best in two cases of three
    assert ranks["case_ranks"] == pytest.approx([(a + b) / 2, 3 - (a + b) / 2], abs=1e-6)
    assert ranks["p_value"] is None  # two rows are too few for Friedman's test
    assert not (tmp_path / "out" / "radar.png").exists()  # two data sets span no area
    written = (tmp_path / "out" / "across.md").read_text()
    assert "left out: ls" in written
    assert "### HD95 (mm) or HD95 (pixels)\n\n" in written
    assert "a: HD95 (mm) | b: HD95 (pixels)" in written
    assert re.search(r"### Dice\n\n\| +\| +a \| +b \|", written)
    assert r"\begin{tabular}" in (tmp_path / "out" / "across.tex").read_text()
    assert (tmp_path / "out" / "ranks.png").is_file()


def ranked_by(file: Path, *measures: str, **reasons: str) -> Path:
    """The file, whose table ranked by these measures and not by those for which there are reasons."""
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"ranked_measures": measures, "not_compared": reasons}))
    return file


def proper(path: Path, dataset: str) -> Path:
    """Results of two rows by the measures of proper regions: plausible errors, and as NLL the ECE of foreground."""
    of = {"a": [0.9, 0.8], "b": [0.7, 0.6]}
    text = results_file(path, dataset, of).read_text().replace('"cece_foreground', '"cece_plausible')
    content = json.loads(text.replace('"ece_foreground', '"ece_plausible'))
    content["measures"]["nll_all"] = {"title": "NLL"}
    for row in content["rows"].values():
        row["measures"]["nll_all"] = {"mean": 0.1}
        for values in row["trials"][0]["cases"].values():
            values["nll_all"] = 0.1
    path.write_text(json.dumps(content))
    return path


def test_a_measure_by_which_a_table_ranks_no_rows_is_left_out_and_named(tmp_path: Path) -> None:
    files = [proper(tmp_path / f"{name}.json", name) for name in ("one", "two")]
    ranked_by(files[0], "dice_foreground", "hd95_mm", "nll_all", "cece_plausible", ece_plausible="Other voxels: a, b.")
    assert main([*map(str, files), "--out", str(tmp_path / "out")]) == 0
    [ranks] = json.loads((tmp_path / "out" / "across.json").read_text())["rankings"].values()
    names = ["dice_foreground", "hd95_mm", "nll_all", "cece_plausible"]
    assert ranks["blocks"] == [[dataset, name] for dataset in ("one", "two") for name in names]
    assert ranks["left_out"] == {"ece_plausible": "one: Other voxels"}
    assert ranks["case_ranks"] == [1.25, 1.75]  # equal in two of four measures
    written = (tmp_path / "out" / "across.md").read_text()
    assert "by Dice; HD95 (mm); NLL; cece_plausible: 8 columns. Left out: ece_plausible (one: Other voxels)." in written


def test_tables_of_disturbed_images_are_not_ranked_together(tmp_path: Path) -> None:
    files = [results_file(tmp_path / f"{name}.json", name, {"a": [0.9], "b": [0.7]}) for name in "xyz"]
    ranked_by(files[1])
    assert main([*map(str, files), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "across.json").read_text())["rankings"] == {}
    written = (tmp_path / "out" / "across.md").read_text()
    said = "Dice; HD95 (mm); ece_foreground; cece_foreground (y: its table does not rank by this)"
    assert f"\n\nNo ranks, {OF_NACL}: no measure remains. Left out: {said}.\n\n" in written
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".png"]


def test_a_measure_that_a_data_set_lacks_makes_no_ranking() -> None:
    assert ranks_across(printed("CRaC"), RANKINGS[OF_NACL]) is None
    nacl = ranks_across(printed("NACL (Murugesan et al. 2024"), RANKINGS[OF_NACL])
    assert nacl is not None
    assert all(map(isnan, nacl.case_ranks))  # papers print no cases


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.json"], "there are results of a; ranks are over 2 or more data sets"),
        (["a.json", "a.json"], "there are results of a, a; .* each once"),
        (["a.json", "other.json"], r"a, b share the rows \['ce'\]; there must be 2 or more"),
        (["a.json", "nothing.json"], "nothing.json must be the results.json of an experiment"),
        (["a.json", "other.json", "--rows", "ce", "nalc"], "a has no row nalc; it has ce, nacl"),
        (["--published", str(PUBLISHED), "--source", "CRaC"], r"--source is CRaC; .* has MbLS"),
        (["--published", str(PUBLISHED)], "--source is missing"),
        (["a.json", "other.json", "--source", "CRaC"], "--source is CRaC, and nothing published is given: give --publ"),
    ],
)
def test_what_cannot_be_ranked_is_refused(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results_file(tmp_path / "a.json", "a", {"ce": [0.9], "nacl": [0.8]})
    results_file(tmp_path / "other.json", "b", {"ce": [0.9], "ls": [0.8]})
    with pytest.raises(ValueError, match=said):
        main([*arguments, "--out", "out"])
    assert not (tmp_path / "out").exists()


def test_tables_that_print_a_measure_twice_are_not_mixed() -> None:
    tables = [one for one in read_published(PUBLISHED) if one.dataset == "acdc"]
    with pytest.raises(ValueError, match=r"of acdc was printed twice: choose one source"):
        from_published(tables)
    assert rows_in_all(printed("CRaC"))[0] == "focal"
