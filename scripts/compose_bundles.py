"""Compose bundles from parts: every setting is written once, in scripts/parts, and merged here.

Without options all bundles are written to `bundles`. `--check` writes nothing, names every file that
differs and ends with exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from string import Template
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PARTS = REPOSITORY / "scripts" / "parts"
LINE_WIDTH = 100
INDENT = 4
NEEDED_OF_OWN = (
    ("image", "channels"),
    ("both", "slice_size"),
    ("both", "datalist", "images"),
    ("both", "datalist", "label"),
    ("train", "class_names"),
)
WRITTEN_BY_RUNS = {"models", "eval"}

Part = dict[str, Any]


def main() -> int:
    """The exit code: 0, or 1 where --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", action="append", help="only this data set, or the JSON file of one's own")
    parser.add_argument("--method", choices=_names("methods"), action="append", help="only this method")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bundles", help="folder of the bundles")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    arguments = parser.parse_args()
    files: dict[Path, str] = {}
    for dataset in arguments.dataset or _names("datasets"):
        for method in arguments.method or _names("methods"):
            files |= {arguments.out / path: text for path, text in compose(dataset, method).items()}
    if not arguments.dataset and not arguments.method:
        files[arguments.out / "README.md"] = _matrix()
    if arguments.check:
        everything = not arguments.dataset and not arguments.method
        differences = _differences(files, arguments.out, everything=everything)
        sys.stderr.writelines(f"{line}\n" for line in differences)
        return 1 if differences else 0
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def compose(dataset: str, method: str) -> dict[str, str]:
    """The files of one bundle: path, its folder first -> text.

    Args:
        dataset: name of a data set, or path of its part, which is laid over `own.json`.
        method: name of a method.
    """
    dataset, dataset_part = _dataset_part(dataset)
    parts = {"dataset": dataset_part, "method": _load(f"methods/{method}.json")}
    class_names, channels = parts["dataset"]["train"]["class_names"], parts["dataset"]["image"]["channels"]
    both = merge(
        _load("both.json"),
        {"networks": {name: _load(f"networks/{name}.json") for name in _names("networks")}},
        {"num_classes": len(class_names), "in_channels": len(channels)},
    )
    numbers = parts["dataset"].get("numbers", {})
    train, inference = (_with_numbers(_load(f"{name}.json"), numbers) for name in ("train", "inference"))
    names = {"dataset": dataset, "method": method}
    configs = {
        "train": _fill(train, both, names, *_sections(parts, "both", "train")),
        "evaluate": merge(_load("evaluate.json"), *_sections(parts, "evaluate")),
        "inference": _fill(inference, both, *_sections(parts, "both", "inference")),
    }
    configs["metadata"] = _metadata(f"{dataset}_{method}", parts, configs["train"])
    files = {f"configs/{name}.json": to_json(config) + "\n" for name, config in configs.items()}
    files["configs/logging.conf"] = (PARTS / "logging.conf").read_text(encoding="utf-8")
    files["docs/README.md"] = _readme(dataset, method, parts)
    files["LICENSE"] = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    return {f"{dataset}_{method}/{name}": text for name, text in files.items()}


def _dataset_part(dataset: str) -> tuple[str, Part]:
    """Name and part of a data set, by its name or by the path of one's own part."""
    if not dataset.endswith(".json"):
        if dataset not in _names("datasets"):
            raise SystemExit(f"error: there is no data set {dataset}; there are {', '.join(_names('datasets'))}")
        return dataset, _load(f"datasets/{dataset}.json")
    name = Path(dataset).stem
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in _names("datasets"):
        raise SystemExit(f"error: {dataset} must be called by lower-case words that are no data set here")
    part = merge(_load("own.json"), _load(Path(dataset).resolve()))
    for section, *keys in NEEDED_OF_OWN:
        value: Any = part[section]
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if not value:
            raise SystemExit(f"error: {dataset} must set {': '.join((section, *keys))}; scripts/parts/own.json has the rest")
    return name, part


def merge(*parts: Part) -> Part:
    """The parts laid over each other: later wins, dictionaries merge by key, lists are replaced, null removes."""
    merged: Part = {}
    for part in parts:
        for key, value in part.items():
            before = merged.get(key)
            if value is None and before is not None:
                del merged[key]
            else:
                merged[key] = merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def to_json(value: Any, indent: int = 0, used: int = 0) -> str:
    """JSON in which what fits in 100 columns and holds no nested dictionary stays on one line.

    Args:
        value: what to write.
        indent: columns before the line on which it starts.
        used: columns of that line that its key takes.
    """
    line = json.dumps(value, ensure_ascii=False)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    nested = any(isinstance(child, dict) for child in children)
    if not children or (not nested and indent + used + len(line) < LINE_WIDTH and indent):
        return line
    inner = indent + INDENT
    if isinstance(value, dict):
        keys = [f"{json.dumps(key)}: " for key in value]
        items = [key + to_json(child, inner, len(key)) for key, child in zip(keys, value.values(), strict=True)]
    else:
        items = [to_json(child, inner) for child in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    lines = ",\n".join(" " * inner + item for item in items)
    return f"{opening}\n{lines}\n{' ' * indent}{closing}"


def _fill(skeleton: Part, *parts: Part) -> Part:
    """The skeleton with its nulls filled by the parts, in its own order of keys."""
    filled = merge(skeleton, *parts)
    unknown = sorted(filled.keys() - skeleton.keys())
    if unknown:
        raise SystemExit(f"error: a part sets {unknown}, which the skeleton in scripts/parts does not name")
    empty = [key for key, value in filled.items() if value is None]
    if empty:
        raise SystemExit(f"error: no part sets {empty}")
    return filled


def _with_numbers(skeleton: Part, numbers: Part) -> Part:
    """The skeleton with the numbers that this data set alone has, where a person looks for them."""
    place = list(skeleton).index("slice_size") + 1
    items = list(skeleton.items())
    return dict([*items[:place], *numbers.items(), *items[place:]])


def _metadata(bundle: str, parts: dict[str, Part], train: Part) -> Part:
    """metadata.json: versions come from constraints.txt, shapes and classes from the training, references of both."""
    sections = _sections(parts, "metadata")
    references = [reference for section in sections for reference in section.get("references", [])]
    versions = _pinned_versions()
    template = _load("metadata.json")
    packages = {name: versions[name] for name in template["required_packages_version"]}
    given = {
        "name": bundle,
        "monai_version": versions["monai"],
        "pytorch_version": versions["torch"],
        "numpy_version": versions["numpy"],
        "required_packages_version": packages,
        "label_classes": ", ".join(f"{index} {name}" for index, name in enumerate(train["class_names"])),
        "pred_classes": f"{train['num_classes']} channels: {', '.join(train['class_names'])}",
        "network_data_format": _network_data_format(parts["dataset"]["image"], train),
    }
    return _fill(template, given, *sections, {"references": references})


def _network_data_format(image: Part, train: Part) -> Part:
    """What goes into the network and what comes out of it, in MONAI's words."""
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


def _pinned_versions() -> dict[str, str]:
    """Version of each package in constraints.txt, and of this one."""
    constraints = (REPOSITORY / "scripts" / "constraints.txt").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w-]+)==([\w.]+)", constraints, flags=re.MULTILINE))
    source = (REPOSITORY / "calib_monai" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "(.+)"', source)
    return versions | {"calib_monai": found[1] if found else ""}


def _readme(dataset: str, method: str, parts: dict[str, Part]) -> str:
    """docs/README.md from its template."""
    words = {f"{kind}_{key}": text for kind, part in parts.items() for key, text in part["docs"].items()}
    words |= {
        "bundle": f"{dataset}_{method}",
        "method_reference": parts["method"]["metadata"]["references"][0],
        "results": _results(dataset, method),
    }
    return Template((PARTS / "README.md").read_text(encoding="utf-8")).substitute(words)


def _matrix() -> str:
    """bundles/README.md: methods down, data sets across, with what was measured."""
    datasets = _names("datasets")
    lines = ["| | " + " | ".join(datasets) + " |", "| --- " * (len(datasets) + 1) + "|"]
    for method in _names("methods"):
        cells = [_matrix_cell(dataset, method) for dataset in datasets]
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    words = {"matrix": "\n".join(lines)}
    return Template((PARTS / "matrix.md").read_text(encoding="utf-8")).substitute(words)


def _matrix_cell(dataset: str, method: str) -> str:
    """A link to a bundle and its measured Dice and ECE."""
    link = f"[{dataset}_{method}]({dataset}_{method}/docs/README.md)"
    row = _measured(dataset).get("methods", {}).get(method)
    return f"{link}<br>Dice {row['dice_foreground']:.3f}, ECE {row['ece_foreground']:.3f}" if row else link


def _measured(dataset: str) -> Part:
    """The measured results of a data set, empty where there are none."""
    path = PARTS / "results" / f"{dataset}.json"
    return _load(f"results/{dataset}.json") if path.is_file() else {}


def _results(dataset: str, method: str) -> str:
    """The measured results of this data set as a table, this method's row in bold."""
    measured = _measured(dataset)
    if not measured:
        return "Not measured yet."
    columns = list(measured["columns"].items())
    lines = ["| method | " + " | ".join(title for _, title in columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for name, row in measured["methods"].items():
        cells = [f"{row[key]:.3f}" if isinstance(row[key], float) else str(row[key]) for key, _ in columns]
        cells = [name, *cells]
        lines.append("| " + " | ".join(f"**{cell}**" if name == method else cell for cell in cells) + " |")
    return "\n".join([*lines, "", measured["conditions"]])


def _differences(files: dict[Path, str], out: Path, *, everything: bool) -> list[str]:
    """A line for each file that is not as composed or that no part makes, in these bundles or in the whole folder."""
    bundles = {path.relative_to(out).parts[0] for path in files if path.parent != out}
    folders = [out] if everything else [out / bundle for bundle in bundles]
    kept = {path for folder in folders for path in folder.rglob("*") if not WRITTEN_BY_RUNS & set(path.parts)}
    wrong = [p for p, text in files.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    stray = [path for path in kept if path.is_file() and path not in files]
    return sorted(
        [f"{_shown(p)} differs from what scripts/parts compose; run scripts/compose_bundles.py" for p in wrong]
        + [f"{_shown(p)} is made by no part in scripts/parts; remove it" for p in stray]
    )


def _shown(path: Path) -> str:
    """A path as it is told, inside the repository from there."""
    return str(path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path)


def _sections(parts: dict[str, Part], *names: str) -> list[Part]:
    """These sections of the data set's part, then of the method's."""
    return [part.get(name, {}) for part in parts.values() for name in names]


def _names(folder: str) -> list[str]:
    """Names of the parts in a folder."""
    return sorted(path.stem for path in (PARTS / folder).glob("*.json"))


def _load(name: str | Path) -> Part:
    """One part."""
    path = PARTS / name
    try:
        part: Part = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SystemExit(f"error: {_shown(path)}, line {error.lineno}: {error.msg}") from None
    except OSError:
        raise SystemExit(f"error: {_shown(path)} cannot be read") from None
    return part


if __name__ == "__main__":
    raise SystemExit(main())
