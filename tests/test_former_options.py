"""Former options: the form that an earlier version had is refused with what to write now."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from calib_monai.former_options import check_former
from calib_monai.overrides import check_overrides

TRAIN = Path(__file__).parents[1] / "bundles" / "hippocampus_nacl" / "configs" / "train.json"
PROGRAM = [".../monai/bundle/__main__.py", "run"]
DYNUNET = "--network_def#_target_ calib_monai.networks.dynunet"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("network_def", "@networks::dynunet", f": there is no key networks; write {DYNUNET}"),
        ("network_def", "%networks::dynunet", f": there is no key networks; write {DYNUNET}"),
        ("network_def", "@networks#dynunet", f": there is no key networks; write {DYNUNET}"),
        ("network_def", "networks::dynunet", f": there is no key networks; write {DYNUNET}"),
        ("network_def", "dynunet", f": write {DYNUNET}"),
        ("network_def", "@dynunet", f": write {DYNUNET}"),
        ("network_def", "calib_monai.networks.dynunet", f": write {DYNUNET}"),
        (
            "network_def",
            "@networks::transunt",
            "transunet, unet, unet_papers, unetpp, unetpp_papers; did you mean transunet?",
        ),
        ("network_def#_target_", "dynunet", "the whole name; did you mean calib_monai.networks.dynunet?"),
        ("network_def::_target_", "attention_unt", "did you mean calib_monai.networks.attention_unet?"),
        (
            "networks",
            {"mine": {"_target_": "UNet"}},
            ": there is no key networks; write the component as --network_def VALUE",
        ),
    ],
)
def test_a_network_chosen_as_before_is_refused_in_one_line(name: str, value: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^--{re.escape(f'{name} {value}')}.*{re.escape(said)}$") as refused:
        check_overrides([*PROGRAM, "--config_file", str(TRAIN), f"--{name}", str(value)])
    assert "\n" not in str(refused.value)
    arguments = tmp_path / "args.json"
    arguments.write_text(json.dumps({"config_file": str(TRAIN), name: value}))
    with pytest.raises(ValueError, match=re.escape(str(refused.value))):
        check_overrides([*PROGRAM, "--args_file", str(arguments)])


def test_a_file_of_ones_own_that_chooses_as_before_is_named(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps({"network_def": "@networks::dynunet"}))
    with pytest.raises(
        ValueError, match=re.escape(f"{mine} sets network_def: there is no key networks; write {DYNUNET}")
    ):
        check_overrides([*PROGRAM, "--config_file", str([str(TRAIN), str(mine)])])


def test_a_bundle_with_a_key_networks_takes_its_own_form() -> None:
    config = {"networks": {"mine": {"_target_": "UNet"}}, "network_def": "@networks::mine"}
    check_former("network_def", "@networks::mine", config, "said")


@pytest.mark.parametrize(
    "value", ["UNet", "torch.nn.Conv2d", "calib_monai.networks.unetpp", "$some.expression", "@mine"]
)
def test_what_is_no_former_form_passes(value: str) -> None:
    check_former("network_def#_target_", value, {}, "said")
    check_former("epochs", "dynunet", {}, "said")


@pytest.mark.parametrize(
    ("component", "said"),
    [
        (
            {"_target_": "calib_monai.handlers.MaxLogitHistogram", "writer": "@epochs"},
            "calib_monai.handlers.MaxLogitHistogram takes no 'writer', as former says",
        ),
        (
            {"_target_": "calib_monai.transforms.NameByCased"},
            "there is no calib_monai.transforms.NameByCased, the _target_ of former",
        ),
    ],
)
def test_a_bundle_that_an_earlier_version_composed_is_refused_in_one_line(
    component: dict[str, str], said: str, tmp_path: Path
) -> None:
    former = tmp_path / "train.json"
    catalogue = {"unet": {"_target_": "calib_monai.networks.unet", "in_channels": 1, "out_channels": 2}}
    own = {"epochs": 1, "networks": catalogue, "network_def": "@networks::unet", "run": ["@network_def", "@epochs"]}
    former.write_text(json.dumps(own))
    check_overrides([*PROGRAM, "--config_file", str(former), "--network_def", "@networks::unet"])
    former.write_text(json.dumps({**own, "former": component}))
    with pytest.raises(ValueError, match=f"^{re.escape(f'{former}: {said}')}.*compose it again") as refused:
        check_overrides([*PROGRAM, "--config_file", str(former), "--epochs", "2"])
    assert "\n" not in str(refused.value)


def test_a_bundle_without_a_catalogue_that_names_what_is_gone_is_refused_in_one_line(tmp_path: Path) -> None:
    former = tmp_path / "inference.json"
    former.write_text(json.dumps({"cases": {"_target_": "calib_monai.cases.checked_inputs"}, "run": ["@cases"]}))
    said = f"{former}: there is no calib_monai.cases.checked_inputs, the _target_ of cases"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}.*compose it again"):
        check_overrides([*PROGRAM, "--config_file", str(former)])


def test_an_option_of_a_metric_inside_of_its_handler_is_refused_with_its_new_name() -> None:
    handler = "validate#additional_metrics#missed_structures"
    files = str([str(TRAIN), str(TRAIN.with_name("evaluate.json"))])
    said = f"--{handler}#metric_fn#dice_below 0.2: there is no metric_fn; write --{handler}#dice_below VALUE"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        check_overrides([*PROGRAM, "--config_file", files, f"--{handler}#metric_fn#dice_below", "0.2"])
    check_overrides([*PROGRAM, "--config_file", files, f"--{handler}#dice_below", "0.2"])


def test_noise_is_a_shift_now() -> None:
    files = str([str(TRAIN), str(TRAIN.with_name("evaluate.json"))])
    with pytest.raises(ValueError, match=r"^--noise_std 0.05: there is no noise_std; write --shift noise_0.05$"):
        check_overrides([*PROGRAM, "--config_file", files, "--noise_std", "0.05"])
