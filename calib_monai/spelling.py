"""Spelling: the word that was probably meant, and the first of many words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a message that suggests the nearest of the words, empty where none is near."""
    near = nearest(word, words)
    return f"; did you mean {near}?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of the words that is spelled most like a word, empty where none is."""
    return next(iter(difflib.get_close_matches(word, sorted(words), n=1)), "")


def first_of(words: Sequence[str], most: int) -> str:
    """The words with commas, of more than `most` the first and how many more there are.

    >>> first_of(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
