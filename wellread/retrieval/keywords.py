"""A text in, the terms that keyword search knows it by out: stems without case or accents, by the rules of its language."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import snowballstemmer

from wellread.function_words import LISTS, language
from wellread.matching import words

STEMMERS = {"en": "english", "fr": "french"}
_LETTERS = 20_000
"""Of a text so many characters tell its language."""


def terms(text: str, language: str = "") -> list[str]:
    """The terms of a text, in order and with repetitions: what an index counts.

    Words as `matching.words` spells them (casefolded; `l'homme` and `qu’il` part after the particle, as do `jusqu'à` and
    `peut-être`), stemmed by Snowball's rules for the language (Porter 2 for `en`, its French ones for `fr`), without accents.
    No term holds white space, so that an engine may be handed them joined by spaces. `language` is found by
    `language_of` if empty; words of a language that has no rules are not stemmed.
    """
    tongue = language or language_of(text)
    return [_term(word, tongue) for word, _, _ in words(text)]


def query_terms(query: str, language: str = "") -> list[str]:
    """The terms that a question is searched by: those of its words that say what it is about.

    Function words of the language (`who`, `did`, `est-ce que`) are left out, unless there is nothing else. Name the language
    of what is searched: a question is often too short to tell, and stems of two languages do not meet.
    """
    tongue = language or language_of(query)
    asked = [word for word, _, _ in words(query)]
    telling = [word for word in asked if word not in LISTS.get(tongue, frozenset())]
    return [_term(word, tongue) for word in telling or asked]


def language_of(text: str, otherwise: str = "") -> str:
    """`en` or `fr`, by the function words of a text's beginning; `otherwise` where it holds too few of either."""
    return language(Counter(word for word, _, _ in words(text[:_LETTERS]))) or otherwise


def language_of_all(texts: Sequence[str]) -> str:
    """The language of most of some texts, by their length; empty where it cannot be told of any."""
    sizes: Counter[str] = Counter()
    for text in texts:
        sizes[language_of(text)] += len(text)
    del sizes[""]
    return sizes.most_common(1)[0][0] if sizes else ""


@lru_cache(maxsize=200_000)
def _term(word: str, tongue: str) -> str:
    stem = _stemmer(tongue).stemWord(word) if tongue in STEMMERS else word
    return without_accents(stem) or word


def without_accents(word: str) -> str:
    """The word without combining marks, composed or not, and with œ and æ as two letters."""
    if word.isascii():
        return word
    bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return bare.replace("œ", "oe").replace("æ", "ae")


@lru_cache(maxsize=4)
def _stemmer(tongue: str) -> snowballstemmer.Stemmer:
    return snowballstemmer.stemmer(STEMMERS[tongue])
