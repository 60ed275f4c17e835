"""Overrides: unknown keys are refused, known ones pass."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from calib_monai.overrides import check_overrides

CONFIGS = Path(__file__).parents[1] / "bundles" / "hippocampus_nacl" / "configs"
TRAIN, EVALUATE, INFERENCE = (str(CONFIGS / f"{name}.json") for name in ("train", "evaluate", "inference"))


def check(*arguments: str, config_file: str = TRAIN) -> None:
    check_overrides([".../monai/bundle/__main__.py", "run", "--config_file", config_file, *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--epochs", "2"),
        ("--epochs=2", "--dataset-dir", "DATA"),
        ("--train#trainer#max_epochs", "1"),
        ("--train::trainer::max_epochs", "1"),
        ("--loss#penalty_weight", "0.2"),
        ("--loss#sigma", "1.0"),
        ("--network_def#_target_", "calib_monai.networks.dynunet"),
        ("--network_def#dropout", "0.1"),
        ("--network_def#filters", "[8, 16, 32]", "--network_def#_target_", "calib_monai.networks.dynunet"),
        ("--network_def", "{'_target_': 'BasicUNet'}", "--network_def#features", "[8, 8, 8, 8, 8, 8]"),
        ("--train#handlers#3#print_lr", "True"),
        ("--noamp",),
        ("--run_id", "run", "--bundle_root", "."),
        ("--slice_size", "[64, 64]"),
    ],
)
def test_options_that_the_configuration_has_pass(arguments: tuple[str, ...]) -> None:
    check(*arguments)


def test_a_metric_is_added_by_an_option_of_a_new_name() -> None:
    metrics = "--validate#additional_metrics#calibration#metrics"
    band = "{'_target_': 'calib_monai.metrics.ECEMetric', 'region': 'band'}"
    files = f"['{TRAIN}','{EVALUATE}']"
    check(f"{metrics}#ece_band", band, config_file=files)
    check(f"{metrics}#ece_band", "{}", config_file=files)
    check(f"{metrics}#ece_foreground#num_bins", "10", config_file=files)
    check(f"{metrics}#nll_all#_disabled_", "True", config_file=files)
    with pytest.raises(ValueError, match="there is no 'ece_band'"):
        check(f"{metrics}#ece_band", "3", config_file=files)
    with pytest.raises(ValueError, match="did you mean --loss"):
        check("--los", band)
    with pytest.raises(ValueError, match="ECEMetrics"):
        check(f"{metrics}#ece_band", band.replace("Metric", "Metrics"), config_file=files)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--epoch", "--epochs?"),
        ("--learning_rat=1", "--learning_rate?"),
        ("--trian#trainer#max_epochs", "--train#trainer#max_epochs?"),
        ("--train.trainer.max_epochs", "--train#trainer#max_epochs?"),
        ("-epoch", "--epochs?"),
        ("--train#trainer#max_epoch", "--train#trainer#max_epochs?"),
        ("--loss#penalty_wieght", "--loss#penalty_weight?"),
        ("--network_def#channel", "did you mean --network_def#channels?"),
        ("--network_def#drop", "did you mean --network_def#dropout?"),
        ("--network_def#filters", "there is no 'filters'"),
        ("--train#trainer#augmant", "--train#trainer#augment?"),
        ("--train#traner#max_epochs", "--train#trainer#max_epochs?"),
        ("--train#handlers#9", "not one of 9 items"),
        ("--zzz", "there is no 'zzz'"),
        ("--penalty_weight", "did you mean --loss#penalty_weight?"),
        ("--penalty_wieght", "did you mean --loss#penalty_weight?"),
        ("--channels", "did you mean --network_def#channels?"),
        ("--gamma", "did you mean --lr_scheduler#gamma?"),
    ],
)
def test_an_option_that_it_has_not_is_refused_with_the_nearest(option: str, said: str) -> None:
    name = option.strip("-").split("=", maxsplit=1)[0]
    with pytest.raises(ValueError, match=f"^unknown option --{re.escape(name)}.*{re.escape(said)}"):
        check(option, "1")


def test_what_a_whole_component_would_replace_is_refused_before_it() -> None:
    network = "{'_target_': 'BasicUNet'}"
    with pytest.raises(ValueError, match=r"^--network_def replaces what --network_def#dropout changes: give .* first$"):
        check("--network_def#dropout", "0.1", "--network_def", network)


def test_options_belong_to_the_network_that_is_chosen() -> None:
    with pytest.raises(ValueError, match="unknown option --network_def#channels: there is no 'channels'"):
        check("--network_def#channels", "[8, 16]", "--network_def#_target_", "calib_monai.networks.dynunet")


def test_text_in_place_of_a_component_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^--loss focal: it must be a component, as {'_target_': "):
        check("--loss", "focal")
    with pytest.raises(ValueError, match=r"^--epochs @epoch: there is no 'epoch' in the configuration$"):
        check("--epochs", "@epoch")


@pytest.mark.parametrize("value", ["false", "true", "no"])
def test_a_word_in_place_of_a_truth_value_is_refused(value: str) -> None:
    # Python takes all of them for true.
    with pytest.raises(ValueError, match=f"^--augment {value}: it must be True or False$"):
        check("--augment", value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{'_target_': 'FocalLoss', 'use_softmax': true}", "--loss .*: use_softmax is the text true; write True"),
        ("{'_target_': 'X', 'a': {'b': [1, null]}}", "--loss .*: a#b#1 is the text null; write None"),
    ],
)
def test_words_of_json_are_refused_in_a_value(value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check("--loss", value)


@pytest.mark.parametrize("value", ["0,001", "1e-3x", "[0.1]", "small"])
def test_what_is_no_number_is_refused_in_place_of_one(value: str) -> None:
    for fine in ("1e-3", "1", "$0.1 * @epochs", "@seed"):
        check("--learning_rate", fine)
    with pytest.raises(ValueError, match=r"--learning_rate .*: it must be a number"):
        check("--learning_rate", value)


def test_a_bundle_is_not_given_the_name_of_another() -> None:
    check("--method", "mine")
    check("--method", "nacl", "--dataset", "hippocampus")
    for option, value, other in (("--method", "dice_ce", "hippocampus_dice_ce"), ("--dataset", "acdc", "acdc_nacl")):
        with pytest.raises(ValueError, match=f"{option} {value} would only name .*nacl: run {other}"):
            check(option, value)


def test_a_bundle_may_lie_at_the_root_of_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "resolve", lambda _: Path("/configs/train.json"))
    check("--method", "mine")


def test_a_word_of_json_is_refused_in_place_of_a_number() -> None:
    check("--method", "null")
    with pytest.raises(ValueError, match="--learning_rate null: it is the text null; write None"):
        check("--learning_rate", "null")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("loss", "$torch.nn.CrossEntropyLoss()"),
        ("loss", "{_target_: FocalLoss, use_softmax: True}"),  # which Fire reads, and Python does not
        ("network_def", "{'_target_': 'BasicUNet'}"),
        ("output_dir", "@runs/a"),
        ("seed", "@split_seed"),
        ("augment", "True"),
        ("resume", "$@epochs > 1"),
    ],
)
def test_what_can_take_the_place_of_a_value_passes(key: str, value: str) -> None:
    check(f"--{key}", value)


def test_an_option_of_the_training_is_passed_over_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    check("--epochs", "2", config_file=INFERENCE)
    assert "--epochs is an option of train.json" in caplog.text
    with pytest.raises(ValueError, match="unknown option --epoch"):
        check("--epoch", "2", config_file=INFERENCE)


def test_an_option_of_a_calibrator_that_is_not_fitted_is_refused() -> None:
    files = f"['{TRAIN}','{CONFIGS / 'calibrate.json'}']"
    check("--calibrator", "lts", "--fitting#lts#region", "plausible", config_file=files)
    check("--fitting#ts#region", "plausible", config_file=files)
    said = r"^--fitting#lts#region changes how lts is fitted, and calibrator is ts: give --calibrator lts, or leave out"
    with pytest.raises(ValueError, match=said):
        check("--fitting#lts#region", "plausible", config_file=files)
    with pytest.raises(ValueError, match=r"^--fitting::ts changes how ts is fitted, and calibrator is lts"):
        check("--calibrator", "lts", "--fitting::ts", "{'region': 'plausible'}", config_file=files)


def test_the_configuration_of_one_bundle_does_not_write_into_another() -> None:
    check("--bundle_root", str(CONFIGS.parent))
    with pytest.raises(ValueError, match=r"train\.json is of the bundle hippocampus_nacl and --bundle_root is"):
        check("--bundle_root", str(CONFIGS.parents[1] / "hippocampus_ce"))


def test_a_folder_named_by_a_number_is_refused() -> None:
    # Fire would hand the integer 202401 on.
    with pytest.raises(ValueError, match=r"^--output_dir run #1 holds '#'"):
        check("--output_dir", "run #1")
    with pytest.raises(ValueError, match=r"--dataset_dir 202401 is read as a number: write \./202401"):
        check("--dataset_dir", "202401")


def test_a_file_of_arguments_is_read(tmp_path: Path) -> None:
    arguments = tmp_path / "args.json"
    arguments.write_text(json.dumps({"config_file": TRAIN, "epoch": 1}))
    with pytest.raises(ValueError, match=r"did you mean --epochs\?"):
        check_overrides([".../monai/bundle/__main__.py", "run", "--args_file", str(arguments)])


def test_other_programs_are_left_alone() -> None:
    check_overrides(["pytest", "--epoch", "1"])
    check_overrides([".../monai/bundle/__main__.py", "verify_metadata", "--epoch", "1"])


def test_help_lists_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        check("--help")
    listed = capsys.readouterr().out.splitlines()
    assert "  --epochs 100" in listed
    assert not any(line.startswith(("  --run ", "  --network ")) for line in listed)
