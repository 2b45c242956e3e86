"""Terms in, the look-alikes of each out: names of the same glossary that are easily taken for each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from wellread.synthesis.checking import spelled
from wellread.synthesis.invented import short
from wellread.types import Term

MOST = 3
LEAST = 0.3
"""Of 1 for equal names."""


def look_alikes(terms: Sequence[Term]) -> Mapping[Term, Sequence[Term]]:
    """For each term the most alike others, at most three, the nearest first, ties in the order of the glossary.

    Acronyms are alike by letters in the same places, from the left or from the right; words by words they share.
    Only names that share a beginning, an end or a word are compared.
    """
    near: dict[str, list[int]] = defaultdict(list)
    for place, term in enumerate(terms):
        for key in _keys(term.name):
            near[key].append(place)
    found = {}
    for term in terms:
        others = dict.fromkeys(
            other for key in _keys(term.name) for other in near[key] if terms[other].name != term.name
        )
        scored = sorted((-likeness(term.name, terms[other].name), other) for other in others)
        found[term] = [terms[other] for score, other in scored if -score >= LEAST][:MOST]
    return found


def likeness(one: str, other: str) -> float:
    """How alike two names are, from 0 to 1."""
    if short(one) and short(other):
        longest = max(len(one), len(other))
        left = sum(a == b for a, b in zip(one, other, strict=False))
        right = sum(a == b for a, b in zip(reversed(one), reversed(other), strict=False))
        return max(left, right) / longest
    mine, yours = set(spelled(one)), set(spelled(other))
    return len(mine & yours) / max(len(mine), len(yours), 1)


def _keys(name: str) -> list[str]:
    if short(name):
        return [f"^{name[0]}{len(name)}", f"{name[-1]}{len(name)}$"]
    return [word for word in spelled(name) if len(word) > 3]
