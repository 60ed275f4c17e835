"""Names in bundles: what configurations, metadata and docs call by name is there."""

from __future__ import annotations

import ast
import builtins
import importlib
import json
import logging
import re
import shlex
from collections.abc import Iterator
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import BUNDLES, COLLECTION, FILES, REPOSITORY, SOME_BUNDLES, VOLUMES, metrics_of
from monai.bundle import ComponentLocator, ConfigExpression, ConfigParser, ReferenceResolver
from monai.utils import ensure_tuple
from monai.utils.module import locate
from pages import PAGES

from calib_monai.handlers import ResultsSaver
from calib_monai.measures import measure_of
from calib_monai.networks import FACTORIES
from calib_monai.overrides import check_overrides
from calib_monai.predictions import ProbsAndLabeld, ScoredOnOriginald
from calib_monai.transforms import LeaveOutd

OF_THE_REPOSITORY = [*PAGES, REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "bundles" / "README.md"]
OF_OTHERS = {
    "c",
    "ckpt_file",
    "filepath",
    "help",
    "net_id",
    "run_name",
    "tracking_uri",
    "conf",
    "config",
    "configfile",
    "forceall",
    "val",
}
LOCATOR = ComponentLocator()
OF_NETWORKS = {f"network_def#{option}" for factory in FACTORIES.values() for option in signature(factory).parameters}

RUNS = FILES | VOLUMES

of_every_part = pytest.mark.parametrize("bundle", SOME_BUNDLES, ids=lambda path: path.name)


def runs_of(bundle: Path) -> list[str]:
    """The names of the runs of a bundle; those of pictures have none as volumes."""
    return [name for name, files in RUNS.items() if (bundle / "configs" / f"{files[-1]}.json").is_file()]


@cache
def merged_config(bundle: Path, name: str) -> dict[str, Any]:
    """What a run of this name reads."""
    return ConfigParser.load_config_files([str(bundle / "configs" / f"{file}.json") for file in RUNS[name]])


def values_in(node: Any) -> Iterator[Any]:
    """Everything in a configuration, itself first."""
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from values_in(child)


@cache
def texts_of(bundle: Path, name: str) -> list[str]:
    """The texts that a run of this name reads, each once."""
    return list(dict.fromkeys(value for value in values_in(merged_config(bundle, name)) if isinstance(value, str)))


def components_in(node: Any) -> list[dict[str, Any]]:
    return [value for value in values_in(node) if isinstance(value, dict) and "_target_" in value]


def holds(bundle: Path, name: str, key: str) -> bool:
    """Whether a key leads to something in that. (MONAI's parser looks for similar ones where it does not.)"""
    node: Any = merged_config(bundle, name)
    for part in ReferenceResolver.split_id(key):
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return False
    return True


def takes(bundle: Path, name: str, key: str) -> bool:
    """Whether a run of this name takes an option that is an argument which the configuration leaves alone."""
    if key in OF_NETWORKS:
        return True
    files = [str(bundle / "configs" / f"{file}.json") for file in RUNS[name]]
    try:
        check_overrides(
            ["monai/bundle/__main__.py", "run", "--config_file", str(files), f"--{key}", "$an_expression()"]
        )
    except ValueError:
        return False
    return True


@cache
def component(target: str) -> Any:
    """The class or function of a `_target_`: of one MONAI module by its short name, else by its full path."""
    module = LOCATOR.get_component_module_name(target)
    assert not isinstance(module, list), f"{target} is in {module}: which is meant?"
    return locate(f"{module}.{target}" if module else target)


@of_every_part
def test_every_target_can_be_called(bundle: Path) -> None:
    for name in runs_of(bundle):
        targets = {found["_target_"] for found in components_in(merged_config(bundle, name))}
        assert targets
        assert [target for target in targets if not callable(component(target))] == [], name


@of_every_part
def test_every_reference_and_macro_leads_to_something(bundle: Path) -> None:
    for name in runs_of(bundle):
        texts = texts_of(bundle, name)
        keys = {key for text in texts for key in ReferenceResolver.match_refs_pattern(text)}
        keys |= {text[1:] for text in texts if text.startswith("%")}
        assert keys
        assert [key for key in keys if not holds(bundle, name, key)] == [], name


@of_every_part
def test_every_expression_uses_names_that_are_there(bundle: Path) -> None:
    for name in runs_of(bundle):
        for text in filter(ConfigExpression.is_expression, texts_of(bundle, name)):
            assert unknown_in(text) == [], (name, text)


@cache
def unknown_in(expression: str) -> list[str]:
    """Names in an expression that nothing has, and imports, which fail late: give the dotted path as _target_."""
    nodes = [*ast.walk(ast.parse(re.sub(r"@[\w#:]+", "reference", expression[1:])))]
    known = vars(builtins) | {"reference": None} | {node.arg: None for node in nodes if isinstance(node, ast.arg)}
    for short, module in {"monai": "monai", "torch": "torch", "np": "numpy", "numpy": "numpy"}.items():
        known[short] = importlib.import_module(module)
    unknown = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    unknown += [node.id for node in nodes if isinstance(node, ast.Name) and node.id not in known]
    for node in nodes:
        if isinstance(node, ast.Attribute):
            root, *path = ast.unparse(node).split(".")
            if known.get(root) is not None and locate(".".join([known[root].__name__, *path])) is None:
                unknown.append(ast.unparse(node))
    return unknown


@of_every_part
def test_every_measure_that_a_report_shows_is_measured(bundle: Path) -> None:
    measured = metrics_of(merged_config(bundle, "evaluate")["validate"])
    compared = measured - {"expected_dice", "volume_difference"}  # the best are the Dice, and 0
    assert all(measure_of(name).more_is_better is not None for name in compared)  # it is known
    errors = {f"{kind}_{region}" for kind in ("ece", "cece") for region in ("plausible", "foreground", "union")}
    shown = errors | {"nll_all", "brier_all", "tace_foreground", "ece_plausible_pooled", "ece_plausible_debiased"}
    unit = "pixels" if merged_config(bundle, "train")["cases"].get("spatial_dims") == 2 else "mm"
    assert (
        shown
        | {"dice_foreground", f"hd95_{unit}", f"asd_{unit}", "missed_structures", "expected_dice", "volume_difference"}
        <= measured
    )


MADE_BY: dict[object, set[str]] = {  # under names that are not in JSON
    LeaveOutd: {"target"},
    ProbsAndLabeld: {"prob", "pred"},
    ScoredOnOriginald: {"prob", "pred", "label"},
}


@of_every_part
def test_what_is_saved_and_looked_at_is_measured_and_made(bundle: Path) -> None:
    for name in ("train", "evaluate"):
        validate = merged_config(bundle, name)["validate"]
        for saver in components_in(validate["handlers"]):
            if component(saver["_target_"]) is ResultsSaver:
                assert saver["measures"] == "@measures"
                assert saver["metrics"] == ["@validate#key_metric", "@validate#additional_metrics"]
        made: set[str] = set()
        for transform in validate["postprocessing"]["transforms"]:
            made |= MADE_BY.get(component(transform["_target_"]), set())
            made.update(ensure_tuple(transform.get("keys", [])), ensure_tuple(transform.get("names", [])))
        read = re.findall(
            r"from_engine\((\[.*?\])\)", json.dumps([validate["key_metric"], validate["additional_metrics"]])
        )
        assert {key for keys in read for key in ast.literal_eval(keys)} <= made


@of_every_part
def test_metadata_agree_with_the_configurations(bundle: Path) -> None:
    train, inference = merged_config(bundle, "train"), merged_config(bundle, "inference")
    for key in ("in_channels", "num_classes", "slice_size"):
        assert train[key] == inference[key]
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    formats = metadata["network_data_format"]
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    assert (image["num_channels"], pred["num_channels"]) == (train["in_channels"], train["num_classes"])
    assert image["spatial_shape"] == pred["spatial_shape"] == train["slice_size"]
    assert [*image["channel_def"]] == [str(channel) for channel in range(train["in_channels"])]
    assert [*pred["channel_def"]] == [str(channel) for channel in range(train["num_classes"])]
    assert ", ".join(pred["channel_def"].values()) in metadata["pred_classes"]
    for short, long in zip(train["class_names"], pred["channel_def"].values(), strict=True):
        # "myo" is a myocardium and "rv" a right ventricle, and no left one.
        assert re.search(".*".join(re.sub(r"\W|_", "", short)), long, re.IGNORECASE), f"{short} is not {long}"


def commands_in(page: Path) -> list[str]:
    """Command lines of a page that run a bundle."""
    return re.findall(r"^python -m monai\.bundle run .*$", page.read_text(encoding="utf-8"), re.MULTILINE)


def options_in(page: Path) -> list[tuple[str, str]]:
    """Options that a page names between words, each with its value; capitals stand for anything.

    Those of the trainings in a table of results may be of other methods.
    """
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith("Options: ")]
    return re.findall(r"`--([\w#]+) ?([^` ]*)[^`]*`", "\n".join(lines))


def test_the_commands_of_every_bundle_have_options_that_there_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundles = [bundle for bundle in BUNDLES if bundle.name.endswith("_nacl")]  # one of each data set
    commands = {(line, bundle) for bundle in bundles for line in commands_in(bundle / "docs" / "README.md")}
    assert len(commands) >= 5 * len(bundles)
    for command, bundle in commands:
        monkeypatch.chdir(bundle)
        with caplog.at_level(logging.WARNING):
            check_overrides(["monai/bundle/__main__.py", *shlex.split(command.replace("$", ""))[3:]])
    assert not caplog.records


@of_every_part
def test_the_docs_of_a_bundle_name_options_and_networks_that_it_has(bundle: Path) -> None:
    page = bundle / "docs" / "README.md"
    assert {"epochs", "ckpt_dir", "network_def#_target_", "input"} <= {key for key, _ in options_in(page)}
    for key, value in options_in(page):
        assert any(
            kind(bundle, name, key.removesuffix("#KEY")) for kind in (holds, takes) for name in runs_of(bundle)
        ), f"--{key}"
        if value.startswith(("@", "%")):
            assert all(holds(bundle, name, value[1:]) for name in runs_of(bundle)), value
    table = re.findall(r"^\| `(\w+)` \| [\d,]+ \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(FACTORIES)


@pytest.mark.parametrize("page", OF_THE_REPOSITORY, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_page_of_the_repository_names_options_that_there_are(page: Path) -> None:
    package = REPOSITORY / "calib_monai"
    programs = [package / "reports" / "__main__.py", package / "score.py", *(REPOSITORY / "scripts").glob("*.py")]
    programs += [*(REPOSITORY / "tests" / "reliability").glob("*.py"), *(package / "experiments").glob("*.py")]
    arguments = {
        name for path in programs for name in re.findall(r'add_argument\(\s*"--(\w+)"', path.read_text("utf-8"))
    }
    bundles = [COLLECTION / bundle for bundle in ("hippocampus_nacl", "busi_nacl")]
    runs = [(bundle, name) for bundle in bundles for name in runs_of(bundle)]
    for key, value in options_in(page):
        assert key in arguments | OF_OTHERS or any(kind(*run, key) for kind in (holds, takes) for run in runs), (
            f"--{key}"
        )
        if value.startswith(("@", "%")):
            assert all(holds(*run, value[1:]) for run in runs), value


@pytest.mark.parametrize(("device", "fused"), [("cpu", False), (torch.device("cpu"), False), ("cuda:0", True)])
def test_a_gpu_takes_the_fused_steps_of_the_optimizer(device: object, *, fused: bool) -> None:
    for bundle in BUNDLES:
        asked = merged_config(bundle, "train")["optimizer"]["fused"]
        assert asked == "$'cuda' in str(@device)"
    parser = ConfigParser({"device": device, "fused": asked})
    assert parser.get_parsed_content("fused") is fused
