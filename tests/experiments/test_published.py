"""Published tables: what papers printed stands beside what was measured."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from written_runs import write_trial

from calib_monai.experiments.__main__ import main
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.published import Published, published_table, read_published
from calib_monai.experiments.trial_files import read_trial
from calib_monai.measures import limits_of, measure_of
from calib_monai.reports.results import shown_measures


def test_print_is_compared_with_the_network_that_it_is_of(tmp_path: Path) -> None:
    write_trial(tmp_path, "ce", [0.70, 0.80, 0.90])
    (tmp_path / "unet").rename(tmp_path / "transunet")
    rows = rows_of([read_trial(tmp_path / "transunet" / "ce" / "seed0_fold0" / "eval")])
    measures = shown_measures([row.run for row in rows])
    published = Published(source="A paper", dataset="brains", measures=["dice_foreground"], rows={"ce": [0.8]})
    assert published_table(published, rows, measures) is None


def test_a_structure_and_a_distance_in_voxels_stand_beside_ours(tmp_path: Path) -> None:
    rows = rows_of([read_trial(write_trial(tmp_path, "ce", [0.70, 0.80, 0.90]))])
    rows[0].cases["a"] |= {"hd95_mm_left": 3.0}
    measures = {"dice_foreground": measure_of("dice_foreground"), "hd95_mm": measure_of("hd95_mm")}
    columns, printed = ["dice_foreground", "hd95_voxels"], {"ce": [0.75, 2.0]}
    published = Published(source="A paper", dataset="brains", measures=columns, rows=printed, structure="left")
    table = published_table(published, rows, measures)
    assert table is not None
    assert table.title == "Beside A paper, left"
    assert table.header == ["", "Dice", "printed", "difference", "HD95 (mm)", "printed (voxels)"]
    assert table.cells == [["ce", "0.800", "0.750", "+0.050", "3.00", "2.00"]]


def test_published_tables_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = write_trial(tmp_path, "ce", [0.70, 0.80, 0.90])
    (tmp_path / "wrong.json").write_text('[{"source": 1}]')
    with pytest.raises(ValueError, match=r".*wrong.json must be a JSON list of published tables"):
        main([str(folder), "--out", str(tmp_path / "out"), "--published", str(tmp_path / "wrong.json")])


def test_the_published_tables_of_the_workflow_can_be_read() -> None:
    tables = read_published(Path(__file__).parents[2] / "workflow" / "published.json")
    assert all(first != other for first, other in pairwise(tables))
    for table in tables:
        assert all(measure_of(name).more_is_better is not None for name in table.measures)
        assert all(len(values) == len(table.measures) for values in table.rows.values())
        for name, *values in zip(table.measures, *table.rows.values(), strict=True):
            low, high = limits_of(name)
            assert all(low <= value <= high for value in values), name
