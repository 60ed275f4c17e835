"""Files laid over others: what does not go together, or would have no effect, is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from calib_monai.overrides import check_overrides

CONFIGS = Path(__file__).parents[1] / "bundles" / "hippocampus_nacl" / "configs"
TRAIN, EVALUATE = (str(CONFIGS / f"{name}.json") for name in ("train", "evaluate"))


def check(*arguments: str, config_file: str = TRAIN) -> None:
    check_overrides([".../monai/bundle/__main__.py", "run", "--config_file", config_file, *arguments])


def test_an_evaluation_is_laid_over_a_training() -> None:
    check("--epochs", "2", config_file=f"['{TRAIN}','{EVALUATE}']")
    with pytest.raises(ValueError, match=r"give both: --config_file .*train\.json','.*evaluate\.json'"):
        check(config_file=EVALUATE)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["train", "calibrate", "evaluate"], r"evaluate.json and .*calibrate.json are two runs: give one$"),
        (["train", "evaluate", "calibrate"], r"evaluate.json and .*calibrate.json are two runs: give one$"),
        (["train", "inference"], r"inference.json is given alone, or with volumes.json, and not with .*train.json$"),
        (["inference", "evaluate"], r"inference.json is given alone, or with volumes.json, and not with .*evaluate"),
    ],
)
def test_files_of_two_runs_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(config_file=str([str(CONFIGS / f"{name}.json") for name in names]))
    check(config_file=str([str(CONFIGS / f"{name}.json") for name in ("inference", "volumes")]))


def test_an_overlay_of_ones_own_may_add_to_lists_and_to_what_is_nested(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"+train#handlers": [], "+initialize": [], "epochs": 3}))
    check("--epochs", "2", config_file=f"['{TRAIN}','{mine}']")


def test_processes_share_a_training_that_another_program_wrote(tmp_path: Path) -> None:
    written = tmp_path / "monailabel_train.json"  # as MONAI Label does, of train.json and its own settings
    shutil.copy(TRAIN, written)
    check(config_file=str([str(written), str(CONFIGS / "multi_gpu_train.json")]))


@pytest.mark.parametrize(
    "files",
    [
        ["multi_gpu_train"],
        ["train", "multi_gpu_evaluate"],
        ["train", "calibrate", "multi_gpu_evaluate"],
        ["train", "evaluate", "multi_gpu_train"],
    ],
)
def test_processes_share_only_the_run_that_their_file_is_for(files: list[str]) -> None:
    given = str([str(CONFIGS / f"{name}.json") for name in files])
    with pytest.raises(ValueError, match=rf"{files[-1]}.json is for {files[-1][10:]}.json: give it right after that"):
        check_overrides([".../monai/bundle/__main__.py", "run", "--config_file", given])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"+validate": {"postprocesing": {}}}, "'validate#postprocesing': .* did you mean 'validate#postprocessing'"),
        (
            {"train#infererr": {}},
            "'train#infererr': there is no 'infererr' in 'train', .* did you mean 'train#inferer'",
        ),
        ({"+train#handler": []}, "changes 'train#handler', which no file before it has"),
        ({"validate::keymetric": {}}, "'validate#keymetric': .* did you mean 'validate#key_metric'"),
        ({"validate#mine": 3}, "'validate#mine': there is no 'mine' in 'validate', and nothing refers to it$"),
    ],
)
def test_a_key_of_a_section_that_nothing_refers_to_is_refused(
    content: dict[str, Any], said: str, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"mine.json (sets )?{said}"):
        check(config_file=f"['{TRAIN}','{EVALUATE}','{mine}']")


@pytest.mark.parametrize(
    "content",
    [
        {"+validate": {"_note_": "of a person"}, "mine": {"any": {"key": 1}}, "+measures": {"mine": {"title": "Mine"}}},
        {"validate#mine": {}, "validate#postprocessing": "@validate#mine"},
        {"validate#mine": {}, "validate#postprocessing": "$list(@validate::mine)"},
        {"+validate#additional_metrics": {"mine": {"_target_": "calib_monai.handlers.Dice"}}},
    ],
)
def test_a_key_that_may_be_new_is_taken(content: dict[str, Any], tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(content))
    check(config_file=f"['{TRAIN}','{EVALUATE}','{mine}']")


def test_an_option_may_refer_to_a_key_that_a_file_adds(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"validate#mine": {}}))
    check("--validate#postprocessing", "@validate#mine", config_file=f"['{TRAIN}','{mine}']")
