"""Pages of bundles: the README of each, and the matrix of all with what was measured."""

from __future__ import annotations

from string import Template

from bundle_parts import PARTS, Part, load, names, shown

TRAINING = "Adam at 1e-3, 1e-4 after half of the epochs, batches of 16 slices, 100 epochs"  # of most methods


def readme(dataset: str, method: str, parts: dict[str, Part]) -> str:
    """docs/README.md from its template."""
    words = {f"{kind}_{key}": text for kind, part in parts.items() for key, text in part["docs"].items()}
    words |= {
        "bundle": f"{dataset}_{method}",
        "method_training": parts["method"]["docs"].get("training", TRAINING),
        "method_settings": _settings(parts["method"].get("train", {}).get("loss", {})),
        "method_reference": parts["method"]["metadata"]["references"][0],
        "results": _results(dataset, method),
    }
    try:
        return Template((PARTS / "README.md").read_text(encoding="utf-8")).substitute(words)
    except KeyError as error:
        kind, _, key = str(error.args[0]).partition("_")
        name = {"dataset": dataset, "method": method}[kind]
        path = PARTS / f"{kind}s" / f"{name}.json"
        raise SystemExit(f"error: {shown(path)} must set docs#{key}") from None


def _settings(loss: Part) -> str:
    """The settings of a loss as options, with the values that they have."""
    told = {key: value for key, value in loss.items() if not key.startswith("_") and not isinstance(value, dict | list)}
    return ", ".join(f"`--loss#{key} {value}`" for key, value in told.items() if not str(value).startswith("@"))


def matrix() -> str:
    """bundles/README.md: methods down, data sets across, with what was measured."""
    datasets = names("datasets")
    lines = ["| | " + " | ".join(datasets) + " |", "| --- " * (len(datasets) + 1) + "|"]
    for method in names("methods"):
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
    return load(f"results/{dataset}.json") if path.is_file() else {}


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
