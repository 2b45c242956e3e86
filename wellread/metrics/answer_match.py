"""An answer and the right ones in, how far they agree out: exactly, or by the words they share, as SQuAD counts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_ARTICLES = {
    "en": re.compile(r"\b(?:a|an|the)\b"),
    "fr": re.compile(r"\b(?:l['’]|(?:le|la|les|un|une|des|du|au|aux)\b)"),
}
_CITED = re.compile(r"\s*\[\d+(?:\s*[,;–-]\s*\d+)*\]")


def normalised(text: str, language: str = "en") -> str:
    """Small letters, no punctuation, no articles, single blanks, no numbers of sources in brackets.

    After the evaluation of SQuAD (Rajpurkar et al. 2016, 1606.05250); French articles as FQuAD (2002.06071) leaves them
    out. A language other than French has the English articles taken out.
    """
    text = unicodedata.normalize("NFC", _CITED.sub("", text)).casefold()
    text = _ARTICLES.get(language, _ARTICLES["en"]).sub(" ", text)
    return " ".join("".join(sign for sign in text if not _punctuation(sign)).split())


def exact(said: str, right: Sequence[str], language: str = "en") -> float:
    """1 where the answer is one of the right ones once both are normalised."""
    mine = normalised(said, language)
    return float(any(mine == normalised(each, language) for each in right))


def contains(said: str, right: Sequence[str], language: str = "en") -> float:
    """1 where the words of a right answer stand in the answer one after another."""
    mine = f" {normalised(said, language)} "
    return float(any(f" {wanted} " in mine for each in right if (wanted := normalised(each, language))))


def f1(said: str, right: Sequence[str], language: str = "en") -> float:
    """Harmonic mean of the shares of words that answer and right answer have in common; the best over all right ones."""
    return max(
        (_f1(normalised(said, language).split(), normalised(each, language).split()) for each in right), default=0.0
    )


def _f1(mine: list[str], theirs: list[str]) -> float:
    if not mine or not theirs:
        return float(mine == theirs)
    common = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * common / (len(mine) + len(theirs))


def _punctuation(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "PS"
