"""Shifted logits: the script measures them, and docs say what it measured."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import draw_shifted
import pytest
import torch
from committed import COLLECTION, REPOSITORY, config_of, write_dataset

from calib_monai.phantoms import make_phantoms

RESULTS = REPOSITORY / "results" / "hippocampus" / "shifted" / "shifted.json"


def test_a_network_that_is_exactly_right_is_best_unshifted_but_on_label_foreground() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 60_000, generator=generator) * 1.5 + torch.tensor([[1.0], [-1.0]])
    labels = torch.bernoulli(logits.softmax(dim=0)[1], generator=generator)[None]

    def postprocessing(case: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        pred = case["pred"].argmax(dim=0, keepdim=True)
        return {"prob": case["pred"].softmax(dim=0), "pred": pred, "label": case["label"]}

    rows = draw_shifted.shifted([({"label": labels}, logits)], [-1.0, 0.0, 1.0], postprocessing)
    for name in ("nll_all", "ece_plausible", "cece_plausible", "volume_error"):
        assert min(rows, key=lambda row: row[name])["constant"] == 0
    for name in ("ece_foreground", "cece_foreground"):
        assert min(rows, key=lambda row: row[name])["constant"] == 1
    assert rows[1]["ece_plausible"] < 0.01
    assert rows[1]["volume_error"] < 0.02


def test_the_script_measures_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset("hippocampus", tmp_path / "data", make_phantoms(8, seed=3))
    models, bundle = tmp_path / "models", COLLECTION / "hippocampus_ce"
    models.mkdir()
    torch.manual_seed(0)
    parser = draw_shifted.ConfigParser(draw_shifted.ConfigParser.load_config_file(bundle / "configs" / "train.json"))
    torch.save(parser.get_parsed_content("network").state_dict(), models / "model.pt")
    options = ["--dataset_dir", str(tmp_path / "data"), "--ckpt_dir", str(models), "--out", str(tmp_path / "out")]
    draw_shifted.main([str(bundle), *options])
    written = json.loads((tmp_path / "out" / "shifted.json").read_text())
    assert (tmp_path / "out" / "shifted.svg").stat().st_size > 10_000
    assert capsys.readouterr().out == draw_shifted.table(written["rows"])
    assert [row["constant"] for row in written["rows"]] == draw_shifted.CONSTANTS


def test_the_script_tells_what_was_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = str(COLLECTION / "hippocampus_ce")
    network = draw_shifted.ConfigParser(config_of(bundle, "train")).get_parsed_content("network")
    torch.save(network.state_dict(), tmp_path / "model.pt")
    program = str(REPOSITORY / "scripts" / "draw_shifted.py")
    options = ["--dataset_dir", "/nowhere", "--ckpt_dir", str(tmp_path), "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [program, bundle, *options])
    with pytest.raises(RuntimeError) as error:
        runpy.run_path(program, run_name="__main__")
    sys.excepthook(error.type, error.value, error.tb)
    assert capsys.readouterr().err.startswith("error: dataset_dir /nowhere is not a folder")


def test_docs_have_the_table_and_the_figure_that_the_script_wrote() -> None:
    page = (REPOSITORY / "docs" / "measures.md").read_text(encoding="utf-8")
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert draw_shifted.table(measured["rows"]) in page
    assert "](../results/hippocampus/shifted/shifted.svg)" in page
    assert RESULTS.with_suffix(".svg").is_file()
    assert f"{measured['num_cases']} test cases" in page
