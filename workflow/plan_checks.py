"""Checks of a benchmark's configuration and experiments: raise ValueError with what a value must be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]
from bundle_parts import names

from calib_monai.arguments import check_choice, check_switch, check_whole
from calib_monai.datalists.elsewhere import OtherData
from calib_monai.spelling import did_you_mean

if TYPE_CHECKING:
    from training import Training

KNOWN = yaml.safe_load((Path(__file__).parent / "config.yaml").read_text(encoding="utf-8")).keys()
EXAMPLES = {"options": "{batch_size: 8}", "method_options": "{bwcr: {learning_rate: 0.001}}"}
OF_THE_PLAN = {  # options that it gives to each training, and what sets them
    "seed": "'seeds=[0, 1]'",
    "fold": "'folds=[0, 1]'",
    "split_seed": "split_seed",
    "epochs": "epochs",
    "dataset_dir": "dataset_dir",
    "ckpt_dir": "out",
    "output_dir": "out",
    "network_def": "'networks=[unet]'",
    "network_def#_target_": "'networks=[unet]'",
}
OWN = "the plan sets itself"  # what variants, evaluations and data of others may not change
OURS, OF_PAPERS = "collection", "papers"  # whose settings trainings have
NETWORKS = ["attention_unet", "dynunet", "transunet", "unet", "unet_papers", "unetpp", "unetpp_papers"]  # known here
NAMES = {"methods": names("methods"), "networks": NETWORKS}
KEYS = {"title", "source", "methods", "networks", "variants", "evaluations", "axis", "select", "elsewhere"}
SEEDS = "seeds"  # in place of the folders of `ckpt_dirs`: those of all seeds
ONE, EACH = "one", "each"  # of all trainings, or for each method
AXIS = ("title", "plain")
ELSEWHERE = "'elsewhere={vendor_a: {test_dir: path/to/vendor_a.json}}'"


def check_config(config: Mapping[str, Any]) -> None:
    """Raise ValueError if a value of `config.yaml` cannot be, whatever the experiments and the data are."""
    for name in config.keys() - KNOWN:
        raise ValueError(f"config.yaml has no {name}{did_you_mean(name, KNOWN)}")
    check_among("dataset", [config["dataset"]], names("datasets"))
    for name, known in NAMES.items():
        check_among(name, config[name], known)
    for name, example in EXAMPLES.items():
        if not isinstance(config[name], dict):
            raise ValueError(f"{name} is {config[name]!r}; write it such as '{name}={example}'")  # noqa: TRY004 - as all refusals
    check_options("options", config["options"])
    for method, options in config["method_options"].items():
        check_by_name(f"method_options#{method}", options)
        check_options(f"method_options#{method}", options)
    if config["method_options"]:
        check_among("method_options", list(config["method_options"]), names("methods"))
    for name in ("dataset_dir", "out"):
        check_path(name, config[name])
    for name in ("epochs", "num_phantoms"):
        whole_numbers(name, [config[name]], least=1)
    if not isinstance(config["cases"], list):
        raise ValueError(f"cases is {config['cases']!r}; it must be a list, such as 'cases=[hippocampus_001]'")  # noqa: TRY004 - as all refusals
    check_among("settings", [config["settings"]], [OURS, OF_PAPERS])


def check_options(
    name: str, options: Mapping[str, Any], why: str = "would be that of every training", allowed: Sequence[str] = ()
) -> None:
    """Raise ValueError if options change what the plan sets itself: trainings would not be what their folders say.

    Args:
        name: of the options.
        options: of all trainings, of a variant or of an evaluation.
        why: they are refused.
        allowed: what they may change nevertheless.
    """
    for option, instead in OF_THE_PLAN.items():
        if option in options and option not in allowed:
            raise ValueError(f"{name} has {option}, which {why}: give {instead} instead")


def check_path(name: str, value: object) -> None:
    """Raise ValueError if a value cannot be the path of a folder."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}; it must be the path of a folder, as text")


def check_by_name(name: str, value: object) -> None:
    """Raise ValueError if a value does not give others by their names."""
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {value!r}; it must be names with values, such as {{name: value}}")  # noqa: TRY004 - as all refusals


def check_experiment(name: str, experiment: Mapping[str, Any]) -> None:
    """Raise ValueError if an experiment has an unknown key, lacks its title, or names an unknown thing."""
    check_by_name(f"experiments.yaml: {name}", experiment)
    check_among(f"experiments.yaml: {name}", list(experiment), sorted(KEYS))
    check_parts(name, experiment)
    if not isinstance(experiment.get("title"), str):
        raise ValueError(f"experiments.yaml: {name} must have a title")  # noqa: TRY004 - as all refusals
    for kind in ("methods", "networks"):
        if kind in experiment:
            check_among(f"experiments.yaml: {name}#{kind}", experiment[kind], NAMES[kind])
    if experiment.get("variants"):
        check_among(f"experiments.yaml: {name}#variants", list(experiment["variants"]), ["each", *names("methods")])
    check_choice(f"experiments.yaml: {name}#select", experiment.get("select", ONE), (ONE, EACH))
    for evaluation, options in experiment.get("evaluations", {}).items():
        if evaluation == "validation":
            raise ValueError(f"experiments.yaml: {name}#evaluations has validation, by which one is chosen: rename it")
        check_averaged(f"experiments.yaml: {name}#evaluations#{evaluation}", options)
        check_options(f"experiments.yaml: {name}#evaluations#{evaluation}", options, OWN)
    for method, variants in experiment.get("variants", {}).items():
        for variant, options in variants.items():
            check_options(f"experiments.yaml: {name}#variants#{method}#{variant}", options, OWN, ["epochs"])
    if set(experiment.get("axis", AXIS)) != set(AXIS):
        raise ValueError(f"experiments.yaml: {name}#axis must have {' and '.join(AXIS)}")
    check_switch(f"experiments.yaml: {name}#elsewhere", experiment.get("elsewhere", False))


def check_parts(name: str, experiment: Mapping[str, Any]) -> None:
    """Raise ValueError if variants, evaluations or the axis of an experiment are not given by their names."""
    parts = {key: experiment[key] for key in ("variants", "evaluations", "axis") if key in experiment}
    for key, value in parts.items():
        check_by_name(f"experiments.yaml: {name}#{key}", value)
    for method, variants in parts.get("variants", {}).items():
        check_by_name(f"experiments.yaml: {name}#variants#{method}", variants)
    named = {f"variants#{method}": of for method, of in parts.get("variants", {}).items()}
    for key, of in (named | {"evaluations": parts.get("evaluations", {})}).items():
        for one, options in of.items():
            check_by_name(f"experiments.yaml: {name}#{key}#{one}", options)


def averages(experiment: Mapping[str, Any]) -> bool:
    """Whether an experiment evaluates the mean of all seeds."""
    return any(of_all_seeds(options) for options in experiment.get("evaluations", {}).values())


def of_all_seeds(options: Mapping[str, Any]) -> bool:
    """Whether an evaluation with these options is one of the mean of all seeds."""
    return bool(options.get("ckpt_dirs") == SEEDS)


def check_averaged(name: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError if the networks that an evaluation averages are not those of all seeds."""
    if "ckpt_dirs" in options and not of_all_seeds(options):
        raise ValueError(f"{name}#ckpt_dirs is {options['ckpt_dirs']!r}; it must be {SEEDS}, all of which are averaged")


def check_elsewhere(elsewhere: Any, experiments: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError if labeled data of others have a wrong form, are not there, or no experiment measures them."""
    if not isinstance(elsewhere, dict) or not all(isinstance(options, dict) for options in elsewhere.values()):
        raise ValueError(f"elsewhere is {elsewhere!r}; write it such as {ELSEWHERE}")
    for name, options in elsewhere.items():
        if not re.fullmatch(r"[a-z0-9_.]+", str(name)):
            raise ValueError(f"elsewhere has {name!r}; it names a folder, and must be of a-z, 0-9, _ and .")
        test_dir = options.get("test_dir")
        if not test_dir or not Path(str(test_dir)).exists():
            raise ValueError(f"elsewhere#{name}#test_dir is {test_dir!r}; it must be a folder, or a JSON that is there")
        check_averaged(f"elsewhere#{name}", options)
        check_options(f"elsewhere#{name}", options, OWN)
    check_called(elsewhere)
    for experiment, asked in experiments.items():
        if taken := [name for name in elsewhere if f"on_{name}" in asked.get("evaluations", {})]:
            raise ValueError(f"elsewhere has {taken[0]}, and {experiment} an evaluation on_{taken[0]}: rename one")
    measuring = [one for one in experiments.values() if one.get("elsewhere")]
    averaged = [name for name, options in elsewhere.items() if of_all_seeds(options)]
    if averaged and measuring and not any(averages(one) for one in measuring):
        raise ValueError(
            f"elsewhere#{averaged[0]}#ckpt_dirs is {SEEDS}, and {', '.join(experiments)} average none: take recipe, too"
        )
    if elsewhere and not measuring:
        raise ValueError(
            f"elsewhere is given, and the experiments {', '.join(experiments)} measure nothing on it: take shift, too, "
            "or set elsewhere: true in experiments.yaml"
        )


def check_called(elsewhere: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError if different data of others have one name: tables tell them apart by it."""
    seen: dict[str, tuple[str, Path]] = {}
    for name, options in elsewhere.items():
        path = Path(str(options["test_dir"])).resolve()
        called = OtherData(str(path)).name
        before, other = seen.setdefault(called, (name, path))
        if other != path:
            raise ValueError(
                f"elsewhere#{before} and elsewhere#{name} are {other} and {path}, both called {called}: rename one, or "
                "give it as a JSON file of another name"
            )


def check_names(experiments: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError if two experiments use one name for different things: they would share a folder."""
    seen: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for experiment, asked in experiments.items():
        told = [("evaluation", name, options) for name, options in asked.get("evaluations", {}).items()]
        told += [
            (method, name, options) for method, of in asked.get("variants", {}).items() for name, options in of.items()
        ]
        for kind, name, options in told:
            before, others = seen.setdefault((kind, name), (experiment, options))
            if options != others:
                raise ValueError(
                    f"experiments.yaml: {before} and {experiment} have a {kind} {name} with other options: rename one"
                )


def check_folders(trainings: Mapping[str, Sequence[Training]]) -> None:
    """Raise ValueError if trainings with other options would share a folder.

    Args:
        trainings: of each experiment.
    """
    seen: dict[str, tuple[str, Training]] = {}
    for experiment, of in trainings.items():
        for training in of:
            before, first = seen.setdefault(training.folder, (experiment, training))
            if first.options != training.options:
                raise ValueError(
                    f"experiments.yaml: {before} has {training.folder} with {first.options}, and {experiment} with "
                    f"{training.options}: rename a variant"
                )


def check_among(name: str, values: object, known: Sequence[object]) -> None:
    """Raise ValueError if values are not a list of known names."""
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} is {values!r}; it must be a list, such as '{name}=[{known[0]}]'")
    unknown = [value for value in values if value not in known]
    if unknown:
        near = did_you_mean(str(unknown[0]), map(str, known))
        raise ValueError(f"{name} has {unknown[0]!r}; it must be a list of {', '.join(map(str, known))}{near}")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} is {values!r}; each must be there once")


def whole_numbers(name: str, values: object, least: int = 0) -> list[int]:
    """Whole numbers, which Snakemake's command line gives as text; raise ValueError for other values."""
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name} is {values!r}; it must be a list of whole numbers, such as '{name}=[0]'")
    numbers = [int(value) if str(value).isdecimal() else value for value in values]
    for number in numbers:
        check_whole(f"a value of {name}", number, least)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name} is {values!r}; each must be there once")
    return numbers
