"""Values of options and of a configuration: those of another kind than they must be are refused, others pass."""

from __future__ import annotations

from typing import Any

import pytest
from monai.bundle import ConfigParser

from calib_monai.option_values import check_device, check_option, check_references, check_settings, unused_keys

CONFIG: dict[str, Any] = {
    "epochs": 100,
    "augment": False,
    "ignore_index": 255,
    "nothing": "$None",
    "class_names": ["background", "liver"],
    "loss": {"_target_": "DiceLoss", "softmax": True, "smooth_nr": 1e-5},
    "fitting": {"ts": {"region": "all"}},
}


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("epochs", None, r"MONAI ignores None, and it stays 100; write '\$None' to have none"),
        ("ignore_index", None, "MONAI ignores None"),
        ("loss#smooth_nr", None, "MONAI ignores None"),
        ("epochs", True, "it must be a number"),
        ("loss#smooth_nr", True, "it must be a number"),
        ("augment", 2, "it must be True or False"),
        ("augment", [], "it must be True or False"),
        ("class_names", "liver", "it must be a list, as"),
        ("loss", 5, "it must be a component"),
        ("loss", {"softmax": True}, "it has no '_target_'; one argument alone is changed as"),
        ("fitting", "ts", "it must be a dictionary"),
        ("fitting#ts", 5, "it must be a dictionary"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: object, rule: str) -> None:
    with pytest.raises(ValueError, match=f"^--{name} .*: {rule}"):
        check_option(name, value, ConfigParser(CONFIG))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 1),
        ("epochs", "$2 * 3"),
        ("augment", 1),
        ("augment", True),
        ("nothing", None),
        ("nothing", 255),
        ("ignore_index", "$None"),
        ("class_names", ("a", "b")),
        ("loss", {"_target_": "FocalLoss"}),
        ("loss", "@loss"),
        ("fitting#ts", {"region": "union"}),
        ("loss#gamma", None),
    ],
)
def test_a_value_of_the_same_kind_passes(name: str, value: object) -> None:
    check_option(name, value, ConfigParser(CONFIG))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"epochs": "10"}, "epochs is '10'; it must be a whole number, at least 1"),
        ({"batch_size": 8.0}, "batch_size is 8.0; it must be a whole number, at least 1"),
        ({"sw_batch_size": 0}, "sw_batch_size is 0; it must be"),
        ({"sw_batch_size": None}, "sw_batch_size is None; it must be"),
        ({"num_workers": -1}, "num_workers is -1; it must be a whole number, at least 0"),
        ({"num_classes": True}, "num_classes is True; it must be a whole number, at least 2"),
        ({"seed": 2**32}, "seed is 4294967296; it must be a whole number, at least 0 and at most 4294967295"),
        ({"split_seed": [0]}, r"split_seed is \[0\]; it must be"),
        ({"learning_rate": 0}, "learning_rate is 0; it must be a finite number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be"),
        ({"learning_rate": "1e-3"}, "learning_rate is '1e-3'; it must be"),
        ({"augment": "false"}, "augment is 'false'; it must be True or False"),
        ({"train_fraction": 2}, "train_fraction is 2; it must be a number above 0 and at most 1"),
        ({"axcodes": "RAX"}, "axcodes is 'RAX'; it must be three letters"),
        ({"measures": ["sensitivity"]}, r"measures is \['sensitivity'\]; it must be a dictionary"),
        ({"measures": {"a": {"decimals": 2}}}, "measure a is .*; it must have a title"),
        ({"measures": {"a": {"title": "A", "decimals": "2"}}}, "measure a has decimals '2'; it must be int"),
        ({"measures": {"a": {"title": "A", "decimals": -1}}}, "measure a has decimals -1; it must be 0 to 15"),
        ({"measures": {"a": {"title": " "}}}, "measure a has title ' '; it must be a word"),
        ({"measures": {"a": {"title": "A", "factor": 0}}}, "measure a has factor 0; it must be finite and above 0"),
        ({"device": "gpu"}, r"device is 'gpu'; it must name a device of PyTorch, as cpu or cuda:0"),
        ({"device": 1}, r"device is 1; it must name a device of PyTorch"),
        ({"class_names": "liver"}, "class_names is 'liver'; it must be a list of names that differ"),
        ({"class_names": ["a", " "]}, "it must be a list of names that differ"),
        ({"class_names": ["a", "b", "b"]}, "it must be a list of names that differ"),
        (
            {"class_names": ["femur", "tibia", "Background"]},
            "Background; the background must be the first, because its",
        ),
        ({"class_names": ["a", 1]}, "it must be a list of names that differ"),
        ({"split": "nowhere.json"}, "split nowhere.json cannot be read: No such file or directory"),
        ({"ignore_index": 1, "num_classes": 2}, "ignore_index is 1; with 2 classes it must be a whole number from 2"),
        ({"class_names": ["a", "b"], "num_classes": 3}, r"\['a', 'b'\] and num_classes is 3; there must be a name for"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_settings(settings)


def test_other_channels_than_the_images_have_are_refused() -> None:
    made_for = {"_target_": "calib_monai.made_for.MadeFor", "channels": ["T1", "T2"]}
    with pytest.raises(ValueError, match=r"^in_channels is 3, and the images of this bundle have 2: T1, T2; leave out"):
        check_settings({"made_for": made_for, "in_channels": 3})
    check_settings({"made_for": made_for, "in_channels": 2})
    check_settings({"made_for": made_for | {"channels": "@channels"}, "in_channels": 3})


def test_a_list_of_cases_is_given_as_the_data_of_a_data_set() -> None:
    parts = {"cases": {"_target_": "Cases"}, "dataset": {"_target_": "Dataset", "data": "@cases"}}
    check_option("dataset#data", ["a.nii"], ConfigParser(parts))
    check_option("train::dataset::data", ["a.nii"], ConfigParser({"train": parts}))
    with pytest.raises(ValueError, match=r"^--cases \['a.nii'\]: a list of cases is given as dataset#data; in a"):
        check_option("cases", ["a.nii"], ConfigParser(parts))


def test_settings_that_can_be_pass() -> None:
    check_settings({"epochs": 1, "learning_rate": 1, "seed": 0, "augment": True, "device": "$torch.device('cpu')"})
    check_settings({"device": "cpu"})
    check_settings({"device": {"_target_": "calib_monai.processes.own_device"}})
    check_settings({"class_names": ["a", "b"], "num_classes": 2, "epochs": "$2 + 3", "device": "@other"})
    check_settings({"split": "", "ignore_index": 2, "num_classes": 2})
    check_settings({"split": "$@dataset_dir + '/split.json'", "ignore_index": "$None", "num_classes": 2})
    check_settings({"class_names": "$calib_monai.names", "num_classes": 2})


@pytest.mark.parametrize("text", ["part #1", "part ::1"])
def test_a_text_that_monai_would_change_is_refused(text: str) -> None:
    """MONAI makes '::' of every '#', also in the name of a class, which results would then show."""
    said = "MONAI makes '::' of '#' in a configuration, so no text in one may hold either$"
    given: dict[str, Any] = {"class_names": ["background", text], "run": ["@class_names", "@measures", "@fit"]}
    with pytest.raises(ValueError, match=rf"^class_names#1 is '{text}', .*{said}"):
        check_settings(given)
    with pytest.raises(ValueError, match=rf"^measures#a#title is '{text}', .*{said}"):
        check_settings({"measures": {"a": {"title": text}}, "run": "@measures"})
    with pytest.raises(ValueError, match=rf"^data#0#image is '/a/{text}.nii', .*{said}"):
        check_settings({"data": [{"image": f"/a/{text}.nii"}], "run": ["@data"]})


def test_references_notes_and_paths_may_hold_what_monai_reads() -> None:
    fit = {"_desc_": "the #1 of all", "_target_": "Fit", "region": "@fitting#ts#region", "call": "$@a::b + '#'"}
    check_settings({"fit": fit, "copy": "%fitting::ts", "run": ["@fit", "@copy"], "note": "see #1"})
    check_settings({"dataset_dir": "a#1", "run": "@dataset_dir"})  # which has a line of its own


def test_a_device_that_is_not_here_is_refused() -> None:
    check_device(ConfigParser({"device": "$torch.device('cpu')"}))
    with pytest.raises(ValueError, match=r"^device is cuda:99, which PyTorch cannot use here \(.+\): leave"):
        check_device(ConfigParser({"device": "$torch.device('cuda:99')"}))


def test_a_key_that_nothing_refers_to_is_refused_where_it_is_nearly_another() -> None:
    used = {"epochs": 100, "train": {"max_epochs": "@epochs"}, "run": ["@train"]}
    assert unused_keys(used) == []
    assert unused_keys(used | {"remark": "mine", "_desc_": "words"}) == ["remark"]
    with pytest.raises(ValueError, match="nothing refers to 'epoch' in the configuration; did you mean 'epochs'"):
        unused_keys(used | {"epoch": 5})


RUN: dict[str, Any] = {
    "lr_scheduler": {"_target_": "StepLR", "optimizer": "@optimizer"},
    "optimizer": "$print(@train#rate)",
    "train": {"rate": 1, "again": "@#rate", "handlers": [{"lr_scheduler": "@lr_scheduler", "rate": "@###rate"}]},
    "run": ["$@train#handlers", "@train#again"],
    "never": "@nothing",
}


def test_a_reference_to_a_missing_key_is_refused_where_a_run_comes_to_it() -> None:
    check_references(ConfigParser(RUN))
    gone = {key: value for key, value in RUN.items() if key != "lr_scheduler"}
    with pytest.raises(ValueError, match=r"^train#handlers#0#lr_scheduler refers to 'lr_scheduler', which is not in"):
        check_references(ConfigParser(gone))
    with pytest.raises(ValueError, match=r"^run#0 refers to 'optimiser', .*; did you mean optimizer\?"):
        check_references(ConfigParser(RUN | {"run": ["$@optimiser"]}))


@pytest.mark.parametrize("keys", [["image"], "image", ["label", "weight"]])
def test_keys_hold_the_image_and_the_label(keys: Any) -> None:
    check_settings({"keys": ["image", "label", "weight"]})
    with pytest.raises(ValueError, match=r"^keys is .*; it must be a list that has image and label"):
        check_settings({"keys": keys})


@pytest.mark.parametrize("device", ["meta", "vulkan"])
def test_a_device_that_cannot_compute_is_refused_in_one_sentence(device: str) -> None:
    with pytest.raises(
        ValueError, match=f"^device is {device}, which PyTorch cannot use here \\([^.]*(?:[.]\\S[^.]*)*\\)"
    ):
        check_device(ConfigParser({"device": device}))
