"""Ways to be wrong, and right: each changes good data or gives other options, and says what the last line must hold."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from spoiled import (
    CASE,
    IMAGE,
    LABEL,
    Change,
    as_folder,
    as_loop,
    bad_json,
    damaged_checkpoint,
    edited_split,
    elsewhere,
    every_label,
    file,
    had_epochs,
    header,
    model,
    of_terabytes,
    one_byte_changed,
    one_case_only,
    only,
    truncated,
    turned,
    two_of_a_name,
    voxels,
    without_spacing,
)
from spoiled_scans import SCANS

KILLS_ITSELF = "$lambda _: __import__('os').kill(__import__('os').getpid(), 9)"


@dataclass(frozen=True)
class Wrong:
    """One way to be wrong.

    Attributes:
        name: what is wrong.
        said: regular expression of the last line; None where the run must do its work.
        change: does it to a folder with `data`, a copy of good data, and `bundle`, a copy of the bundle.
        config: what is run.
        options: of the command line; "{}" stands for the folder.
        method: of the bundle.
        after_training: whether there is a trained model, and results of it that must stay as they are.
        limits: of the process, as `resource.setrlimit` takes them.
        dataset: of the bundle; the data are those of hippocampus, unless `change` brings others.
    """

    name: str
    said: str | None
    change: Change = lambda _: None
    config: str = "train"
    options: Mapping[str, Any] = field(default_factory=dict)
    method: str = "nacl"
    after_training: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    dataset: str = "hippocampus"


ONE_VALUE = {
    "network_def#_target_": "calib_monai.networks.attention_unet",
    "slice_size": [16, 16],
    "batch_size": 1,
    "cases#cropped": True,
    "preparation": {"_target_": "ResizeWithPadOrCropd", "keys": "@keys", "spatial_size": [16, 16, -1]},
}  # of a slice, at the deepest level of a network that normalizes over batches
TWO_CLASSES = {"num_classes": 2, "class_names": ["background", "structure"]}
NO_MODEL = {"ckpt_dir": "{}/nothing"}
WRONG = [
    Wrong("no folder", "dataset_dir .*nowhere is not a folder", options={"dataset_dir": "{}/nowhere"}),
    Wrong("empty folder", "empty holds no label", lambda f: (f / "empty").mkdir(), options={"dataset_dir": "{}/empty"}),
    Wrong("label missing", f"without a partner .*{CASE}", file(LABEL, Path.unlink)),
    Wrong("image missing", f"without a partner .*{CASE}", file(IMAGE, Path.unlink)),
    Wrong("truncated", f"imagesTr/{CASE}.nii.gz", file(IMAGE, truncated)),
    Wrong("a byte changed", f"imagesTr/{CASE}.nii.gz is damaged: CRC check failed", file(IMAGE, one_byte_changed)),
    Wrong("zero bytes", f"imagesTr/{CASE}.nii.gz", file(IMAGE, lambda path: path.write_bytes(b""))),
    Wrong("not an image", f"labelsTr/{CASE}.nii.gz", file(LABEL, lambda path: path.write_text("voxels"))),
    Wrong("a folder for a file", f"{CASE}.* is an empty folder; an image is a file", file(IMAGE, as_folder)),
    Wrong("a link to itself", f"{CASE}.* cannot be read", file(IMAGE, as_loop)),
    Wrong(
        "may not be read", f"imagesTr/{CASE}.nii.gz cannot be read: Permission", file(IMAGE, lambda path: path.chmod(0))
    ),
    Wrong("complex numbers", f"{CASE}.*complex numbers", voxels(IMAGE, lambda v: v, np.complex64)),
    Wrong("other shape", f"{CASE}.*shape|{CASE}.*voxels", voxels(LABEL, lambda v: v[:-1])),
    Wrong(
        "axes swapped, larger than a slice",
        f"{IMAGE} is .* voxels and .*{LABEL} is .*; they must be equal",
        voxels(IMAGE, lambda v: np.tile(v.transpose(1, 0, 2), (2, 2, 1))),
        options={"cases#cropped": False},
    ),
    Wrong("2D for 3D", f"{CASE}.*, 1\\) voxels and .* must be equal", voxels(IMAGE, lambda v: v[..., 0])),
    Wrong("two channels", f"{CASE}.*2 channel", voxels(IMAGE, lambda v: np.stack([v, v], axis=-1))),
    Wrong("NaN", f"{CASE}.*NaN", voxels(IMAGE, lambda v: np.where(v > v.mean(), np.nan, v))),
    Wrong("infinite", f"{CASE}.*inf", voxels(IMAGE, lambda v: np.where(v > v.mean(), np.inf, v))),
    Wrong("constant image", f"{CASE}.*one value only, 0", voxels(IMAGE, np.zeros_like)),
    Wrong("labels 0 and 255", f"{CASE}.*255", voxels(LABEL, lambda v: 255 * (v > 0))),
    Wrong("negative label", f"{CASE}.*-1", voxels(LABEL, lambda v: v - 1)),
    Wrong("fractional label", f"{CASE}.*0?.5", voxels(LABEL, lambda v: v / 2)),
    Wrong("nearly a label", rf"{CASE}.*value\(s\) 0.9999999, ", voxels(LABEL, lambda v: v * np.float32(0.9999999))),
    Wrong("a class too many", rf"{CASE}.*value\(s\) 3;", voxels(LABEL, lambda v: np.where(v == 2, 3, v))),
    Wrong("no foreground anywhere", "none of the .* labels", every_label(np.zeros_like)),
    Wrong("spacing 0", f"{CASE}.* lies elsewhere", header(IMAGE, without_spacing)),
    Wrong("mixed orientation", f"{CASE}.* lies elsewhere", header(LABEL, turned)),
    Wrong("terabytes promised", f"{CASE}.*its header promises 30000 x 30000 x 30000", file(IMAGE, of_terabytes)),
    Wrong("one case", "1 case", one_case_only),
    Wrong("unknown option", "unknown option --epoch.*did you mean --epochs", options={"epoch": 1}),
    Wrong("unknown option of the loss", "unknown option --loss#pirior.*prior", options={"loss#pirior": "max"}),
    Wrong("a word for a number", "--epochs many: it must be a number", options={"epochs": "many"}),
    Wrong("no epoch", "epochs is 0", options={"epochs": 0}),
    Wrong("no batch", "batch_size is 0", options={"batch_size": 0}),
    Wrong("no learning rate", "learning_rate is -1", options={"learning_rate": -1}),
    Wrong("odd slice size", r"slice_size is \[50, 60\]", options={"slice_size": [50, 60]}),
    Wrong("slices too small", "cannot take slices", options={"slice_size": [16, 16]}),
    Wrong("single slices, over which a network normalizes", "cannot be trained on single slices", options=ONE_VALUE),
    Wrong(
        "a last batch of one slice, over which a network normalizes",
        "with 16 slices and a batch_size of 5 the last batch is one slice.*set --batch_size 4",
        options=ONE_VALUE | {"batch_size": 5},
    ),
    Wrong("margin below 0", "margin is -1", options={"loss#margin": -1}, method="mbls"),
    Wrong("even kernel", "kernel_size is 4", options={"loss#kernel_size": 4}),
    Wrong("weight below 0", "penalty_weight is -1", options={"loss#penalty_weight": -1}),
    Wrong("unknown prior", "prior is 'mode1'", options={"loss#prior": "mode1"}),
    Wrong("classes that the labels have too many", "label.* 2", options=TWO_CLASSES),
    Wrong(
        "a split of other cases",
        "split .*mine.json lists 1 name.* first 'nobody' in test; the 6 cases there have names such as 'phantom_000'",
        lambda f: (f / "mine.json").write_text(
            '{"training": ["phantom_000"], "validation": ["phantom_001"], "test": ["nobody"]}'
        ),
        options={"split": "{}/mine.json"},
    ),
    Wrong("no such fold", "fold is 99", options={"fold": 99}),
    Wrong("more than all cases", "train_fraction is 2", options={"train_fraction": 2}),
    Wrong(
        "resumed from a damaged checkpoint",
        "checkpoint_epoch=1.pt is damaged",
        damaged_checkpoint,
        options={"resume": True, "epochs": 2},
        after_training=True,
    ),
    Wrong(
        "resumed with other batches",
        "training with batch_size .*, here it is 2; resume",
        options={"resume": True, "epochs": 2, "batch_size": 2},
        after_training=True,
    ),
    Wrong(
        "resumed with another loss",
        "training with loss#penalty_weight 0.1, here it is 0.5; resume",
        options={"resume": True, "epochs": 2, "loss#penalty_weight": 0.5},
        after_training=True,
    ),
    Wrong(
        "resumed with more epochs after the learning rate has fallen",
        "planned for 4 epoch.* in epoch 3 was 0.0001; with --epochs 9 .* 0.001; resume",
        had_epochs(3, planned=4),
        options={"resume": True, "epochs": 9},
        after_training=True,
    ),
    Wrong(
        "a training there already, before the data are read",
        "checkpoint_epoch=1.pt of an earlier training.*--resume",
        file(IMAGE, truncated),
        after_training=True,
    ),
    Wrong(
        "another split beside the model",
        "trained with another split",
        options={"fold": 1, "resume": True},
        after_training=True,
    ),
    Wrong(
        "the results of another training",
        "eval holds history.csv of an earlier training: set another --ckpt_dir and --output_dir",
        options={"ckpt_dir": "{}/others"},
        after_training=True,
    ),
    Wrong("no model", "there is no model at", config="evaluate", options=NO_MODEL),
    Wrong("no model to calibrate", "there is no model at", config="calibrate", options=NO_MODEL),
    Wrong("no model to predict with", "there is no model at", config="inference", options=NO_MODEL),
    Wrong(
        "model of another network",
        "model.pt",
        config="evaluate",
        options={"network_def#_target_": "calib_monai.networks.attention_unet"},
        after_training=True,
    ),
    Wrong("model of other classes", "model.pt", config="inference", options=TWO_CLASSES, after_training=True),
    Wrong(
        "truncated model", "model.pt", lambda f: truncated(f / "models" / "model.pt"), "evaluate", after_training=True
    ),
    Wrong("a list for a model", "model.pt", model(lambda _: [1]), "evaluate", after_training=True),
    Wrong("damaged split", "split.json is damaged", edited_split, "evaluate", after_training=True),
    Wrong(
        "unknown calibrator", "calibrator is tls", config="evaluate", options={"calibrator": "tls"}, after_training=True
    ),
    Wrong(
        "calibrator not fitted",
        "there is no calibrator",
        config="evaluate",
        options={"calibrator": "ts"},
        after_training=True,
    ),
    Wrong("unknown shift", "shift is ", config="evaluate", options={"shift": "blur"}, after_training=True),
    Wrong("shift of strength 0", "shift is ", config="evaluate", options={"shift": "noise_0"}, after_training=True),
    Wrong("no input", "nowhere", config="inference", options={"input": "{}/nowhere"}, after_training=True),
    Wrong(
        "input of words",
        "inputs holds no .nii.gz",
        lambda f: only(f, "words.txt"),
        "inference",
        {"input": "{}/inputs"},
        after_training=True,
    ),
    Wrong(
        "broken input",
        "image.nii.gz",
        lambda f: only(f, "image.nii.gz"),
        "inference",
        {"input": "{}/inputs"},
        after_training=True,
    ),
    *(
        Wrong(name, said, change, "inference", {"input": "{}/inputs"}, after_training=True)
        for name, said, change in SCANS
    ),
    Wrong("two inputs of one name", "one", two_of_a_name, "inference", {"input": "{}/inputs"}, after_training=True),
    Wrong("unknown output", "outputs", config="inference", options={"outputs": ["labels"]}, after_training=True),
    Wrong(
        "output where a file is",
        "nothing can be written to .*taken: .*taken is not a folder",
        lambda f: (f / "taken").write_text("a file"),
        options={"output_dir": "{}/taken"},
    ),
    Wrong(
        "output where nothing may be written",
        "sealed/eval: no permission to write to .*sealed",
        lambda f: (f / "sealed").mkdir(mode=0o500),
        options={"output_dir": "{}/sealed/eval"},
    ),
    *(
        Wrong(
            f"nothing may be written by {config}, which is told before the data are read",
            "sealed/eval: no permission",
            lambda f: ((f / "sealed").mkdir(mode=0o500), *map(truncated, (f / "data").rglob("*.nii.gz"))),
            config,
            {"output_dir": "{}/sealed/eval"},
            after_training=True,
        )
        for config in ("evaluate", "calibrate", "inference")
    ),
    Wrong(
        "no space for the model",
        "File too large: '.*models/checkpoint_epoch=1.pt'",
        options={"epochs": 1},
        limits={"RLIMIT_FSIZE": 200_000},
    ),
    Wrong("the loss explodes", "the loss is nan|NaN or infinite", options={"learning_rate": 1e30}),
    Wrong("out of memory", "memory", options={"slice_size": [160000, 160000]}),
    Wrong(
        "a worker is killed",
        "worker",
        config="evaluate",
        after_training=True,
        options={
            "overwrite": True,  # other images than those of the evaluation there
            "num_workers": 1,
            "disturbance": {"_target_": "Lambdad", "keys": "image", "func": KILLS_ITSELF},
        },
    ),
    Wrong("JSON without a comma", r"train.json.*line \d+", bad_json),
    Wrong("unknown network", "transunt.*transunet", options={"network_def#_target_": "calib_monai.networks.transunt"}),
    Wrong("a word in place of a truth value", "--augment false.*True or False", options={"augment": "false"}),
    Wrong("a word in place of a component", "--loss focal", options={"loss": "focal"}),
    Wrong("spaces and letters in the path", None, elsewhere, options={"dataset_dir": "{}/Aufnahmen é 1"}),
    Wrong("a trailing axis of 1", None, voxels(IMAGE, lambda v: v[..., None])),
    Wrong("one empty label", None, voxels(LABEL, np.zeros_like)),
]


def prepared(folder: Path, good: Path, bundle: Path, wrong: Wrong) -> None:
    """Copies of good data, of the bundle, and of what a training left where there is to be one."""
    shutil.copytree(good / "data", folder / "data")
    shutil.copytree(bundle, folder / "bundle", ignore=shutil.ignore_patterns("models", "eval"))
    if wrong.after_training:
        for name in ("models", "eval"):
            shutil.copytree(good / name, folder / name)
    wrong.change(folder)
