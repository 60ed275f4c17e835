"""Spelling: the word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The end of a message that suggests the nearest of the words, empty where none is near."""
    near = nearest(word, words)
    return f"; did you mean {near}?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of the words that is spelled most like a word, empty where none is."""
    return next(iter(difflib.get_close_matches(word, sorted(words), n=1)), "")
