"""Whether an expected phrase, or a key fact, stands in an answer, however it is spelt."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from wellread.function_words import ENGLISH, FRENCH
from wellread.matching import spelt_alike, words

_ARTICLES = frozenset(["a", "an", "the", "le", "la", "les", "l", "un", "une", "des"])
_LINKS = frozenset(["of", "de", "du", "d"])
_NUMBERS = frozenset(["one", "two", "once", "twice"])
"""Function words of the lists that are numbers, too: `one spade` says more than `spade`. French `un` is an article first."""
_BRACKETS = re.compile(r"\s*\([^()]*\)\s*$")
_SIGNS = re.compile(r"[+#]+(?!\w)")
"""Behind a word they make another of it: `C`, `C++` and `C#` are three."""
_ENDINGS = ("ies", "es", "s", "x", "e")
_SHORTEST_STEM = 3


class Word(NamedTuple):
    """A word of a text: folded for comparison, and as it was spelt."""

    folded: str
    spelt: str


def stands_in(phrase: str, text: str) -> bool:
    """Whether the words of a phrase stand together in a text.

    Case, accents, punctuation and a leading article make no difference, nor does it whether a word is written in one or
    with a hyphen or space (`data base`, `database`); `&` is `and`, and what a phrase ends with in brackets may be left
    out. A single word with two capitals or more (`IT`, `IoT`) must stand with its capitals: `it` is another word. So is a word
    with `+` or `#` behind it; a phrase of signs alone stands where they do.
    """
    said = list(folded(text, signs=True))
    return any(
        _stands(wanted, said) if words(wanted) else spelt_alike(wanted, text)
        for wanted in {phrase, _BRACKETS.sub("", phrase)}
        if wanted.strip()
    )


def _stands(phrase: str, said: list[Word]) -> bool:
    wanted = list(folded(phrase, signs=True))
    while len(wanted) > 1 and wanted[0].folded in _ARTICLES:
        wanted = wanted[1:]
    joined, spelt = "".join(word.folded for word in wanted), "".join(word.spelt for word in wanted)
    if not joined:
        return False
    strict = len(phrase.split()) == 1 and sum(letter.isupper() for letter in spelt) >= 2
    return any(not strict or found == spelt for found in _runs(said, joined))


def _runs(said: list[Word], joined: str) -> Iterator[str]:
    """Every run of whole words that, joined, is `joined`, as it was spelt."""
    for start in range(len(said)):
        run, end = "", start
        while end < len(said) and len(run) < len(joined):
            run += said[end].folded
            end += 1
        if run == joined:
            yield "".join(word.spelt for word in said[start:end])


def folded(text: str, *, signs: bool = False) -> Iterator[Word]:
    """The words of a text without case, accents or punctuation, but with `signs` those that make another word; `&` is `and`."""
    text = text.replace("&", " and ")
    for word, start, end in words(text):
        letters = unicodedata.normalize("NFKD", word)
        plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
        behind = _SIGNS.match(text, end) if signs else None
        plain += behind.group() if behind else ""
        yield Word(plain, "".join(letter for letter in text[start:end] if letter.isalnum()))


def fact_stands_in(fact: str, text: str, asked: str = "") -> bool:
    """Whether every word of a key fact that says something stands in a text, in whatever order or number.

    `|` parts other ways to say it: `twelve|12|a dozen`. Function words but numbers do not count, nor does the end that a
    plural or a feminine has. Where what is left stands in the question, `asked`, too, an echo would hold it: then function
    words count but for articles, and a wording of which even these stand there counts for nothing.
    """
    have = _stems(text)
    return any(said <= have for said in _wordings(fact, asked))


def can_judge(fact: str, asked: str) -> bool:
    """Whether a key fact says anything that the question, `asked`, does not say itself."""
    return bool(_wordings(fact, asked))


def _wordings(fact: str, asked: str) -> list[set[str]]:
    """What each wording of a fact asks for; none for a wording that the question holds."""
    known, found = _stems(asked), []
    for wording in fact.split("|"):
        told = [word.folded for word in folded(wording)]
        content = {stem(word) for word in told if word in _NUMBERS or (word not in ENGLISH and word not in FRENCH)}
        every = {stem(word) for word in told if word not in _ARTICLES | _LINKS} or set(map(stem, told))
        said = every if content <= known else content
        if not said <= known:
            found.append(said)
    return found


def _stems(text: str) -> set[str]:
    return {stem(word.folded) for word in folded(text)}


def stem(word: str) -> str:
    """A word without the end of a plural or a feminine, for comparison only: `cities` and `city` are both `cit`."""
    if word.endswith("y") and len(word) > _SHORTEST_STEM:
        return word[:-1]
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _SHORTEST_STEM), "")
    return word[: len(word) - len(ending)]
