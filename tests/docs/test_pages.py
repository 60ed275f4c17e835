"""The pages: README is short, links lead somewhere, tables are current, and messages are those of the package."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import first_page
import key_reference
import pytest
import which_method
from pages import PAGES, README, REPOSITORY, anchors_of, links_of, named, prose_of

LINKED = [*PAGES, *(REPOSITORY / name for name in ("CONTRIBUTING.md", "results/README.md", "workflow/README.md"))]
OF_OTHERS = {
    *("query key: ", "Expecting ',' delimiter: line", "Failed to instantiate component", "Failed to evaluate"),
    *("Not all config files are in", "Expecting property name enclosed in double quotes"),
    *(
        "invalid literal for int() with base 10",
        "Cannot find the config file",
        "list index out of range",
        "File too large",
        "No space left on device",
        "CUDA out of memory",
        "DataLoader worker (pid ",
        ") is killed",
    ),
}  # messages of MONAI, PyTorch, Python and the system


def test_the_first_page_is_read_at_once() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert len(text.split()) <= 1000


def test_contributing_stays_short() -> None:
    assert len((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", LINKED, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in links_of(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors_of(file), target


def test_the_trained_networks_of_a_page_are_there() -> None:
    text = (REPOSITORY / "docs" / "predict.md").read_text(encoding="utf-8")
    folders = set(re.findall(r"results/[\w/]+_seed\d+", text))
    of_three = ("acdc/seeds/ce_seed1", "acdc/seeds/ce_seed2")
    names = ("acdc/main/soft_dice_seed0", "acdc/main/ce_seed0", "busi/network/soft_dice_seed0", *of_three)
    assert folders == {f"results/{name}" for name in names}
    assert [folder for folder in folders if not (REPOSITORY / folder / "model.pt").is_file()] == []


def test_every_page_is_linked() -> None:
    linked = {(page.parent / target.partition("#")[0]).resolve() for page in LINKED for target in links_of(page)}
    assert [named(page) for page in PAGES[1:] if page not in linked and page.stem != "index"] == []


def test_nothing_is_said_twice() -> None:
    """Eleven words in a row; README tells in short what pages behind it tell."""
    pages_of: dict[tuple[str, ...], set[str]] = {}
    for page in LINKED[1:]:
        words = re.findall(r"\w+", re.sub(r"\]\([^)]*\)", "", prose_of(page)))
        for place in range(len(words) - 10):
            pages_of.setdefault(tuple(words[place : place + 11]), set()).add(named(page))
    assert {" ".join(words): pages for words, pages in pages_of.items() if len(pages) > 1} == {}


def test_the_tables_of_keys_are_current() -> None:
    key_reference.main(["--check"])


def test_the_numbers_that_choose_a_method_are_those_of_the_results() -> None:
    which_method.main(["--check"])
    assert which_method.page_of('{{ dice("volumes", "soft_dice") }}') == "0.885"
    with pytest.raises(
        ValueError, match=r"^results/hippocampus/volumes/results.json has no row 'ace'; its rows are soft_dice"
    ):
        which_method.page_of('{{ ece("volumes", "ace") }}')


def texts_in_the_package() -> Iterator[str]:
    """All constant texts that are no docstrings, those of one f-string in their order."""
    for path in (REPOSITORY / "calib_monai").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield "\0".join(part.value for part in node.values if isinstance(part, ast.Constant))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
                yield node.value


def test_the_table_of_the_first_page_is_that_of_the_results() -> None:
    first_page.main(["--check"])
    text = README.read_text(encoding="utf-8")
    assert first_page.page_of(text.replace("0.885±0.008", "0.999±0.001", 1)) == text
    file = REPOSITORY / "results" / "busi" / "crac_posthoc" / "results.json"
    crac = json.loads(file.read_text(encoding="utf-8"))["rows"]["crac"]["measures"]
    dice, nll = ([crac[name]["mean"], *crac[name]["interval"]] for name in ("dice_foreground", "nll_all"))
    assert (
        f"| `crac` | {dice[0]:.3f}±{dice[2] - dice[0]:.3f} | {1e3 * nll[0]:.1f}±{1e3 * (nll[2] - nll[0]):.1f} |" in text
    )


def test_every_message_that_a_page_explains_is_one() -> None:
    page = (REPOSITORY / "docs" / "when_something_goes_wrong.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    messages = {message for cell in cells for message in re.findall(r"`([^`]+)`", cell)}
    assert len(messages) > 50
    texts = list(texts_in_the_package())

    def is_said(message: str) -> bool:
        form = ".*".join(re.escape(part.strip()) for part in message.split("..."))
        return any(re.search(form, text, re.DOTALL) for text in texts)

    others = {message for message in messages if any(said in message for said in OF_OTHERS)}
    assert sorted(message for message in messages - others if not is_said(message)) == []


def test_the_first_page_has_the_figures_of_the_pages_behind_it() -> None:
    text = README.read_text(encoding="utf-8")
    calibrate = (REPOSITORY / "docs" / "calibrate.md").read_text(encoding="utf-8")
    nll = {
        name: re.findall(rf"^\| {name} \| ([\d.]+) \|", calibrate, re.MULTILINE)[0] for name in ("none", "TS", "LTS")
    }
    which = (REPOSITORY / "docs" / "which_method.md").read_text(encoding="utf-8")
    assert f"kept at epoch 11: NLL {'; '.join(nll.values())}." in which
    rows = json.loads((REPOSITORY / "results" / "hippocampus" / "shifted" / "shifted.json").read_text())["rows"]
    before, after = (next(row for row in rows if row["constant"] == constant) for constant in (0, 2))
    assert f"({before['ece_foreground']:.3f} to {after['ece_foreground']:.3f})" in " ".join(text.split())
    errors = [f"{100 * row['volume_error']:.0f} %" for row in (after, before)]
    assert f"wrong by {errors[0]} instead of {errors[1]}" in " ".join(text.split())
