"""Compose bundles from parts: every setting is written once, in scripts/parts, and merged here.

Without options all bundles are written to `bundles`, and a line is printed for each. `--check` writes nothing, names
every file that differs, and ends with exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bundle_pages import data_license, display_name, matrix, readme
from bundle_parts import (
    PARTS,
    REPOSITORY,
    Part,
    dataset_part,
    file_of,
    load,
    merge,
    method_part,
    names,
    pinned_versions,
    references_of,
    shown,
    to_json,
)
from bundle_preprocessing import STEPS, preprocessing_of

from calib_monai import __version__
from calib_monai.command_lines import Parser
from calib_monai.refusals import tell_in_one_line
from calib_monai.spelling import did_you_mean

WRITTEN_BY_RUNS = {"models", "eval", "eval_ts", "eval_lts"}


def main(given: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 if --check finds a difference; `given` is the command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--dataset", action="append", help="only this data set, or the JSON file of one's own")
    parser.add_argument("--method", action="append", help=f"only this method: {', '.join(names('methods'))}")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bundles", help="folder of the bundles")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    arguments = parser.parse_args(given)
    files = _composed(arguments)
    if arguments.check:
        everything = not arguments.dataset and not arguments.method
        differences = _differences(files, arguments.out, everything=everything)
        sys.stderr.writelines(f"{line}\n" for line in differences)
        return 1 if differences else 0
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.stdout.writelines(f"{line}\n" for line in _written(files, arguments.out))
    return 0


def _composed(arguments: argparse.Namespace) -> dict[Path, str]:
    """The files of the bundles that were asked for, and the page of all of them where no part was chosen."""
    files: dict[Path, str] = {}
    for dataset in arguments.dataset or names("datasets"):
        for method in arguments.method or names("methods"):
            files |= {arguments.out / path: text for path, text in compose(dataset, method).items()}
    if not arguments.dataset and not arguments.method:
        files[arguments.out / "README.md"] = matrix()
    return files


def _written(files: dict[Path, str], out: Path) -> list[str]:
    """A line for each written bundle, or a single line for the whole collection."""
    bundles = sorted(_bundles(files, out))
    if out / "README.md" in files:
        return [f"{len(bundles)} bundles and their README.md in {shown(out)}"]
    return [shown(out / bundle) for bundle in bundles]


def _bundles(files: Iterable[Path], out: Path) -> set[str]:
    """Names of the bundles to which these files belong."""
    return {path.relative_to(out).parts[0] for path in files if path.parent != out}


def compose(dataset: str, method: str) -> dict[str, str]:
    """The files of one bundle: path, its folder first -> text.

    Args:
        dataset: name of a data set, or path of its part, which is laid over `own.json`.
        method: name of a method.
    """
    paths = [file_of(dataset), shown(PARTS / "methods" / f"{method}.json")]
    dataset, part = dataset_part(dataset)
    parts = {"dataset": part, "method": method_part(method)}
    wanted = f"{' or '.join(paths)} must set"
    class_names, channels = parts["dataset"]["train"]["class_names"], parts["dataset"]["image"]["channels"]
    both = merge(
        load("both.json"),
        {"num_classes": len(class_names), "in_channels": len(channels)},
        {"made_for": {"dataset": dataset, "channels": channels}},
    )
    numbers = parts["dataset"].get("numbers", {})
    train, inference = (_with_numbers(load(f"{name}.json"), numbers) for name in ("train", "inference"))
    labeled = {"class_names": class_names}
    called = {"dataset": dataset, "method": method}
    with_model = load("with_model.json")
    skeletons = {"train": train, "inference": dict.fromkeys(STEPS) | inference, "metadata": load("metadata.json")}
    _check_names(dict(zip(paths, parts.values(), strict=True)), skeletons)
    of_inference = both, with_model, load("calibrated.json"), labeled, *_sections(parts, "both", "inference")
    configs = {
        "train": _fill(train, wanted, both, called, *_sections(parts, "both", "train")),
        "evaluate": _fill(load("evaluate.json"), wanted, with_model, *_sections(parts, "evaluate")),
        "calibrate": merge(load("calibrate.json"), with_model),
        "inference": _fill(inference, wanted, *of_inference, preprocessing_of(merge(*of_inference))),
    }
    configs |= {f"multi_gpu_{name}": load(f"multi_gpu_{name}.json") for name in ("train", "evaluate")}
    if "volumes" in parts["dataset"]:
        configs["volumes"] = _volumes(parts, numbers, wanted)
    configs["metadata"] = _metadata(parts, configs["train"], wanted)
    files = {f"configs/{name}.json": to_json(config) + "\n" for name, config in configs.items()}
    files["configs/logging.conf"] = (PARTS / "logging.conf").read_text(encoding="utf-8")
    files["docs/README.md"] = readme(dataset, method, parts)
    files["docs/data_license.txt"] = data_license(part)
    files["LICENSE"] = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    return {f"{dataset}_{method}/{name}": text for name, text in files.items()}


def _check_names(parts: Mapping[str, Part], skeletons: Mapping[str, Part]) -> None:
    """Raise ValueError if a part, told by its file, sets a key that the skeleton of its section does not name."""
    for file, part in parts.items():
        for section, keys in part.items():
            for name in ("train", "inference") if section == "both" else (section,):
                skeleton = skeletons.get(name, keys)
                unknown = next((key for key in keys if key not in skeleton), None)
                if unknown:
                    raise ValueError(
                        f"{file} sets {section}#{unknown}, which {shown(PARTS / name)}.json does not name"
                        f"{did_you_mean(unknown, skeleton)}"
                    )


def _fill(skeleton: Part, wanted: str, *parts: Part) -> Part:
    """The skeleton with its nulls filled by the parts, in its own order of keys; raise ValueError if a null stays."""
    filled = merge(skeleton, *parts)
    referred = re.findall(r"@(\w+)", json.dumps(filled))
    empty = [key for key in skeleton if filled.get(key) is None and (key in filled or key in referred)]
    if empty:
        raise ValueError(f"{wanted} {empty[0]}")
    return filled


def _with_numbers(skeleton: Part, numbers: Part) -> Part:
    """The skeleton with the numbers of this data set among the settings at its top."""
    place = list(skeleton).index("slice_size") + 1
    items = list(skeleton.items())
    return dict([*items[:place], *numbers.items(), *items[place:]])


def _volumes(parts: dict[str, Part], numbers: Part, wanted: str) -> Part:
    """volumes.json, which makes the other configurations those of a network for volumes."""
    skeleton = load("volumes.json")
    place = list(skeleton).index("spacing") + 1
    items = list(skeleton.items())
    of_volumes = {"pixdim": "@spacing", "num_slices": -1}
    changed = {name: value for name, value in of_volumes.items() if name in numbers}
    skeleton = dict([*items[:place], *changed.items(), *items[place:]])
    return _fill(skeleton, wanted, *_sections(parts, "volumes"))


def _metadata(parts: dict[str, Part], train: Part, wanted: str) -> Part:
    """metadata.json: versions come from the constraints, shapes and classes from the training, references of both."""
    versions = pinned_versions()
    template = load("metadata.json")
    packages = {name: versions[name] for name in template["required_packages_version"]}
    given = {
        "name": display_name(parts),
        "calib_monai_version": __version__,
        "monai_version": versions["monai"],
        "pytorch_version": versions["torch"],
        "numpy_version": versions["numpy"],
        "required_packages_version": packages,
        "label_classes": ", ".join(f"{index} {name}" for index, name in enumerate(train["class_names"])),
        "pred_classes": f"{train['num_classes']} channels: {', '.join(train['class_names'])}",
        "network_data_format": _network_data_format(parts["dataset"]["image"], train),
    }
    return _fill(template, wanted, given, *_sections(parts, "metadata"), {"references": references_of(parts)})


def _network_data_format(image: Part, train: Part) -> Part:
    """Input and output of the network, in MONAI's words."""
    shared = {"spatial_shape": train["slice_size"], "dtype": "float32"}
    whole = {"value_range": [0, 1], "is_patch_data": False}
    given = {
        "type": "image",
        "format": image["format"],
        "modality": image["modality"],
        "num_channels": train["in_channels"],
        **shared,
        **whole,
        "channel_def": {str(index): name for index, name in enumerate(image["channels"])},
    }
    predicted = {
        "type": "image",
        "format": "segmentation",
        "num_channels": train["num_classes"],
        **shared,
        **whole,
        "channel_def": {str(index): name for index, name in enumerate(train["class_names"])},
    }
    return {"inputs": {"image": given}, "outputs": {"pred": predicted}}


def _differences(files: dict[Path, str], out: Path, *, everything: bool) -> list[str]:
    """A line for each file that differs from its composed text or that no part makes, in these or in all bundles."""
    folders = [out] if everything else [out / bundle for bundle in _bundles(files, out)]
    kept = {path for folder in folders for path in folder.rglob("*") if not WRITTEN_BY_RUNS & set(path.parts)}
    wrong = [p for p, text in files.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    stray = [path for path in kept if path.is_file() and path not in files]
    return sorted(
        [f"{shown(p)} differs from what scripts/parts compose; run scripts/compose_bundles.py" for p in wrong]
        + [f"{shown(p)} is made by no part in scripts/parts; remove it" for p in stray]
    )


def _sections(parts: dict[str, Part], *names: str) -> list[Part]:
    """These sections of the data set's part, then of the method's."""
    return [part.get(name, {}) for part in parts.values() for name in names]


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
