"""The page of the papers' tables and figures: current, and without a gap."""

from __future__ import annotations

from pathlib import Path

import papers
import pytest

WANTED = {
    "NACL, MICCAI": ["Table 1", "Table 2", "Table 3", "Fig. 1", "Fig. 2"],
    "MbLS": [*(f"Table {k}" for k in (1, 2, 3, 4)), *(f"Fig. {k}" for k in (1, 2, 4, 5, 6, 7, 10, 11))],
    "NACL, journal": ["Table 1", "Table 2", *(f"Fig. {k}" for k in (2, 3, 4, 6, 8, 9))],
    "CRaC": ["Table 1", "Table 2", "Tables 1 and 2, Friedman", "Fig. 1", "Fig. 1, nnU-Net", "Ablation, multipliers"],
    "BWCR": ["Table 1", "Table 2, ACDC", *(f"Table 2, NCI, {k} cases" for k in (6, 12, 36)), "Width"]
    + [f"Fig. {k}" for k in (1, 2, 3, 4)],
    "All papers": ["Classes", "Boundary"],
}


def test_the_page_is_what_the_script_makes() -> None:
    papers.main(["--check"])


@pytest.mark.parametrize("paper", WANTED)
def test_no_table_or_figure_is_left_out(paper: str) -> None:
    [rows] = [rows for name, rows in papers.read_papers().items() if name.startswith(paper)]
    assert [name for name in WANTED[paper] if name not in rows] == []
    for name in rows:
        assert f"| {name} | " in papers.PAGE.read_text(encoding="utf-8")


def test_printed_values_stand_beside_those_of_the_results() -> None:
    assert "### MbLS, Table 3, hippocampus" in papers.page()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{shows: a, experiment: mian}", "experiments.yaml has no mian"),
        ("{shows: a}", "A, T has shows; it must have shows and experiment"),
        ("{shows: a, experiment: main, printed: B}", "published.json has no source 'B'"),
    ],
)
def test_a_row_that_cannot_be_is_refused(row: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "papers.yaml").write_text(f"A:\n  T: {row}\n")
    monkeypatch.setattr(papers, "ROWS", tmp_path / "papers.yaml")
    with pytest.raises(ValueError, match=said):
        papers.read_papers.__wrapped__()
