"""A synthetic answer in, what it has lost out: expansions and key facts must survive every rewording."""

from __future__ import annotations

from functools import lru_cache

from wellread.matching import spelt_alike, words
from wellread.types import Term

LEAST = 0.5
"""Share of a definition's longer words that an answer keeps, where no key facts say what matters."""
LONG = 4


@lru_cache(maxsize=4096)
def spelled(text: str) -> tuple[str, ...]:
    """The words of a text, without case, punctuation and accents' spelling variants (NFC)."""
    return tuple(word for word, _, _ in words(text))


def holds(text: str, phrase: str) -> bool:
    """Whether the words of a phrase stand in a text one after another; of one without words, whether its signs do."""
    run, whole = spelled(phrase), spelled(text)
    if not run:
        return spelt_alike(phrase, text)
    return any(whole[at : at + len(run)] == run for at in range(len(whole) - len(run) + 1))


def lost(answer: str, term: Term) -> str:
    """Why an answer about a term is wrong, or nothing: its expansion, a key fact, or most of its definition is gone."""
    if term.expansion:
        return "" if holds(answer, term.expansion) else "loses the expansion"
    for fact in term.facts:
        if not holds(answer, fact):
            return "loses a key fact"
    if term.facts:
        return ""
    wanted = {word for word in spelled(term.definition) if len(word) >= LONG} or set(spelled(term.definition))
    kept = wanted & set(spelled(answer))
    return "" if len(kept) >= LEAST * len(wanted) else "loses the definition"


def unnamed(answer: str, term: Term) -> str:
    """Why an answer that should name a term is wrong, or nothing."""
    return "" if any(holds(answer, name) for name in (term.name, *term.aliases)) else "loses the name"
