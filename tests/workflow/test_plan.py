"""The plan of a benchmark: experiments become trainings, evaluations and their options."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from committed import COLLECTION, REPOSITORY, config_of
from plan import OF_VOLUMES, Plan
from plan_checks import NETWORKS
from plans import plans_of

from calib_monai import networks
from calib_monai.targets import located

WORKFLOW = REPOSITORY / "workflow"
CONFIG = yaml.safe_load((WORKFLOW / "config.yaml").read_text(encoding="utf-8"))
EXPERIMENTS = yaml.safe_load((WORKFLOW / "experiments.yaml").read_text(encoding="utf-8"))


def planned(**config: Any) -> Plan:
    return Plan(CONFIG | {"dataset_dir": str(REPOSITORY)} | config, EXPERIMENTS)


def options_of(listed: list[str]) -> dict[str, str]:
    """Options on a command line by their names."""
    return dict(zip(listed[::2], listed[1::2], strict=True))


def test_the_main_experiment_is_every_method_with_every_seed() -> None:
    trainings = planned().trainings("main")
    assert len(trainings) == len(CONFIG["methods"]) * len(CONFIG["seeds"])
    assert len({training.folder for training in trainings}) == len(trainings)
    assert trainings[0].folder == "unet/ce/seed0_fold0"


def test_a_training_that_several_experiments_share_is_one() -> None:
    plan = planned(experiments=["main", "nacl_priors"], seeds=["3"])  # as Snakemake's command line gives numbers
    shared = {training.folder for training in plan.trainings("main")}
    priors = {training.folder for training in plan.trainings("nacl_priors")}
    assert shared & priors == {"unet/nacl/seed3_fold0"}
    assert "unet/nacl-gaussian/seed3_fold0" in priors


def test_options_of_a_method_win_over_those_of_all_and_those_of_a_variant_over_both() -> None:
    plan = planned(
        experiments=["train_fractions"],
        options={"batch_size": 8, "learning_rate": 0.1, "train_fraction": 1.0},
        method_options={"bwcr": {"learning_rate": 0.001}},
    )
    options = options_of(plan.training_options("unet/bwcr-train_0.25/seed1_fold0"))
    wanted = {"--batch_size": "8", "--learning_rate": "0.001", "--train_fraction": "0.25", "--seed": "1"}
    assert wanted.items() <= options.items()
    assert options["--network_def#_target_"] == "calib_monai.networks.unet"
    assert plan.bundle("unet/bwcr-train_0.25/seed1_fold0") == "hippocampus_bwcr"


def test_the_settings_of_a_paper_win_over_the_bundles_and_lose_to_options() -> None:
    chosen = {"dataset": "busi", "methods": ["ce", "mbls"], "settings": "papers", "networks": ["unet_papers"]}
    plan = planned(**chosen, options={"batch_size": 8})
    options = options_of(plan.training_options("unet_papers/mbls/seed0_fold0"))
    wanted = {"--batch_size": "8", "--learning_rate": "0.0001", "--loss#margin": "12.0"}
    assert wanted.items() <= options.items()
    assert options["--network_def#_target_"] == "calib_monai.networks.unet_papers"
    assert "--loss#margin" not in options_of(plan.training_options("unet_papers/ce/seed0_fold0"))
    assert "--learning_rate" not in planned(**chosen | {"settings": "collection"}).training_options(
        "unet_papers/mbls/seed0_fold0"
    )


def test_the_networks_of_a_plan_are_those_of_the_package() -> None:
    assert sorted(networks.FACTORIES) == NETWORKS
    assert sorted(networks.OF_VOLUMES) == OF_VOLUMES


def test_volumes_are_networks_of_their_own() -> None:
    plan = planned(dims=["2", "3"], methods=["nacl"], seeds=[0])
    folders = [training.folder for training in plan.trainings("main")]
    assert folders == ["unet/nacl/seed0_fold0", "unet_3d/nacl/seed0_fold0"]
    options = [options_of(plan.training_options(folder)) for folder in folders]
    assert {one["--network_def#_target_"] for one in options} == {"calib_monai.networks.unet"}
    assert [plan.volumes(folder) for folder in folders] == [[], ["--volumes"]]


def test_an_evaluation_with_a_calibrator_waits_for_it() -> None:
    folder, plan = "unet/ce/seed0_fold0", planned(experiments=["posthoc", "noise"])
    assert plan.calibrators(folder, "eval_lts") == ["lts"]
    options = options_of(plan.evaluation_options(folder, "eval_noise_0.02"))
    assert options["--shift"] == "noise_0.02"
    assert options["--output_dir"] == "benchmark/hippocampus/unet/ce/seed0_fold0/eval_noise_0.02"


def test_an_evaluation_without_a_calibrator_waits_for_all_that_write_its_promises() -> None:
    folder, plan = "unet/ce/seed0_fold0", planned(experiments=["posthoc", "control", "noise", "learning_rates"])
    assert plan.calibrators(folder, "eval") == plan.calibrators(folder, "eval_noise_0.02") == ["lts", "ts"]
    assert plan.calibrators(folder, "eval_control") == ["control"]
    assert plan.calibrators(folder, "eval_validation") == []
    assert plan.calibrators("unet/ce-rate_0.0001/seed0_fold0", "eval") == []
    assert planned(experiments=["main"]).calibrators(folder, "eval") == []


def test_what_averages_all_seeds_stands_beside_the_first_of_them() -> None:
    plan, first = planned(experiments=["posthoc", "recipe"], methods=["svls"], seeds=[3, 1]), "unet/svls/seed3_fold0"
    members = [f"benchmark/hippocampus/unet/svls/seed{seed}_fold0" for seed in (3, 1)]
    assert plan.members(first) == members
    options = options_of(plan.evaluation_options(first, "eval_ensemble_ts"))
    assert options["--ckpt_dirs"] == str([f"{member}/models" for member in members])
    assert options["--ckpt_dir"] == f"{members[0]}/models"
    fit = options_of(plan.calibration_options(first, "ts", ensemble=True))
    assert fit["--ckpt_dirs"] == options["--ckpt_dirs"]
    assert fit["--output_dir"] == f"{members[0]}/ensemble"
    assert plan.calibrators(first, "eval_ensemble") == ["ts"]  # LTS was fitted to one network
    assert plan.calibrators(first, "eval") == ["lts", "ts"]
    assert {Path(folder).parent.name for folder in plan.results("recipe")} == {"seed3_fold0"}
    assert {Path(folder).parent.name for folder in plan.validations("recipe")} == {"seed3_fold0", "seed1_fold0"}
    assert {Path(folder).parent.name for folder in plan.results("posthoc")} == {"seed3_fold0", "seed1_fold0"}


def test_an_experiment_chooses_among_the_methods_that_are_asked_for() -> None:
    plan = planned(experiments=["recipe"], methods=["dice_ce", "nacl"], seeds=[0, 1])
    assert {training.method for training in plan.trainings("recipe")} == {"nacl"}
    told = "the experiment recipe chooses among ce, soft_dice, ace, svls, nacl: give one"
    with pytest.raises(ValueError, match=told):
        planned(experiments=["recipe"], methods=["dice_ce"], seeds=[0, 1])
    assert planned(experiments=["nacl_priors"], methods=["ce"]).trainings("nacl_priors")[0].method == "nacl"


def test_what_is_chosen_is_chosen_on_validation_cases_before_any_test() -> None:
    plan = planned(experiments=["main", "learning_rates"], methods=["nacl", "svls"], seeds=[0])
    folder = "unet/nacl-rate_0.0001/seed0_fold0"
    assert len(plan.validations("learning_rates")) == 6
    assert f"benchmark/hippocampus/{folder}/eval_validation" in plan.validations("learning_rates")
    assert options_of(plan.evaluation_options(folder, "eval_validation"))["--part"] == "validation"
    choice = "benchmark/hippocampus/tables/learning_rates/selected.json"
    assert plan.selections(folder) == plan.selections("unet/nacl/seed0_fold0") == [choice]
    assert options_of(plan.table_options("learning_rates"))["--selected"] == choice
    assert planned(experiments=["main"]).selections("unet/nacl/seed0_fold0") == []
    assert not any("validation" in folder for folder in plan.results("learning_rates"))


def test_trainings_are_evaluated_on_data_of_others_by_the_experiments_that_say_so(tmp_path: Path) -> None:
    elsewhere = {"vendor_a": {"test_dir": str(tmp_path), "calibrator": "ts"}}
    plan = planned(experiments=["main", "shift"], methods=["ce"], seeds=[0], elsewhere=elsewhere)
    folder = "unet/ce/seed0_fold0"
    assert f"benchmark/hippocampus/{folder}/eval_on_vendor_a" in plan.results("shift")
    assert not any("vendor_a" in result for result in plan.results("main"))
    options = options_of(plan.evaluation_options(folder, "eval_on_vendor_a"))
    assert options["--test_dir"] == str(tmp_path)
    assert plan.calibrators(folder, "eval_on_vendor_a") == ["ts"]


def test_data_of_others_with_one_name_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    folders = [tmp_path / hospital / "images" for hospital in "ab"]
    for folder in folders:
        folder.mkdir(parents=True)
    elsewhere = {f"vendor_{folder.parent.name}": {"test_dir": str(folder)} for folder in folders}
    with pytest.raises(ValueError, match=r"vendor_a and elsewhere#vendor_b are .*, both called images: rename one"):
        planned(experiments=["shift"], elsewhere=elsewhere)
    elsewhere["vendor_b"] = elsewhere["vendor_a"] | {"calibrator": "ts"}
    assert planned(experiments=["shift"], elsewhere=elsewhere).config["elsewhere"] == elsewhere


def test_methods_are_ranked_over_the_data_sets_of_across(tmp_path: Path) -> None:
    across = {"acdc": str(tmp_path), "flare": str(tmp_path)}
    plans = plans_of(CONFIG | {"across": across, "methods": ["ce"], "seeds": [0]}, EXPERIMENTS)
    assert list(plans) == ["phantoms", "acdc", "flare"]
    assert plans["acdc"].bundle("unet/ce/seed0_fold0") == "acdc_ce"
    assert plans["flare"].results("main") == ["benchmark/flare/unet/ce/seed0_fold0/eval"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"across": ["acdc"]}, r"across is \['acdc'\]; it must name further data sets and their folders"),
        ({"across": {"hippocampus": "."}, "dataset_dir": "."}, "across has hippocampus, which is dataset, too"),
        ({"across": {"acdc": "/nowhere"}}, "dataset_dir /nowhere is not a folder"),
        ({"across": {"acdc": "."}, "elsewhere": {"a": {"test_dir": "."}}}, "across and elsewhere are given"),
    ],
)
def test_data_sets_that_cannot_be_ranked_over_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plans_of(CONFIG | config, EXPERIMENTS)


def test_phantoms_are_no_data_set() -> None:
    real, phantoms = planned(), planned(dataset_dir="phantoms")
    assert (real.out, phantoms.out) == ("benchmark/hippocampus", "benchmark/phantoms")
    assert phantoms.dataset_dir == "benchmark/phantoms/phantoms"
    titles = [options_of(plan.table_options("main"))["--title"] for plan in (real, phantoms)]
    assert titles == ["All methods: hippocampus", "All methods: phantoms, not hippocampus"]
    assert planned(cases=["a", 7]).table_options("main")[-3:] == ["--cases", "a", "7"]
    of_volumes = options_of(planned(dims=[3]).table_options("main"))["--title"]
    assert of_volumes == "All methods: hippocampus as volumes"


def test_what_a_training_saw_is_what_it_is_evaluated_on() -> None:
    plan = planned(options={"slice_size": [32, 32]}, folds=[1])
    for listed in (
        plan.training_options("unet/ce/seed0_fold1"),
        plan.evaluation_options("unet/ce/seed0_fold1", "eval"),
        plan.calibration_options("unet/ce/seed0_fold1", "ts"),
    ):
        assert {"--slice_size": "[32, 32]", "--fold": "1", "--split_seed": "0"}.items() <= options_of(listed).items()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_option_of_an_experiment_is_in_the_bundles(experiment: str) -> None:
    plan = planned(experiments=[experiment], method_options={}, options={})
    for training in plan.trainings(experiment):
        config = config_of(f"hippocampus_{training.method}", "train")
        for name in training.options:
            part: Any = config
            for key in name.split("#"):
                if key not in part:  # then an argument that keeps its default in the bundle
                    assert key in signature(located(part["_target_"])).parameters, f"{training.method} has no {name}"
                    break
                part = part[key]
        assert training.network in networks.FACTORIES
    evaluate = config_of(COLLECTION / "hippocampus_ce", "evaluate")
    for options in plan.evaluations(experiment).values():
        assert {name.partition("#")[0] for name in options} <= {name.lstrip("+") for name in evaluate}
    assert plan.results(experiment)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"methods": ["ce", "nalc"]}, "methods has 'nalc'; it must be a list of .*nacl"),
        ({"methods": "ce"}, r"methods is 'ce'; it must be a list, such as 'methods=\[ace\]'"),
        ({"methods": []}, r"methods is \[\]; it must be a list"),
        ({"settings": "paper"}, "settings has 'paper'; it must be a list of collection, papers; did you mean papers?"),
        ({"settings": "papers", "methods": ["ce", "ace"]}, "settings is papers, and we know of none for ace on hippo"),
        ({"settings": "papers", "methods": ["ce"], "dims": [3]}, "settings is papers, and dims has 3"),
        ({"method": ["ce"]}, "config.yaml has no method; did you mean methods?"),
        ({"seed": 0}, "config.yaml has no seed; did you mean seeds?"),
        ({"dims": [4]}, "dims has 4; it must be a list of 2, 3"),
        ({"dims": [3], "dataset": "busi"}, "dims has 3, and busi has no volumes"),
        ({"dims": [2, 3], "networks": ["unetpp"]}, "dims has 3, and unetpp, of the experiment main, is for slices"),
        ({"cases": "a"}, r"cases is 'a'; it must be a list, such as 'cases=\[hippocampus_001\]'"),
        ({"dataset_dir": "/nowhere"}, "dataset_dir /nowhere is not a folder"),
        ({"options": 5}, "options is 5; write it such as 'options={batch_size: 8}'"),
        ({"epochs": "one"}, "a value of epochs is 'one'; it must be a whole number, at least 1"),
        ({"epochs": 0}, "a value of epochs is 0; it must be a whole number, at least 1"),
        ({"num_phantoms": "many"}, "a value of num_phantoms is 'many'"),
        ({"seeds": [0, "0"]}, r"seeds is \[0, '0'\]; each must be there once"),
        ({"seeds": [2], "experiments": ["recipe"]}, r"seeds is \[2\], and the experiment recipe averages seeds: give"),
        ({"seeds": 0}, r"seeds is 0; it must be a list of whole numbers, such as 'seeds=\[0\]'"),
        ({"networks": ["resnet"]}, "networks has 'resnet'"),
        ({"dataset": "kidneys"}, "dataset has 'kidneys'"),
        (
            {"dataset": "acdc", "dataset_dir": "phantoms"},
            "there are no phantoms of acdc: set dataset_dir to its folder",
        ),
        ({"experiments": ["prior"]}, "experiments has 'prior'; it must be a list of main"),
        ({"seeds": []}, r"seeds is \[\]; it must be a list of whole numbers"),
        ({"folds": ["one"]}, "a value of folds is 'one'; it must be a whole number, at least 0"),
        ({"method_options": {"nalc": {}}}, "method_options has 'nalc'"),
        ({"elsewhere": ["a"]}, r"elsewhere is \['a'\]; write it such as 'elsewhere={vendor_a:"),
        (
            {"elsewhere": {"Vendor A": {"test_dir": "."}}},
            "elsewhere has 'Vendor A'; it names a folder, and must be of a-z",
        ),
        ({"elsewhere": {"a": {"test_dir": "/nowhere"}}}, "elsewhere#a#test_dir is '/nowhere'; it must be a folder"),
        ({"elsewhere": {"a": {"test_dir": "."}}}, "elsewhere is given, and the experiments main measure nothing on it"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_with_the_value(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        planned(**config)


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        ({"title": "All", "varients": {}}, "main has 'varients'"),
        ({"variants": {}}, "main must have a title"),
        ({"title": "All", "methods": ["nalc"]}, "main#methods has 'nalc'"),
        ({"title": "All", "axis": {"title": "noise"}}, "main#axis must have title and plain"),
        (
            {"title": "All", "evaluations": {"mean": {"ckpt_dirs": "seed"}}},
            "main#evaluations#mean#ckpt_dirs is 'seed'; it must be seeds, all of which are averaged",
        ),
        ({"title": "All", "elsewhere": "a"}, "main#elsewhere is 'a'; it must be True or False"),
        (
            {"title": "All", "variants": {"nacl": {"max": {"loss#kernel_size": 5}}}},
            "main and nacl_priors have a nacl max with other options: rename one",
        ),
    ],
)
def test_an_experiment_that_cannot_be_is_refused(experiment: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"experiments.yaml: {message}"):
        Plan(CONFIG | {"experiments": ["main", "nacl_priors"]}, EXPERIMENTS | {"main": experiment})


def test_every_data_set_can_be_planned() -> None:
    for dataset in sorted({path.name.partition("_")[0] for path in Path(COLLECTION).glob("*_ce")} - {"msd", "nci"}):
        assert planned(dataset=dataset).results("main")
