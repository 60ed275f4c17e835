"""A hook of MkDocs: the files of the site.

The site mirrors the repository: README.md is its first page, `docs/train.md` becomes `docs/train.html`. So a relative
link works on the site as on a code host. What a page links to is on the site, too: other pages, pictures, files.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
START = ("README.md", "CHANGELOG.md", "workflow/README.md")  # what the menu shows beside docs/


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files in docs_dir, at their place in the repository, and all that they and README link to."""
    root, docs = Path(config.config_file_path).resolve().parent, Path(config.docs_dir).resolve()
    within = docs.relative_to(root).as_posix()
    kept = Files([file for file in files if file.src_dir != config.docs_dir])  # the theme's
    waiting = [*START, *(f"{within}/{file.src_uri}" for file in files if file.src_dir == config.docs_dir)]
    found: set[str] = set()
    while waiting:
        uri = waiting.pop()
        if uri in found or not (root / uri).is_file():  # MkDocs tells the link that leads nowhere
            continue
        found.add(uri)
        kept.append(File.generated(config, uri, abs_src_path=str(root / uri)))
        if uri.endswith(".md"):
            waiting += links((root / uri).read_text(encoding="utf-8"), uri)
    return kept


def links(text: str, uri: str) -> list[str]:
    """The files of the repository to which the Markdown of this file links."""
    targets = (unquote(target) for target in LINK.findall(CODE.sub("", text)) if "://" not in target)
    return [posixpath.normpath(posixpath.join(posixpath.dirname(uri), target)) for target in targets]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """The Markdown of a page, unchanged; the search leaves the pages of bundles out, which differ in a few words."""
    if page.file.src_uri.startswith("bundles/") and page.file.src_uri != "bundles/README.md":
        page.meta["search"] = {"exclude": True}
    return markdown
