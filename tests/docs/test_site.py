"""The site: it is built without a warning, its links lead somewhere, and it needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pages import REPOSITORY
from spared import fresh

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
OF_NO_FILE = {"canonical", "prev", "next"}  # kinds of `link` that load nothing


class Page(HTMLParser):
    """A page of the site: its links, what it loads, and the names of its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in LOADED and LOADED[tag] in given and given.get("rel") not in OF_NO_FILE:
            self.loaded.append(given[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; mkdocs fails at the first warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", "mkdocs.yml", "-d", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, env=fresh())  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """The pages of the site by their files, of bundles those of one method, without the page of lost addresses."""
    others = {path for path in site.glob("bundles/*_*/**/*.html") if "_nacl/" not in path.as_posix()}
    return {path: Page(path) for path in set(site.rglob("*.html")) - others if path.name != "404.html"}


def test_every_link_leads_to_a_file_and_a_place_in_it(pages: dict[Path, Page]) -> None:
    assert len(pages) > 30
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), (path, link)
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].places, (path, link)


def test_nothing_comes_from_the_network(site: Path, pages: dict[Path, Page]) -> None:
    loaded = {one for page in pages.values() for one in page.loaded}
    assert not [one for one in loaded if urlsplit(one).netloc]
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert not [found for style in styles for found in re.findall(r"(?:url\(|@import)[\"' ]*(?:https?:)?//", style)]


def test_the_search_works_from_disk(site: Path, pages: dict[Path, Page]) -> None:
    assert all(any(one.endswith("iframe-worker.js") for one in page.loaded) for page in pages.values())
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = {")
    for location in ("docs/train.html", "reference/losses.html#calib_monai.losses.NACLLoss"):
        assert f'"location":"{location}"' in index


def test_the_reference_shows_formulas_arguments_and_examples(site: Path) -> None:
    page = (site / "reference" / "losses.html").read_text(encoding="utf-8")
    assert r'<div class="formula"><svg role="img" aria-label="L = -\frac{1}{N} \sum_i' in page
    assert all(shown in page for shown in ("penalty_weight", "Raises", "Examples"))


def test_a_function_that_a_docstring_names_is_a_link(site: Path) -> None:
    page = (site / "reference" / "datalists.html").read_text(encoding="utf-8")
    assert re.search(r'<a [^>]*href="#calib_monai\.datalists\.patterns\.find_cases"><code>find_cases</code></a>', page)


def test_every_part_that_a_bundle_names_has_a_page(site: Path) -> None:
    configs = [path.read_text(encoding="utf-8") for path in REPOSITORY.glob("bundles/*/configs/*.json")]
    named = {part for text in configs for part in re.findall(r'"calib_monai\.(\w+)', text)}
    assert {part for part in named if not (site / "reference" / f"{part}.html").is_file()} == set()


def test_no_docstring_shows_signs_of_markup(site: Path) -> None:
    quoted, other = (
        "<blockquote>",
        r"<p>[^<]*(?:&gt;&gt;&gt;|\.\. \w+::|Args:|Raises:|:\w+:`)",
    )  # a >>> quotes
    signs = re.compile(f"{quoted}|{other}")
    for path in (site / "reference").glob("*.html"):
        found = signs.search(path.read_text(encoding="utf-8"))
        assert not found, (path, found)
