"""Commands on the pages: each runs as it stands there, on phantoms, or is listed here with the reason why not.

A page is read from top to bottom in a folder of its own, in which the commands of `FIRST` have run before: they make
data, a network, its evaluation and its calibrator. Training takes an epoch in place of many.
"""

from __future__ import annotations

import importlib.util
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nibabel
import numpy as np
import pytest
import torch.distributed.run
import yaml
from committed import COLLECTION, processes
from documented_data import small_phantoms, write_hospital, write_knees, write_predictions, write_retina
from monai.bundle import __main__ as program
from pages import PAGES, README, REPOSITORY, blocks_of, commands_of, jsons_of, named, prose_of
from plan import Plan
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from calib_monai.datalists.hippocampus import write_hippocampus

FIRST = [README, *(REPOSITORY / "docs" / f"{name}.md" for name in ("get_started", "calibrate", "evaluate"))]
FIRST.append(REPOSITORY / "docs" / "calibrators.md")
SEVERAL = REPOSITORY / "docs" / "several_gpus.md"
OF_OTHERS = [*FIRST, SEVERAL]
BUNDLES = "acdc_ce", "acdc_soft_dice", "hippocampus_ce", "hippocampus_crac", "hippocampus_nacl", "hippocampus_soft_dice"
STANDS_FOR = {
    "path/to/data": "phantoms",
    "path/to/image.nii.gz": "phantoms/imagesTr/phantom_000.nii.gz",
    "path/to/knees": "KNEES",
    "path/to/retina": "RETINA",
    "path/to/predictions": "PREDICTIONS",
    "path/to/new": "PREDICTIONS",
    "path/to/others": "PREDICTIONS",
    "path/to/labels": "phantoms/labelsTr",
    "path/to/other": "OTHER",
    "MODEL": "bundles/hippocampus_ce/models/model.pt",
    "EVALUATION": "bundles/hippocampus_ce/eval",
}
INSTALLS = "installs from the network"
OTHER = "another program, which is not installed"
NOT_HERE = {  # what a command holds: why it does not run here
    "pip install": INSTALLS,
    "bash scripts/demo.sh": INSTALLS + "; docs/get_started.md has its commands",
    "bash scripts/test.sh": "runs this test",
    "snakemake": "takes minutes, or days; tests/workflow/test_workflow.py runs less, the test below knows the settings",
    "python scripts/compose_bundles.py": "writes all bundles; tests/bundles/test_configs.py composes them elsewhere",
    "python scripts/draw_shifted.py": "tests/bundles/test_shifted.py runs it",
    "calib_monai.experiments one": "tests/experiments/test_kept_trials.py runs it",
    "calib_monai.experiments.across": "tests/experiments/test_across.py runs it",
    "python scripts/draw_point.py": "tests/reports/test_point.py draws it",
    "cd bundles/hippocampus_nacl": "what follows is of tests/clients",
    "'margin'": "needs more validation cases than phantoms; tests/bundles/test_conformal.py writes one",
    "--net_id network_def": "tests/clients/test_monai_deploy.py exports it",
    "--tracking mlflow": OTHER,
    **dict.fromkeys(("monailabel", "mkdir", "mlflow", "nnUNet", "nvidia-cuda-mps-control"), OTHER),
    **({} if importlib.util.find_spec("skimage") else {"largest": "needs scikit-image"}),
}
UNDRAWN = patch("calib_monai.reports.report.drawn", lambda *_: b"")
COMPOSED = "python scripts/compose_bundles.py --dataset"  # runs here


def not_here(command: str) -> str | None:
    """The words in `NOT_HERE` of a command that does not run here."""
    if command.startswith(COMPOSED):
        return None
    return next((words for words in NOT_HERE if words in command), None)


def shortened(command: str) -> str:
    """A command that takes less time, with words that stand for a file replaced by one."""
    command = re.sub(r"--epochs \d+", "--epochs 1", command).replace("--cases 36", "--cases 6")
    is_training = "configs/train.json" in command and not re.search(
        r"configs/(evaluate|calibrate)\.json|--help", command
    )
    if is_training and "--epochs" not in command and "small.json" not in command:
        command += " --epochs 1"
    if "volumes.json" in command and "results/" not in command:  # whose network is as it is
        command += " --network_def#channels '[2, 2, 2, 2, 2]'"
    if command.startswith("torchrun"):
        command += " --overwrite True"
    if "path/to/retina" in command:
        command += " --slice_size '[64, 64]'"
    return shlex.join(STANDS_FOR.get(word, word) for word in shlex.split(command))


def run(command: str) -> None:
    """Run a command in this folder: Python in this process, anything else in one of its own.

    No picture of a report is drawn, and phantoms have few slices.
    """
    words = shlex.split(command)
    if words[0] == "torchrun":
        start_torchrun(words[1:])
        return
    if words[0] != "python":
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        return
    try:
        with UNDRAWN, patch("calib_monai.phantoms.make_phantoms", small_phantoms):
            run_python(words[1:])
    except SystemExit as ended:
        assert not ended.code, ended  # noqa: PT017 - of the command


def start_torchrun(words: list[str]) -> None:
    """Run what stands behind `torchrun` in a process of its own, which forks those that torchrun would start."""
    process = processes().Process(target=torchrun, args=(words, Path.cwd()))
    process.start()
    process.join()
    assert process.exitcode == 0


def torchrun(words: list[str], folder: Path) -> None:
    """Torchrun itself, whose processes have everything imported already."""
    os.chdir(folder)

    def launch(config: LaunchConfig, entrypoint: str) -> Callable[..., object]:
        assert entrypoint == sys.executable
        config.start_method = "fork"
        return lambda _unbuffered, *words: elastic_launch(config, run_python)(list(words))

    with UNDRAWN, patch("torch.distributed.run.elastic_launch", launch):
        torch.distributed.run.main(words)


def run_python(words: list[str]) -> None:
    """Run what stands behind `python` in this process."""
    if words[0] != "-m":
        with patch.object(sys, "argv", words):
            runpy.run_path(words[0], run_name="__main__")
    elif words[1] == "monai.bundle":
        with patch.object(sys, "argv", [program.__file__, *words[2:]]):
            runpy.run_path(program.__file__, run_name="__main__")
    else:
        found = importlib.util.find_spec(words[1])
        runs = f"{words[1]}.__main__" if found and found.submodule_search_locations else words[1]
        imported = sys.modules.pop(runs, None)  # by another test; `runpy` would warn of it
        try:
            with patch.object(sys, "argv", words[1:]):
                runpy.run_module(words[1], run_name="__main__")
        finally:
            if imported:
                sys.modules[runs] = imported


class Reader:
    """Somebody who reads pages and types their commands.

    Args:
        folder: where the commands run.
        done: those that ran there before.
    """

    def __init__(self, folder: Path, done: list[str]) -> None:
        self.folder, self.done = folder, list(done)

    def read(self, page: Path) -> None:
        """Save the JSON files of a page, and run its commands."""
        for name, text in jsons_of(page).items():
            (self.folder / name).write_text(text)
        for command in commands_of(page):
            short = shortened(command)
            if short not in self.done and not not_here(command):
                os.chdir(self.folder)
                run(short)
                self.done.append(short)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader of the first pages."""
    folder = tmp_path_factory.mktemp("collection")
    for name in BUNDLES:
        shutil.copytree(COLLECTION / name, folder / "bundles" / name, ignore=shutil.ignore_patterns("models", "eval"))
    for name in ("results", "scripts"):
        (folder / name).symlink_to(REPOSITORY / name)
    write_knees(folder / "KNEES", small_phantoms(3))
    write_retina(folder / "RETINA", small_phantoms(3, num_classes=2))
    write_hippocampus(str(folder / "OTHER"), small_phantoms(2, 9))
    write_hospital(folder / "hospital", small_phantoms(2, 9))
    os.chdir(folder)
    run("python scripts/write_phantoms.py phantoms --cases 6")
    write_predictions(folder / "PREDICTIONS", folder / "phantoms" / "labelsTr")
    reader = Reader(folder, [])
    for page in FIRST:
        reader.read(page)
    return reader


@pytest.fixture
def reader(first: Reader, tmp_path: Path) -> Reader:
    """A reader of one more page, in a folder of its own."""
    return Reader(shutil.copytree(first.folder, tmp_path / "copy", symlinks=True), first.done)


@pytest.mark.filterwarnings("ignore:executing the bundle config")
def test_the_commands_of_several_processes_run(reader: Reader) -> None:
    """Of the page, on phantoms of which each process has one to validate and one to test."""
    os.chdir(reader.folder)
    run("python scripts/write_phantoms.py phantoms --cases 16")
    reader.read(SEVERAL)


@pytest.mark.filterwarnings("ignore:executing the bundle config")
@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page) and page not in OF_OTHERS], ids=named)
def test_every_command_of_a_page_runs(page: Path, reader: Reader) -> None:
    reader.read(page)
    if named(page) == "docs/check_your_model.md":
        check_mended()


def check_mended() -> None:
    """A temperature applied without labels gives what the score wrote, and not what was given."""
    files = [f"{folder}/phantom_002.npz" for folder in ("new_calibrated", "mended/calibrated", "PREDICTIONS")]
    applied, written, given = (np.load(file)["probabilities"] for file in files)
    np.testing.assert_array_equal(applied, written)
    assert not np.allclose(applied, given, atol=1e-3)


def test_what_the_first_pages_make_is_there(first: Reader) -> None:
    bundle = first.folder / "bundles" / "hippocampus_ce"
    made = ["models/model.pt", "models/calibrator_ts.safetensors", "eval/report/report.html", "eval_ts/summary.json"]
    assert [name for name in made if not (bundle / name).is_file()] == []
    assert (first.folder / "before_and_after" / "report.html").is_file()


@pytest.mark.filterwarnings("ignore:executing the bundle config")
def test_one_file_predicts_as_an_inference_does(first: Reader) -> None:
    """The code of docs/predict.md, on an image whose sides need an odd number of zeros."""
    os.chdir(first.folder)
    phantom = nibabel.load("phantoms/imagesTr/phantom_000.nii.gz")
    odd = np.asarray(phantom.dataobj)[:33, :51]
    assert odd.shape[:2] == (33, 51)
    nibabel.save(nibabel.Nifti1Image(odd, phantom.affine), "image.nii.gz")
    page = REPOSITORY / "docs" / "predict.md"
    [export] = [command for command in commands_of(page) if "ckpt_export" in command]
    predict = shortened(commands_of(page)[0])
    run(export)
    run(predict.replace("phantoms/imagesTr/phantom_000.nii.gz", "image.nii.gz") + " --output_dir odd")
    names: dict[str, Any] = {}
    [block] = blocks_of(page, "python")
    exec(compile(block.code, page.name, "exec"), names)  # noqa: S102 - our own
    written = np.asarray(nibabel.load("odd/predictions/image/image_probs.nii.gz").dataobj)
    np.testing.assert_allclose(names["probs"].detach().permute(2, 3, 0, 1), written, rtol=0, atol=1e-6)


def test_what_does_not_run_here_is_still_on_a_page() -> None:
    commands = [command for page in PAGES for command in commands_of(page)]
    assert README in PAGES
    assert NOT_HERE.keys() == {words for command in commands if (words := not_here(command))}


def test_the_workflow_has_the_settings_that_a_page_gives() -> None:
    commands = [shlex.split(command) for page in PAGES for command in commands_of(page)]
    settings = [words[words.index("--config") + 1 :] for words in commands if words[0] == "snakemake"]
    config, experiments = (
        yaml.safe_load((REPOSITORY / "workflow" / name).read_text(encoding="utf-8"))
        for name in ("config.yaml", "experiments.yaml")
    )
    assert len(settings) == 3
    for given in settings:
        options = {name: yaml.safe_load(value) for name, _, value in (each.partition("=") for each in given)}
        assert options.keys() <= config.keys()
        Plan(config | options | {"dataset_dir": str(REPOSITORY)}, experiments)


def test_programs_that_a_sentence_names_are_there() -> None:
    spans = {span for page in PAGES for span in re.findall(r"`(python [^`]+)`", prose_of(page))}
    assert len(spans) > 3
    for span in spans:
        words = shlex.split(span)
        module = words[1] == "-m"
        assert importlib.util.find_spec(words[2]) if module else (REPOSITORY / words[1]).is_file(), span


def test_every_json_of_a_page_is_given_to_a_command() -> None:
    for page in PAGES:
        given = " ".join(commands_of(page))
        assert [name for name in jsons_of(page) if name not in given] == [], page
