"""Spelling: suggests the word that was probably meant, and shortens long lists of words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a message that suggests the nearest of the words, empty if none is near."""
    near = nearest(word, words)
    return f"; did you mean {near}?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of the words whose spelling is nearest to a word, empty if none is near.

    A word that differs only in the zeros before its numbers, or in capitals, is the nearest.

    Examples:
        >>> nearest("case_36", ["case_366", "case_036"])
        'case_036'
    """
    candidates = sorted(words)
    plain = _plain(word)
    same = [candidate for candidate in candidates if _plain(candidate) == plain]
    return next(iter(same or difflib.get_close_matches(word, candidates, n=1)), "")


def _plain(word: str) -> str:
    """A word in small letters, whose numbers have no zeros before them."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", word.lower())


def first_of(words: Sequence[str], most: int) -> str:
    """The words with commas; if there are more than `most`, the first ones and the number of the others.

    Examples:
        >>> first_of(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
