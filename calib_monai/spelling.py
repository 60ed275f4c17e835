"""Spelling: suggests the word that was probably meant, and shortens long lists of words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a message that suggests the nearest of the words, empty if none is near."""
    near = nearest(word, words)
    return f"; did you mean {near}?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of the words whose spelling is nearest to a word, empty if none is near."""
    return next(iter(difflib.get_close_matches(word, sorted(words), n=1)), "")


def first_of(words: Sequence[str], most: int) -> str:
    """The words with commas; if there are more than `most`, the first ones and the number of the others.

    Examples:
        >>> first_of(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
