"""Scores of a text in, its surprise word by word and its recited passages out, as few characters as a page can carry."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wellread.scorefile import Spans, Tokens

Bytes: TypeAlias = NDArray[np.int64]

_BLANKS = " \t\n\r\f\v"
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
UNIT = f"[{_BLANKS}]*(?:[{_IDEOGRAPHS}]|[^{_BLANKS}{_IDEOGRAPHS}]+)"
"""A word with the blanks before it and the punctuation on it; a Han or kana character is one of its own. The page cuts
its text by this very expression, which means the same in Python and in JavaScript (with the flag u)."""
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
"""A word's surprise is one of these: as many steps as its place here, the last for all that is more."""
STEP = 0.5
"""Bits."""
SHADES = (1.0, 3.0, 6.0, 10.0, 15.0)
"""Bits from which a word has the next darker shade."""
SURE = 0.5
"""The chance from which a passage counts as recited more often than not."""
GREEDY_MARK, SURE_MARK = 1, 2

_UNIT = re.compile(UNIT)


def shade(bits: float) -> int:
    """0 for what was foreseen, to `len(SHADES)` for what nobody could have."""
    return bisect_right(SHADES, bits)


def shades() -> str:
    """The shade of every digit, in the order of the digits."""
    return "".join(str(shade(place * STEP)) for place in range(len(DIGITS)))


def unit_ends(text: str) -> Bytes:
    """The byte at which each word ends."""
    characters = np.fromiter((found.end() for found in _UNIT.finditer(text)), np.int64)
    if text.isascii():
        return characters
    encoded = np.frombuffer(text.encode(), np.uint8)
    begins = np.append(np.flatnonzero((encoded & 0xC0) != 0x80), len(encoded))
    return np.asarray(begins[characters], np.int64)


def surprise(text: str, ends: Bytes, tokens: Tokens) -> NDArray[np.float64]:
    """Bits of each word that is scored whole, from the first on; `ends` are the text's `unit_ends`.

    A token that reaches into several words counts where its last letter stands; blanks alone count with the word after
    them. A word that the scores break off in is left out.
    """
    scored = int(tokens.ends[-1]) if len(tokens.ends) else 0
    whole = int(np.searchsorted(ends, scored, side="right"))
    if not whole:
        return np.zeros(0)
    encoded = np.frombuffer(text.encode(), np.uint8)[:scored]
    solid = np.where(np.isin(encoded, np.frombuffer(_BLANKS.encode(), np.uint8)), -1, np.arange(scored))
    last = np.maximum.accumulate(solid)[tokens.ends - 1]
    begins = np.append(0, tokens.ends[:-1])
    stands = np.where(last >= begins, last, tokens.ends - 1)
    word = np.minimum(np.searchsorted(ends, stands, side="right"), len(ends) - 1)
    bits = np.bincount(word, tokens.logprobs.astype(np.float64) / -math.log(2), minlength=whole)
    return np.asarray(bits[:whole], np.float64)


def digits(bits: NDArray[np.float64]) -> str:
    """One digit a word; the last for one that a diverged model has no number for."""
    places = np.nan_to_num(np.clip(np.rint(bits / STEP), 0, len(DIGITS) - 1), nan=len(DIGITS) - 1).astype(np.int64)
    return "".join(DIGITS[place] for place in places.tolist())


def marks(ends: Bytes, spans: Spans) -> list[int]:
    """Runs of recited words, three numbers each: the first word, how many, and how surely (`GREEDY_MARK`, `SURE_MARK`).

    A span that begins or ends within a word takes the whole word.
    """
    if not len(ends):
        return []
    strength = np.zeros(len(ends), np.int64)
    first = np.minimum(np.searchsorted(ends, spans.begins, side="right"), len(ends) - 1)
    after = np.minimum(np.searchsorted(ends, spans.ends - 1, side="right") + 1, len(ends))
    sure = spans.logprobs >= math.log(SURE)
    for begin, end, surely in zip(
        first[spans.greedy | sure], after[spans.greedy | sure], sure[spans.greedy | sure], strict=True
    ):
        mark = SURE_MARK if surely else GREEDY_MARK
        strength[begin:end] = np.maximum(strength[begin:end], mark)
    edges = np.flatnonzero(np.diff(strength, prepend=-1, append=-1))
    return [
        number
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        if strength[begin]
        for number in (begin, end - begin, int(strength[begin]))
    ]
