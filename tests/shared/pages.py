"""The pages of the documentation: README and docs/, their blocks of code, their links and headings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "README.md"
PAGES = [README, *sorted((REPOSITORY / "docs").rglob("*.md"))]
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
REMARK = re.compile(r"(^|\s)#\s.*$")
NAME_OF_JSON = re.compile(r"`(\w+\.json)`")


class Block(NamedTuple):
    """A block of code: its language, its lines without their indentation, and the text of the page before it."""

    language: str
    code: str
    before: str


def named(page: Path) -> str:
    """The path of a page in the repository, which names its tests."""
    return str(page.relative_to(REPOSITORY))


def blocks_of(page: Path, language: str | None = None) -> list[Block]:
    """The blocks of a page, or those in one language."""
    text = page.read_text(encoding="utf-8")
    found = [
        Block(match[2], re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE), text[: match.start()])
        for match in FENCED.finditer(text)
    ]
    return [block for block in found if language in (None, block.language)]


def prose_of(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def commands_in(code: str) -> list[str]:
    """The commands of a block of shell: continued lines joined, variables replaced by their values, no remarks."""
    values: dict[str, str] = {}
    commands = []
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(REMARK.sub("", line))
        if len(words) == 1 and (assigned := re.fullmatch(r"([A-Z]+)=(\S+)", words[0])):
            values[assigned[1]] = assigned[2]
        elif words:
            commands.append(
                shlex.join(re.sub(r"\$([A-Z]+)\b", lambda name: values.get(name[1], name[0]), word) for word in words)
            )
    return commands


def commands_of(page: Path) -> list[str]:
    """The commands of all blocks of shell on a page; a variable holds from one block to the next."""
    return commands_in("\n".join(block.code for block in blocks_of(page, "bash")))


def jsons_of(page: Path) -> dict[str, str]:
    """The JSON files that a page shows, by the name that the text before them gives last."""
    return {NAME_OF_JSON.findall(block.before)[-1]: block.code for block in blocks_of(page, "json")}


def links_of(page: Path) -> list[str]:
    """The targets of the links and pictures of a page that are no addresses of the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    return [target for target in found if not target.startswith(("http:", "https:"))]


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}
