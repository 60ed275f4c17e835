"""Pages of bundles: the README of each bundle, and the matrix of all bundles with measured results."""

from __future__ import annotations

import json
from string import Template

from bundle_parts import PARTS, REPOSITORY, Part, load, method_part, names, pinned_versions, references_of, shown
from paper_settings import paper_settings

from calib_monai.former_networks import CHOICE, CHOSEN, FACTORY, former_network

RESULTS = REPOSITORY / "results"
SLICES, VOLUMES = "slices", "volumes"  # what networks are for
FOLDERS = {  # of results
    **dict.fromkeys(("main", "crac", "ace", "svls_mbls", "slices", "slices_dice_ce"), SLICES),
    **dict.fromkeys(("volumes", "volumes_ce", "volumes_crac", "volumes_ace"), VOLUMES),
}
OVERLAY = "--volumes"  # option of the workflow, which lays volumes.json over the other files
COLUMNS = (
    *("dice_foreground", "hd95_mm", "hd95_pixels", "missed_structures", "nll_all", "ece_plausible"),
    *("ece_foreground", "cece_foreground"),
)
OF_PLAUSIBLE = (
    "\nEach network chooses its own plausible voxels, some nearly all of them: do not compare ECE, plausible, "
    "between rows. `results.md` beside these results has their shares."
)
NEAREST = (
    "Nearest to the training of {paper} on this data set is `{options}`. Give the options of network and slices in "
    "calibration, evaluation and inference, too."
)
NONE_NEARER = "No options bring this bundle nearer to a paper that we know."
TRAINING = "Adam at 1e-3, 1e-4 after half of the epochs, batches of 16 slices, 100 epochs"  # of most methods


def readme(dataset: str, method: str, parts: dict[str, Part]) -> str:
    """docs/README.md from its template."""
    words = {f"{kind}_{key}": text for kind, part in parts.items() for key, text in part["docs"].items()}
    words |= {
        "bundle": f"{dataset}_{method}",
        "method_training": parts["method"]["docs"].get("training", TRAINING),
        "method_settings": _settings(parts["method"]),
        "paper_settings": _paper_settings(dataset, method),
        "references": "\n".join(f"* {one}" for one in references_of(parts)),
        "results": _results(dataset, method),
        "install": _install(),
        "of_volumes": _of_volumes(parts["dataset"]),
        **_network(parts["dataset"]),
    }
    try:
        return Template((PARTS / "README.md").read_text(encoding="utf-8")).substitute(words)
    except KeyError as error:
        kind, _, key = str(error.args[0]).partition("_")
        name = {"dataset": dataset, "method": method}[kind]
        path = PARTS / f"{kind}s" / f"{name}.json"
        raise ValueError(f"{shown(path)} must set docs#{key}") from None


def data_license(part: Part) -> str:
    """docs/data_license.txt of a data set: its name, its source, its license and what to cite."""
    docs, metadata = part["docs"], part["metadata"]
    lines = ["License of the data", "-------------------", "", f"Data: {docs['title']}"]
    lines += [f"Source: {metadata['data_source']}", f"License: {docs['license']}"]
    return "\n".join([*lines, *(f"Reference: {one}" for one in metadata.get("references", []))]) + "\n"


def display_name(parts: dict[str, Part]) -> str:
    """The name of a bundle as people read it."""
    task = parts["dataset"]["metadata"]["task"].removesuffix(" with calibrated probabilities")
    return f"{task}, {parts['method']['docs']['title']}"


def _network(part: Part) -> dict[str, str]:
    """Input and output of a data set's networks in words."""
    channels, classes = part["image"]["channels"], part["train"]["class_names"]
    return {
        "input_channels": f"{len(channels)} channel{'s' if len(channels) > 1 else ''} ({', '.join(channels)})",
        "input_meaning": part["metadata"]["image_classes"],
        "slice_size": " x ".join(map(str, part["both"]["slice_size"])),
        "num_classes": str(len(classes)),
        "class_names": ", ".join(classes),
    }


def _of_volumes(part: Part) -> str:
    """How a network for volumes is trained; nothing for pictures."""
    if "volumes" not in part:
        return ""
    size = " x ".join(map(str, part["volumes"]["patch_size"]))
    text = (PARTS / "of_volumes.md").read_text(encoding="utf-8")
    return Template(text).substitute(patch_size=size)


def _install() -> str:
    """The command that installs what metadata.json names."""
    needed = ["torch", "monai", "numpy", *load("metadata.json")["required_packages_version"]]
    return " ".join(["pip install", *(f"{name}=={pinned_versions()[name]}" for name in needed)])


def _settings(method: Part) -> str:
    """The settings of a method's loss as options, with the values that they have in its JSON or by default."""
    loss: Part = method.get("train", {}).get("loss", {}) | method["docs"].get("loss_defaults", {})
    told = {key: value for key, value in loss.items() if not key.startswith("_") and not isinstance(value, dict | list)}
    return ", ".join(f"`--loss#{key} {value}`" for key, value in told.items() if not str(value).startswith("@"))


def _paper_settings(dataset: str, method: str) -> str:
    """What the paper of this method and data set set otherwise, as options."""
    departures, found = load("paper_settings.json")["shared"], paper_settings(dataset, method)
    if found is None:
        return f"{departures} {NONE_NEARER}"
    options = " ".join(f"--{name} {_value(value)}" for name, value in found.options.items())
    return f"{departures} {NEAREST.format(paper=found.paper, options=options)}"


def _value(value: object) -> str:
    """A value as it is typed after an option."""
    return f'"{value}"' if isinstance(value, list) else str(value)


def matrix() -> str:
    """bundles/README.md: a row for each method, a column for each data set, and tables of what was measured."""
    columns = {dataset: _short(dataset) for dataset in names("datasets")}
    lines = ["| | " + " | ".join(columns.values()) + " |", "| --- " + "| :-: " * len(columns) + "|"]
    for method in names("methods"):
        cells = [_matrix_cell(dataset, method) for dataset in columns]
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    shortened = [f"{short} is `{dataset}`" for dataset, short in columns.items() if short != dataset]
    tables = [
        f"### {dataset}, networks for {kind}\n\n{found}"
        for dataset in columns
        for kind in (SLICES, VOLUMES)
        if (found := _tables(dataset, kind))
    ]
    words = {
        "matrix": "\n".join(lines),
        "shortened": ", ".join(shortened),
        "methods": "\n".join(_method_line(method) for method in names("methods")),
        "measured": "\n\n".join(tables),
    }
    return Template((PARTS / "matrix.md").read_text(encoding="utf-8")).substitute(words)


def _method_line(method: str) -> str:
    """What the name of a method stands for, and who wrote of it."""
    part = method_part(method)
    return f"* `{method}`: {part['docs']['title']}. {' '.join(references_of({'method': part}))}"


def _short(dataset: str) -> str:
    """The name of a data set in the head of the matrix: all columns shall fit a phone."""
    return dataset.partition("_")[0][:5]


def _matrix_cell(dataset: str, method: str) -> str:
    """A link to a bundle; where the mouse rests on it, the bundle's name and measured Dice and ECE."""
    bundle = f"{dataset}_{method}"
    found = (_measured(dataset, folder).get("rows", {}).get(method) for folder in _folders(SLICES))
    if not (row := next(filter(None, found), None)):
        return f'[○]({bundle}/docs/README.md "{bundle}")'
    dice, ece = (_number(row["measures"][measure]["mean"], 3) for measure in ("dice_foreground", "ece_foreground"))
    return f'[●]({bundle}/docs/README.md "{bundle}: Dice {dice}, ECE {ece}")'


def _results(dataset: str, method: str) -> str:
    """The results on a page: those of slices, and below these of volumes, if there are some."""
    told = _tables(dataset, SLICES, method) or "Not measured yet."
    of_volumes = _tables(dataset, VOLUMES, method)
    return told + (f"\n\n### Networks for volumes (3D)\n\n{of_volumes}" if of_volumes else "")


def _tables(dataset: str, kind: str, method: str = "") -> str:
    """The tables of all experiments whose networks are for slices, or for volumes; nothing if there are none."""
    tables = ((folder, _measured(dataset, folder)) for folder in _folders(kind))
    return "\n\n".join(_table(found, folder, method) for folder, found in tables if found)


def _folders(kind: str) -> list[str]:
    """The folders of results whose networks are for slices, or for volumes."""
    return [folder for folder, others in FOLDERS.items() if others == kind]


def _table(measured: Part, experiment: str, method: str = "") -> str:
    """A table of an experiment's results, with the row of a method in bold if one is given, and the conditions."""
    columns = {key: measured["measures"][key] for key in COLUMNS if key in measured["measures"]}
    titles = " | ".join(measure["title"] for measure in columns.values())
    lines = [f"| method | {titles} |", "| --- " * (len(columns) + 1) + "|"]
    for name, row in measured["rows"].items():
        cells = [name, *(_cell(row["measures"][key], measure) for key, measure in columns.items())]
        lines.append("| " + " | ".join(f"**{cell}**" if name == method else cell for cell in cells) + " |")
    return "\n".join([*lines, "", _conditions(measured, experiment)])


def _measured(dataset: str, experiment: str) -> Part:
    """The results of methods on a data set from the workflow, empty if there are none.

    Raises:
        ValueError: rows of several networks, or rows of networks for volumes among those of slices.
    """
    path = RESULTS / dataset / experiment / "results.json"
    found: Part = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name, row in found.get("rows", {}).items():
        kind = VOLUMES if OVERLAY in row["options"] else SLICES
        if kind != FOLDERS[experiment]:
            raise ValueError(
                f"{shown(path)} has in the row {name!r} a network for {kind}; pages show results of {SLICES} from "
                f"{', '.join(_folders(SLICES))}, and of {VOLUMES} from {', '.join(_folders(VOLUMES))}"
            )
    if others := found.get("rows", {}).keys() - set(names("methods")):
        raise ValueError(f"{shown(path)} has a row {min(others)!r}; pages show methods, all with one network")
    return found


def _has_plausible(rows: Part) -> bool:
    """Whether a table has `nacl` and others, with errors on plausible voxels."""
    return len(rows) > 1 and "nacl" in rows and "ece_plausible" in rows["nacl"]["measures"]


def _cell(found: Part, measure: Part) -> str:
    """A mean and its deviation between seeds, if it has one, as in reports."""
    decimals = measure["decimals"] or (0 if float(found["mean"] or 0).is_integer() else 2)  # missed in one of 3 seeds
    factor, deviation = measure.get("factor", 1), found["seed_deviation"]
    return _number(found["mean"], decimals, factor) + (f" ± {deviation * factor:.{decimals}f}" if deviation else "")


def _number(value: float | None, decimals: int, factor: float = 1) -> str:
    """A value times a factor, with this number of decimals."""
    return "none" if value is None else f"{value * factor:.{decimals}f}"


def _option(key: str, value: str) -> str:
    """A recorded option as it is written now: a network was once chosen by a reference."""
    if key == OVERLAY:
        return "`configs/volumes.json`"
    network = former_network(value) if key == f"--{CHOICE}" else ""
    return f"`--{CHOSEN} {FACTORY}{network}`" if network else f"`{key} {value}`"


def _conditions(measured: Part, experiment: str) -> str:
    """The numbers of cases and seeds, and the options of the trainings."""
    rows, ran_with = measured["rows"], measured["conditions"]
    given = {
        name: {_option(key, value) for key, value in row["options"].items() if key != "--figures"}
        for name, row in rows.items()
    }
    common = set.intersection(*given.values())
    others = [f"`{name}` also {', '.join(sorted(own - common))}" for name, own in given.items() if own - common]
    options = "; ".join([", ".join(sorted(common)), *others])
    several = len(measured["seeds"]) > 1
    seeds, folds = (", ".join(map(str, measured[name])) for name in ("seeds", "folds"))
    versions = "; ".join(f"torch {one['torch']}, MONAI {one['monai']}" for one in ran_with["versions"])
    devices = "; ".join(dict.fromkeys(one["device"] for one in ran_with["hardware"]))
    where = f"`results/{measured['dataset']}/{experiment}/results.json` of the collection"
    return (
        f"Means over {measured['num_cases']} test cases and {'seeds' if several else 'seed'} {seeds} (fold {folds})"
        f"{', ± the standard deviation between seeds' if several else ''}.\nOptions: {options}. {versions}, {devices}."
        f"\nFrom {where}; its `results/README.md` has the command and says what it shows."
        f"{OF_PLAUSIBLE if _has_plausible(rows) else ''}"
    )
