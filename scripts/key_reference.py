"""Writes the tables of all keys of the bundles into docs/change_a_bundle.md.

The texts stand in `scripts/parts/keys.json`, the values in the composed bundles. `--check` writes nothing and fails if
the page is not current. A key without a text, or a text without a key, is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bundle_parts import PARTS, REPOSITORY, load
from written_pages import write_or_check

from calib_monai.refusals import tell_in_one_line

PAGE = REPOSITORY / "docs" / "change_a_bundle.md"
BEGIN, END = "<!-- written by scripts/key_reference.py -->", "<!-- end -->"
FILES = ("train", "evaluate", "calibrate", "inference", "volumes")
INSIDE = ("train", "validate")  # whose own keys are told one by one
LONGEST = 32  # characters of a value that is shown


def main(given: list[str] | None = None) -> None:
    """Write the tables, or compare them."""
    write_or_check(PAGE, lambda: with_tables(PAGE.read_text(encoding="utf-8")), __file__, __doc__ or "", given)


def with_tables(page: str) -> str:
    """The page with current tables between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    texts, values = load("keys.json"), values_of_keys()
    check_texts([*texts["settings"], *texts["parts"]], values)
    settings = [
        f"| `{key}` | {_where(values[key])} | {_value(values[key])} | {text} |"
        for key, text in texts["settings"].items()
    ]
    parts = [f"| `{key}` | {_where(values[key])} | {text} |" for key, text in texts["parts"].items()]
    lines = [
        *("### Settings", "", "| key | in | value | what |", "| --- | --- | --- | --- |", *settings, ""),
        *("### Parts", "", "| key | in | what |", "| --- | --- | --- |", *parts),
    ]
    return f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}"


def values_of_keys() -> dict[str, dict[str, dict[str, Any]]]:
    """The value of each key by file and bundle; those inside `train` and `validate` as "train#KEY"."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for bundle in sorted((REPOSITORY / "bundles").glob("*/")):
        for file in FILES:
            path = bundle / "configs" / f"{file}.json"
            config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}  # pictures are no volumes
            for key, value in _told(config):
                found.setdefault(key, {}).setdefault(file, {})[bundle.name] = value
    return found


def check_texts(told: list[str], values: dict[str, Any]) -> None:
    """Raise ValueError if a key has no text, or a text no key."""
    if missing := sorted(values.keys() - set(told)):
        raise ValueError(f"{PARTS.relative_to(REPOSITORY)}/keys.json has no text for {', '.join(missing)}")
    if gone := sorted(set(told) - values.keys()):
        raise ValueError(
            f"{PARTS.relative_to(REPOSITORY)}/keys.json has texts for {', '.join(gone)}, which no bundle has"
        )


def _told(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keys of a configuration that are told, with their values."""
    for name, value in config.items():
        key = name.removeprefix("+")
        if key in INSIDE:
            yield from ((f"{key}#{inner}", each) for inner, each in value.items())
        elif "#" not in key:  # what changes something inside another key
            yield key, value


def _where(of_files: dict[str, dict[str, Any]]) -> str:
    """The files that have the key."""
    return ", ".join(file for file in FILES if file in of_files)


def _value(of_files: dict[str, dict[str, Any]]) -> str:
    """The value that a key has in all bundles, or what it depends on; that of each file where they differ."""
    shown = {file: _in_bundles(of_files[file]) for file in FILES if file in of_files}
    if len(set(shown.values())) == 1:
        return next(iter(shown.values()))
    return "; ".join(f"{file}: {value}" for file, value in shown.items())


def _in_bundles(values: dict[str, Any]) -> str:
    """The value that a key has in one file of all bundles, or what it depends on."""
    shown = {json.dumps(value) for value in values.values()}
    if len(shown) == 1:
        [text] = shown
        text = text.replace("|", r"\|")
        return f"`{text}`" if len(text) <= LONGEST else "an expression" if text.startswith('"$') else "see the file"
    by_data_set = {(bundle.rpartition("_")[0], json.dumps(value)) for bundle, value in values.items()}
    datasets = {bundle.rpartition("_")[0] for bundle in values}
    return "by data set" if len(by_data_set) == len(datasets) else "by method"


if __name__ == "__main__":
    tell_in_one_line()
    main()
