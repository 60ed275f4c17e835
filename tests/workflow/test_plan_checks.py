"""Plan checks: what a plan sets itself is not given, and the mean of all seeds is measured where seeds are averaged."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from committed import REPOSITORY
from plan import Plan
from plans import plans_of

WORKFLOW = REPOSITORY / "workflow"
CONFIG = yaml.safe_load((WORKFLOW / "config.yaml").read_text(encoding="utf-8"))
EXPERIMENTS = yaml.safe_load((WORKFLOW / "experiments.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"options": {"seed": 5}}, r"options has seed, which would be that of every training: give 'seeds=\[0, 1\]'"),
        ({"method_options": {"ce": {"fold": 1}}}, r"method_options#ce has fold, .*: give 'folds=\[0, 1\]' instead"),
        ({"options": {"ckpt_dir": "x"}}, "options has ckpt_dir, .*: give out instead"),
        ({"options": {"epochs": 5}}, "options has epochs, .*: give epochs instead"),
        ({"options": {"network_def": {}}}, r"options has network_def, .*: give 'networks=\[unet\]' instead"),
        (
            {"method_options": {"ce": {"network_def#_target_": "calib_monai.networks.unetpp"}}},
            r"method_options#ce has network_def#_target_, .*: give 'networks=\[unet\]' instead",
        ),
        (
            {"elsewhere": {"a": {"test_dir": str(REPOSITORY), "ckpt_dir": "models"}}, "experiments": ["shift"]},
            "elsewhere#a has ckpt_dir, which the plan sets itself: give out instead",
        ),
    ],
)
def test_options_that_the_plan_sets_itself_are_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Plan(CONFIG | {"dataset_dir": str(REPOSITORY)} | config, EXPERIMENTS)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"variants": {"each": {"other": {"seed": 5}}}},
            r"one#variants#each#other has seed, .*: give 'seeds=\[0, 1\]'",
        ),
        ({"variants": {"ce": {"x": {"output_dir": "y"}}}}, "one#variants#ce#x has output_dir, .*: give out instead"),
        ({"evaluations": {"late": {"fold": 1}}}, r"one#evaluations#late has fold, .*: give 'folds=\[0, 1\]' instead"),
        ({"evaluations": {"late": {"epochs": 1}}}, "one#evaluations#late has epochs, .*: give epochs instead"),
    ],
)
def test_experiments_with_options_that_the_plan_sets_itself_are_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"experiments.yaml: {said}"):
        Plan(CONFIG | {"experiments": ["one"]}, {"one": {"title": "One", **asked}})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"methods": ["ce", "nacl", "ce"]}, r"methods is \['ce', 'nacl', 'ce'\]; each must be there once"),
        ({"networks": ["unet", "unet"]}, r"networks is \['unet', 'unet'\]; each must be there once"),
        ({"experiments": ["main", "main"]}, r"experiments is \['main', 'main'\]; each must be there once"),
        ({"across": {"hippocampus": str(REPOSITORY)}}, "across has hippocampus, which is dataset, too"),
    ],
)
def test_what_is_there_twice_is_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plans_of(CONFIG | config, EXPERIMENTS)


def test_evaluations_that_would_share_a_folder_are_refused() -> None:
    asked = {"title": "One", "elsewhere": True, "evaluations": {"on_a": {"shift": "blur_1"}}}
    elsewhere = {"a": {"test_dir": str(REPOSITORY)}}
    config = CONFIG | {"experiments": ["one"], "dataset_dir": str(REPOSITORY)}
    with pytest.raises(ValueError, match="elsewhere has a, and one an evaluation on_a: rename one"):
        Plan(config | {"elsewhere": elsewhere}, {"one": asked})
    assert Plan(config, {"one": asked}).evaluations("one").keys() == {"eval", "eval_on_a"}
    with pytest.raises(ValueError, match=r"experiments.yaml: one#evaluations has validation, by which one is chosen"):
        Plan(config, {"one": {"title": "One", "evaluations": {"validation": {"shift": "blur_1"}}}})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (None, "one is None"),
        (["main"], r"one is \['main'\]"),
        ({"variants": None}, "one#variants is None"),
        ({"variants": {"ce": ["low"]}}, r"one#variants#ce is \['low'\]"),
        ({"variants": {"ce": {"low": None}}}, "one#variants#ce#low is None"),
        ({"evaluations": ["ts"]}, r"one#evaluations is \['ts'\]"),
        ({"evaluations": {"ts": None}}, "one#evaluations#ts is None"),
        ({"axis": None}, "one#axis is None"),
    ],
)
def test_what_is_not_given_by_name_is_refused(asked: Any, said: str) -> None:
    experiment = {"title": "One", **asked} if isinstance(asked, dict) else asked
    with pytest.raises(ValueError, match=rf"experiments.yaml: {said}; it must be names with values"):
        Plan(CONFIG | {"experiments": ["one"]}, {"one": experiment})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"method_options": {"ce": 3}}, "method_options#ce is 3; it must be names with values"),
        ({"dataset_dir": 5}, "dataset_dir is 5; it must be the path of a folder"),
        ({"out": ""}, "out is ''; it must be the path of a folder"),
    ],
)
def test_values_of_other_types_are_refused(config: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plans_of(CONFIG | config, EXPERIMENTS)


def test_epochs_may_be_an_option_of_a_variant() -> None:
    experiments = {"one": {"title": "One", "variants": {"ce": {"long": {"epochs": 500}}}}}
    plan = Plan(CONFIG | {"experiments": ["one"], "methods": ["ce"]}, experiments)
    options = plan.training_options("unet/ce-long/seed0_fold0")
    assert options[options.index("--epochs") + 1] == "500"


@pytest.mark.parametrize(
    ("first", "other", "told"),
    [
        ({"each": {"low": {"learning_rate": 0.1}}}, {"ce": {"low": {"learning_rate": 0.2}}}, "unet/ce-low"),
        ({}, {"ce": {"": {"learning_rate": 0.2}}}, "unet/ce/"),
    ],
)
def test_trainings_with_other_options_share_no_folder(first: dict[str, Any], other: dict[str, Any], told: str) -> None:
    experiments = {"one": {"title": "One", "variants": first}, "two": {"title": "Two", "variants": other}}
    config = CONFIG | {"methods": ["nacl", "ce"], "experiments": ["one", "two"]}
    with pytest.raises(ValueError, match=rf"experiments.yaml: .* has {told}.* with .*, and two with .*0.2}}: rename"):
        Plan(config, experiments)
    own = {"each": {"low": {"learning_rate": 0.1}}, "ce": {"low": {"learning_rate": 0.2}}}
    of_one = Plan(config, {**experiments, "one": {"title": "One", "variants": own}} | {"two": {"title": "Two"}})
    [training] = [one for one in of_one.trainings("one") if one.folder == "unet/ce-low/seed0_fold0"]
    assert training.options == {"learning_rate": 0.2}  # a method's own win over those of each


@pytest.mark.parametrize(
    ("experiments", "seeds", "said"),
    [
        (["posthoc"], "seeds", "elsewhere#b#ckpt_dirs is seeds, and posthoc average none: take recipe, too"),
        (["recipe"], "all", "elsewhere#b#ckpt_dirs is 'all'; it must be seeds, all of which are averaged"),
    ],
)
def test_a_mean_of_seeds_that_no_experiment_takes_is_refused(experiments: list[str], seeds: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        averaged_elsewhere(experiments, seeds)


def test_the_mean_of_seeds_is_measured_on_data_of_others_where_seeds_are_averaged() -> None:
    plan = averaged_elsewhere(["posthoc", "recipe"], "seeds")
    of = {name: [folder for folder in plan.results(name) if "_on_" in folder] for name in plan.experiments}
    places = [f"benchmark/hippocampus/unet/ce/seed{seed}_fold0/eval_on_" for seed in (0, 1)]
    assert of == {"posthoc": [f"{place}a" for place in places], "recipe": [f"{places[0]}a", f"{places[0]}b"]}
    folder = "unet/ce/seed0_fold0"
    assert [plan.is_of_ensemble(f"eval_on_{name}") for name in "ab"] == [False, True]
    options = plan.evaluation_options(folder, "eval_on_b")
    members = options[options.index("--ckpt_dirs") + 1]
    assert all(f"ce/seed{seed}_fold0/models" in members for seed in (0, 1))


def averaged_elsewhere(experiments: list[str], seeds: str) -> Plan:
    """Two seeds of a method, alone and averaged on data of others."""
    here = str(REPOSITORY)
    elsewhere = {"a": {"test_dir": here}, "b": {"test_dir": here, "ckpt_dirs": seeds}}
    config = {"experiments": experiments, "methods": ["ce"], "seeds": [0, 1], "elsewhere": elsewhere}
    return Plan(CONFIG | {"dataset_dir": here} | config, EXPERIMENTS)
