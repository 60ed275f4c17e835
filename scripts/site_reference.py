"""A hook of MkDocs: the Python reference, a page for each part of the package, written from its docstrings.

The pages are made when the site is built. mkdocstrings fills them.
"""

from __future__ import annotations

import ast
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PACKAGE = "calib_monai"
OVERVIEW = "reference/README.md"
IN_MENU = (  # what people call; the overview names the rest, too
    *("losses", "metrics", "regions", "bins", "measures", "posthoc", "networks", "views", "lagrangian", "priors"),
    *("boundaries", "handlers", "reports", "experiments", "datalists", "refusals"),
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference to the menu."""
    pages = [{name: f"reference/{name}.md"} for name in IN_MENU]
    config.nav = [*(config.nav or []), {"Python reference": [OVERVIEW, *pages]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    parts = _parts(Path(config.config_file_path).parent / PACKAGE)
    for name, path in parts.items():
        files.append(File.generated(config, f"reference/{name}.md", content=_page(name, path)))
    files.append(File.generated(config, OVERVIEW, content=_overview(parts)))
    return files


def _parts(package: Path) -> dict[str, Path]:
    """The modules and packages right in the package, by name: where their code starts."""
    modules = {path.stem: path for path in package.glob("*.py") if path.stem != "__init__"}
    packages = {path.parent.name: path for path in package.glob("*/__init__.py")}
    return dict(sorted((modules | packages).items()))


def _overview(parts: dict[str, Path]) -> str:
    """A table of all parts, with the first line of the docstring of each."""
    rows = [f"| [{name}]({name}.md) | {_first_line(path)} |" for name, path in parts.items()]
    table = "\n".join(["| part | what it contains |", "| --- | --- |", *rows])
    return f"# Python reference\n\nThe parts of `{PACKAGE}`, from their docstrings.\n\n{table}\n"


def _page(name: str, path: Path) -> str:
    """The page of a part: what a package exports, then what else its modules define."""
    dotted = f"{PACKAGE}.{name}"
    if path.name != "__init__.py":
        return f"# {name}\n\n{_directive(dotted, _defined(path), 2)}"
    exported = _exported(path)
    blocks = [f"# {name}\n\n{_directive(dotted, exported, 2)}"]
    for module in sorted(path.parent.glob("*.py")):
        if rest := [one for one in _defined(module) if one not in exported]:
            own = f"{dotted}.{module.stem}" if module.stem != "__init__" else dotted
            blocks.append(f"## {name}.{module.stem}\n\n{_directive(own, rest, 3)}")
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


def _tree(path: Path) -> ast.Module:
    """The code of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))
