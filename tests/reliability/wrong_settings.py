"""Options and edits of a bundle's JSON that make other settings than somebody meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from spoiled import Change
from wrong_inputs import Wrong

STRIDES = "network_def#strides"
FLIP = {"_target_": "Flipd", "keys": ["image", "label"], "spatial_axis": 0}


def edited(edit: Callable[[dict[str, Any]], object], name: str = "train") -> Change:
    """Does something to a JSON of the bundle."""

    def change(folder: Path) -> None:
        path = folder / "bundle" / "configs" / f"{name}.json"
        config = json.loads(path.read_text())
        edit(config)
        path.write_text(json.dumps(config, indent=4))

    return change


def split_edited(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Does something to the split that lies beside the model."""

    def change(folder: Path) -> None:
        path = folder / "models" / "split.json"
        split = json.loads(path.read_text())
        edit(split)
        path.write_text(json.dumps(split))

    return change


ZOOM = {"_target_": "Zoomd", "keys": ["image", "label"], "zoom": 1.3, "keep_size": True}
WRONG_SETTINGS = [
    Wrong("no step at all", "learning rate of Adam is 0 in all 1 epoch", options={"optimizer#lr": 0}),
    Wrong("a device without values", "device is meta, which PyTorch cannot use here", options={"device": "meta"}),
    Wrong("no label to prepare", "keys is .*; it must be a list that has image and label", options={"keys": ["image"]}),
    Wrong(
        "labels interpolated",
        "the label holds 0.5, and labels must be whole numbers",
        edited(lambda c: c["train"]["preprocessing"]["transforms"].append(ZOOM)),
    ),
    Wrong(
        "the largest distance taken for the best",
        "key_metric is val_hd95_mm, of which less is better",
        edited(lambda c: c["validate"].update(key_metric={"val_hd95_mm": {"_target_": "calib_monai.handlers.HD95"}})),
    ),
    Wrong(
        "a schedule removed, and its handler left",
        "train#handlers#3#lr_scheduler refers to 'lr_scheduler', which is not in the configuration",
        edited(lambda c: c.pop("lr_scheduler")),
    ),
    Wrong(
        "test cases whose files are not checked",
        r"cases#use is \['training'\], and the run takes the test cases",
        config="evaluate",
        options={"cases#use": ["training"]},
        after_training=True,
    ),
    Wrong("None for a number", "--epochs None: MONAI ignores None, and it stays 100", options={"epochs": None}),
    Wrong("no value for a number", "--epochs True: it must be a number", options={"epochs": True}),
    Wrong("half a batch", "batch_size is 8.5; it must be a whole number", options={"batch_size": 8.5}),
    Wrong(
        "no window at once", "sw_batch_size is 0; it must be a whole number, at least 1", options={"sw_batch_size": 0}
    ),
    Wrong("a seed too large", "seed is .* at most 4294967295", options={"seed": 2**32}),
    Wrong("no name of a device", "device is 'gpu'; it must name a device of PyTorch, as", options={"device": "gpu"}),
    Wrong(
        "a window the wrong way round",
        r"window is \[240, -160\]; it must be two numbers, the lower first",
        options={"preparation#transforms#0": {"_target_": "calib_monai.presets.window", "window": [240, -160]}},
    ),
    Wrong("too few names", "there must be a name for each class", options={"class_names": ["background", "a"]}),
    Wrong("a name twice", "names that differ", options={"class_names": ["background", "a", "a"]}),
    Wrong("a name with a #", "class_names#1 is 'a #1', which holds '#'", options={"class_names": ["b", "a #1", "c"]}),
    Wrong("arguments of no component", "it has no '_target_'", options={"loss": {"penalty_weight": 0.2}}),
    Wrong(
        "a loss of probabilities on logits",
        "DiceLoss does not take the softmax of logits; set softmax",
        options={"loss": {"_target_": "DiceLoss", "to_onehot_y": True}},
    ),
    Wrong(
        "a loss that is misspelled",
        "there is no DiceFoclLoss, the _target_ of loss; did you mean DiceFocalLoss",
        options={"loss": {"_target_": "DiceFoclLoss"}},
    ),
    Wrong(
        "a handler that is misspelled",
        "there is no StatHandler, the _target_ of train#handlers#0; did you mean StatsHandler",
        edited(lambda c: c["train"]["handlers"][0].update(_target_="StatHandler")),
    ),
    Wrong("a GPU that is not there", "device is cuda:99, which", options={"device": "$torch.device('cuda:99')"}),
    Wrong(
        "a measure without a title",
        "measure sensitivity is .*; it must have a title",
        config="evaluate",
        options={"measures": {"sensitivity": {"more_is_better": True}}},
        after_training=True,
    ),
    Wrong(
        "a measure whose decimals are a text",
        "measure sensitivity has decimals 'two'; it must be int",
        config="evaluate",
        options={"measures": {"sensitivity": {"title": "Sensitivity", "decimals": "two"}}},
        after_training=True,
    ),
    Wrong(
        "views that cannot be, where a training is already",
        "rotation is -5",
        options={"random_views#rotation": -5},
        after_training=True,
    ),
    *(
        Wrong(f"{option} that cannot be, where a training is already", said, options=given, after_training=True)
        for option, said, given in (
            ("a split", "split .*nowhere.json cannot be read", {"split": "{}/nowhere.json"}),
            ("a fold", "fold is -1; it must be a whole number, at least 0", {"fold": -1}),
            ("a fold too large", "fold is 99; .* make [0-9]+ folds: 0 to [0-9]+$", {"fold": 99}),
            ("a label to ignore", "ignore_index is 2; with 3 classes it must be", {"ignore_index": 2}),
        )
    ),
    Wrong("a text for a truth value in the JSON", "amp is 'false'", edited(lambda c: c.update(amp="false"))),
    Wrong("a typing error in the JSON", "nothing refers to 'epoch'.*'epochs'", edited(lambda c: c.update(epoch=5))),
    Wrong("a remark in the JSON", None, edited(lambda c: c.update(remark="ours"))),
    Wrong("sizes without brackets", None, options={"slice_size": "48,64"}),
    *(
        Wrong(
            f"other strides to {config}, with weights of the same sizes",
            r"network's strides is \[2, 2, 2, 2, 1\], and .*model.json",
            config=config,
            options={STRIDES: [2, 2, 2, 2, 1]},
            after_training=True,
        )
        for config in ("evaluate", "calibrate", "inference")
    ),
    Wrong(
        "resumed with other strides",
        r"network's strides \[1, 2, 2, 2, 2\], here",
        options={STRIDES: [2, 2, 2, 2, 1], "resume": True, "epochs": 2},
        after_training=True,
    ),
    *(
        Wrong(
            f"resumed from {what}",
            "checkpoint_epoch=1.pt is no checkpoint of a training: to start again",
            lambda f, content=content: torch.save(content, f / "models" / "checkpoint_epoch=1.pt"),
            options={"resume": True, "epochs": 2},
            after_training=True,
        )
        for what, content in {"a list": [1, 2], "weights alone": {"conv.weight": torch.zeros(1)}}.items()
    ),
    Wrong(
        "a case of the training tested on",
        "models/split.json lists .* more than once; a case must be in one set",
        split_edited(lambda split: split["test"].append(split["training"][0])),
        config="evaluate",
        after_training=True,
    ),
    Wrong(
        "calibrated on the test cases",
        "models/split.json lists .* more than once; a case must be in one set",
        split_edited(lambda split: split.update(validation=split["test"])),
        config="calibrate",
        after_training=True,
    ),
    Wrong(
        "no case to test on",
        "models/split.json .* restore what training wrote",
        split_edited(lambda split: split.update(test=[])),
        config="evaluate",
        after_training=True,
    ),
    Wrong(
        "images turned over for a model that saw them as they are",
        "geometry is .*Flipd.*, and .*model.json",
        edited(lambda c: c["preparation"]["transforms"].insert(0, FLIP)),
        config="evaluate",
        after_training=True,
    ),
]
