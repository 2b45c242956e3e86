"""A text in, JSON out by regular expressions alone: the baseline that a taught model has to beat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wellread.numerals import number
from wellread.recipe.extraction import Patterns


def find(text: str, patterns: Patterns) -> list[dict[str, Any]]:
    """One object for every match, in the order of the text; the same object once.

    Where `words` are given, a match with a word that is no numeral and not among them is none.
    """
    words = {word.casefold(): value for word, value in patterns.words.items()}
    known = set(words.values())
    taken: list[tuple[int, int, dict[str, Any]]] = []
    for pattern in patterns.find:
        for match in re.finditer(pattern, text, re.IGNORECASE):
            if match.end() > match.start() and all(
                match.end() <= start or match.start() >= end for start, end, _ in taken
            ):
                given = {
                    name.replace("__", "."): value_of(said, words) for name, said in match.groupdict().items() if said
                }
                if not known or not any(isinstance(value, str) and value not in known for value in given.values()):
                    taken.append((match.start(), match.end(), filled(given, patterns)))
    found: list[dict[str, Any]] = []
    for _, _, item in sorted(taken, key=lambda each: each[0]):
        if item not in found:
            found.append(item)
    return found


def filled(given: Mapping[str, Any], patterns: Patterns) -> dict[str, Any]:
    """The fields found, those that are the same as others, and the defaults, paths opened into objects."""
    values = dict(given)
    for missing, other in patterns.same.items():
        if missing not in values and other in values:
            values[missing] = values[other]
    item: dict[str, Any] = {}
    for path, value in {**patterns.defaults, **values}.items():
        inner = item
        *outer, last = path.split(".")
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return item


def value_of(said: str, words: Mapping[str, int | str]) -> int | str:
    """What a word means: what `words` (in lower case) say, a number, or itself."""
    said = said.strip()
    if said.casefold() in words:
        return words[said.casefold()]
    read = number(said)
    return said if read is None else read
