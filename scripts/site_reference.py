"""A hook of MkDocs: the Python reference, a page for each part of the package that people call, from its docstrings.

The pages are made when the site is built. mkdocstrings fills them.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PACKAGE = "calib_monai"
OVERVIEW = "reference/README.md"
NAME = re.compile(r"(?<!<b>)<code>((?:\w+\.)*\w+)</code>(?!</a>)")  # in a text; bold ones are arguments
CALLED = (  # what people and bundles call: each has a page
    *("losses", "metrics", "regions", "bins", "measures", "posthoc", "networks", "views", "lagrangian", "priors"),
    *("boundaries", "handlers", "reports", "experiments", "datalists", "cases", "loaders", "transforms", "slabs"),
    *(
        "presets",
        "shifts",
        "orientation",
        "inverses",
        "inferers",
        "engines",
        "pictures",
        "volumes",
        "made_for",
        "refusals",
    ),
    *(
        "predicted_cases",
        "listed_cases",
        "kept_items",
        "label_grids",
        "loading",
        "predictions",
        "crops",
        "patches",
        "overrides",
    ),
    *("processes", "checks", "nnunet"),
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the menu."""
    pages = [{name: f"reference/{name}.md"} for name in CALLED]
    config.nav = [*(config.nav or []), {"Python reference": [{"Overview": OVERVIEW}, *pages]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    parts = _parts(Path(config.config_file_path).parent / PACKAGE)
    for name in CALLED:
        files.append(File.generated(config, f"reference/{name}.md", content=_page(name, parts[name])))
    files.append(File.generated(config, OVERVIEW, content=_overview(parts)))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Link each class and function that a docstring names to its place in the reference."""
    if not page.file.src_uri.startswith("reference/"):
        return html
    part = f"{PACKAGE}.{Path(page.file.src_uri).stem}."
    parts = _parts(Path(config.config_file_path).parent / PACKAGE)
    shown = {module: members for name in CALLED for module, members in _shown(name, parts[name]).items()}
    places = [f"{module}.{one}" for module, members in shown.items() for one in members]

    def linked(found: re.Match[str]) -> str:
        is_word = found[1].islower() and found[1].isalpha()  # which may be an argument
        here = [place for place in places if f".{place}".endswith(f".{found[1]}") and not is_word]
        [place] = here if len(here) == 1 else [one for one in here if one.startswith(part)][:1] or [""]
        return f'<autoref identifier="{place}" optional>{found[0]}</autoref>' if place else found[0]

    return NAME.sub(linked, html)


def _shown(name: str, path: Path) -> dict[str, list[str]]:
    """What the page of a part shows, by module: what a package exports, then what else its modules define."""
    dotted = f"{PACKAGE}.{name}"
    if path.name != "__init__.py":
        return {dotted: _defined(path)}
    exported = _exported(path)
    inner = {f"{dotted}.{module.stem}": _defined(module) for module in sorted(path.parent.glob("[!_]*.py"))}
    rest = {module: [one for one in defined if one not in exported] for module, defined in inner.items()}
    return {dotted: exported, **{module: defined for module, defined in rest.items() if defined}}


def _parts(package: Path) -> dict[str, Path]:
    """The modules and packages right in the package, by name: where their code starts."""
    modules = {path.stem: path for path in package.glob("*.py") if path.stem != "__init__"}
    packages = {path.parent.name: path for path in package.glob("*/__init__.py")}
    return dict(sorted((modules | packages).items()))


def _overview(parts: dict[str, Path]) -> str:
    """A table of the parts that people call and one of the others, with the first line of the docstring of each."""
    called = [f"| [{name}]({name}.md) | {_first_line(parts[name])} |" for name in CALLED]
    others = [f"| `{name}` | {_first_line(path)} |" for name, path in parts.items() if name not in CALLED]
    head = ["| part | what it contains |", "| --- | --- |"]
    title = f"# Python reference\n\nThe parts of `{PACKAGE}` that people and bundles call.\n"
    inner = "\n## Inner parts\n\nThe others call these. Their docstrings stand in the source.\n"
    return "\n".join([title, *head, *called, inner, *head, *others, ""])


def _page(name: str, path: Path) -> str:
    """The page of a part."""
    (dotted, members), *inner = _shown(name, path).items()
    blocks = [f"# {name}\n\n{_directive(dotted, members, 2)}"]
    for module, defined in inner:
        blocks.append(f"## {module.removeprefix(f'{PACKAGE}.')}\n\n{_directive(module, defined, 3)}")
    return "\n".join(blocks)


def _directive(dotted: str, members: list[str], level: int) -> str:
    """The line that mkdocstrings replaces, and its options."""
    shown = "[" + ", ".join(members) + "]" if members else "false"
    return f"::: {dotted}\n    options:\n      members: {shown}\n      heading_level: {level}\n"


def _defined(path: Path) -> list[str]:
    """The public classes and functions that a module defines, in order."""
    defined = (node for node in _tree(path).body if isinstance(node, ast.ClassDef | ast.FunctionDef))
    return [node.name for node in defined if not node.name.startswith("_")]


def _exported(path: Path) -> list[str]:
    """What `__all__` of a module names; nothing if it has none."""
    for node in _tree(path).body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return []


def _first_line(path: Path) -> str:
    """The first line of the docstring of a module."""
    return (ast.get_docstring(_tree(path)) or "").partition("\n")[0]


@cache
def _tree(path: Path) -> ast.Module:
    """The code of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))
