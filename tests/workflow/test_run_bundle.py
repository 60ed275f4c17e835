"""Runs of the workflow: one that was stopped is continued, and a mistake costs no training."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import run_bundle

SAVES = "import sys; open(sys.argv[sys.argv.index('--ckpt_dir') + 1] + '/model.pt', 'w').write(str(sys.argv[2:]))"
FAILS = "raise SystemExit(3)"
FORMER = ("--epochs", "1", "--network_def", "@networks::unetpp", "--fold", "0", "--networks#unetpp#dropout", "0.1")
NOW = ("--epochs", "1", "--network_def#_target_", "calib_monai.networks.unetpp", "--fold", "0")
NOW += ("--network_def#dropout", "0.1")


class Benchmark:
    """Asks for one training again and again, as Snakemake does: the record of the last one is removed first."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.record, self.models = folder / "train.json", folder / "models"
        self.monkeypatch = monkeypatch

    def train(self, *options: str, code: int = 0, program: str = SAVES) -> dict[str, Any] | None:
        """The record of a training by such a program, None where there is none."""
        line = ["run_bundle.py", "train", "--bundle", "hippocampus_ce", "--models", str(self.models)]
        line += ["--record", str(self.record), "--ckpt_dir", str(self.models), *options]
        self.monkeypatch.setattr(sys, "argv", line)
        command = run_bundle._command
        with self.monkeypatch.context() as patch:
            called = [sys.executable, "-I", "-c", program]
            patch.setattr(
                run_bundle, "_command", lambda *given: [*called, *command(*given)[command(*given).index("run") :]]
            )
            self.record.unlink(missing_ok=True)
            assert run_bundle.main() == code
        return json.loads(self.record.read_text()) if self.record.is_file() else None

    @property
    def said(self) -> str:
        """What the program that left the model was called with."""
        return (self.models / "model.pt").read_text()


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    return Benchmark(tmp_path, monkeypatch)


def test_a_network_for_volumes_has_one_more_file(benchmark: Benchmark) -> None:
    record = benchmark.train("--epochs", "1", "--volumes")
    assert record
    assert record["options"]["--volumes"] == "True"
    assert "'--volumes'" not in benchmark.said
    assert "configs/train.json" in benchmark.said
    assert "configs/volumes.json" in benchmark.said


def test_a_mistake_costs_no_training(benchmark: Benchmark) -> None:
    record = benchmark.train("--epochs", "1")
    assert record
    model = benchmark.said
    assert benchmark.train("--epochs", "2", "--learning_rat", "0.1", code=3, program=FAILS) is None
    assert not (benchmark.models / "model.pt").exists()
    assert benchmark.train("--epochs", "1", code=0, program=FAILS) == record  # nothing is run
    assert benchmark.said == model
    assert not benchmark.models.with_name("models_before").exists()


def test_a_training_that_was_stopped_goes_on_and_one_with_other_options_begins(benchmark: Benchmark) -> None:
    assert benchmark.train("--epochs", "1", code=3, program=FAILS) is None
    (benchmark.models / "checkpoint_epoch=1.pt").touch()
    record = benchmark.train("--epochs", "1")
    assert record
    assert record["resumed"]
    assert "'--resume', 'True'" in benchmark.said
    assert (benchmark.models / "checkpoint_epoch=1.pt").exists()

    assert benchmark.train("--epochs", "2", code=3, program=FAILS) is None
    record = benchmark.train("--epochs", "2")  # it was stopped in its first epoch
    assert record
    assert not record["resumed"]
    assert "'--overwrite', 'True'" in benchmark.said

    assert benchmark.train("--epochs", "4", code=3, program=FAILS) is None
    assert [path.name for path in benchmark.models.iterdir()] == ["begun_with.json"]
    assert (benchmark.models.with_name("models_before") / "model.pt").exists()
    replaced = benchmark.train("--epochs", "3")
    assert replaced
    assert not replaced["resumed"]
    assert "--resume" not in benchmark.said
    assert not benchmark.models.with_name("models_before").exists()  # it was kept until now


def test_a_finished_training_that_is_asked_for_again_starts_again(benchmark: Benchmark) -> None:
    for _ in range(2):
        record = benchmark.train("--epochs", "1")
        assert record
        assert record["options"]["--epochs"] == "1"
        assert not record["resumed"]
        assert not (benchmark.models / "begun_with.json").exists()


def test_a_training_that_an_earlier_version_began_goes_on(benchmark: Benchmark) -> None:
    assert benchmark.train(*FORMER, code=3, program=FAILS) is None
    (benchmark.models / "checkpoint_epoch=1.pt").touch()
    record = benchmark.train(*NOW)
    assert record
    assert record["resumed"]
    assert record["options"]["--network_def#_target_"] == "calib_monai.networks.unetpp"
    assert "@networks" not in benchmark.said
    assert (benchmark.models / "checkpoint_epoch=1.pt").exists()


def test_a_training_that_an_earlier_version_finished_is_taken_over_once(benchmark: Benchmark) -> None:
    finished = benchmark.train(*FORMER)
    assert finished
    model = benchmark.said
    record = benchmark.train(*NOW, program=FAILS)  # nothing is run
    assert record
    assert {**record, "options": {}} == {**finished, "options": {}}
    assert record["options"].items() >= {"--network_def#dropout": "0.1", "--fold": "0"}.items()
    assert benchmark.said == model
    assert benchmark.train(*NOW, code=3, program=FAILS) is None  # asked for again, it starts again


def test_a_training_that_an_earlier_version_finished_is_taken_back_after_a_mistake(benchmark: Benchmark) -> None:
    assert benchmark.train(*FORMER)
    model = benchmark.said
    assert benchmark.train(*NOW, "--learning_rat", "0.1", code=3, program=FAILS) is None
    assert not (benchmark.models / "model.pt").exists()
    assert benchmark.train(*NOW, program=FAILS)
    assert benchmark.said == model


def test_a_training_that_an_earlier_version_finished_with_another_network_is_replaced(benchmark: Benchmark) -> None:
    assert benchmark.train(*FORMER)
    other = [option.replace("unetpp", "unet") for option in NOW]
    record = benchmark.train(*other)
    assert record
    assert record["options"]["--network_def#_target_"] == "calib_monai.networks.unet"
    assert "networks.unet'" in benchmark.said
