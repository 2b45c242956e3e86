"""Exact search over a corpus by words: guard, provenance and recitation share it. Needs numpy only.

A word is a run of letters, digits and marks, NFC and casefolded, without punctuation:

- an apostrophe between letters, straight or typographic, is dropped: `don't` and `don’t` are one word, `dont`;
- after an elided French particle it parts two words: `l'homme` is `l`, `homme`; `qu’il` is `qu`, `il`;
  `aujourd'hui` stays one;
- a hyphen or dash parts words: `peut-être` is `peut`, `être`; a soft hyphen or a zero-width character is ignored;
- a Han or kana character is a word of its own, for these scripts do not put spaces between words.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wellread.types import Document, Match

Ids: TypeAlias = NDArray[np.int32]

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Characters that are words of their own, as ranges of a pattern."""
_IGNORED = "\u00ad\u200b-\u200d\u2060\ufeff"
_APOSTROPHES = "'’ʼ＇"
_ELISION = re.compile(f"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu)(?=[{_APOSTROPHES}])", re.IGNORECASE)
_DROPPED = re.compile(f"[{_IGNORED}{_APOSTROPHES}]")
_ENDING = " .,;:!?…'\"‘’“”«»()[]—–-"
_UNKNOWN = -1
_CHUNK = 64


def words(text: str) -> list[tuple[str, int, int]]:
    """The words of a text as (word, start, end): characters of `text` from the word's first letter to its last."""
    return list(_scan(text))


def _scan(text: str) -> Iterator[tuple[str, int, int]]:
    marks = "".join(sorted(c for c in set(text) if not c.isascii() and unicodedata.category(c)[0] == "M"))
    for found in _pattern(marks).finditer(text):
        word, start, end = found.group(), found.start(), found.end()
        if word.isalnum() and word.isascii():
            yield word.lower(), start, end
            continue
        while elided := _ELISION.match(word):
            yield elided.group().lower(), start, start + elided.end()
            start += elided.end() + 1
            word = word[elided.end() + 1 :]
        yield unicodedata.normalize("NFC", _DROPPED.sub("", word).casefold()), start, end


@lru_cache(maxsize=64)
def _pattern(marks: str) -> re.Pattern[str]:
    """A word with its apostrophes, in a text with these combining marks (`\\w` takes marks for punctuation)."""
    letters = f"[^\\W_{_APOSTROPHES}{IDEOGRAPHS}]+"
    mark = f"[{re.escape(marks)}]" if marks else "(?!)"
    run = f"(?:{letters}|{mark})+" if marks else letters
    return re.compile(f"[{IDEOGRAPHS}]{mark}*|{run}(?:[{_IGNORED}{_APOSTROPHES}]{run})*")


class Index:
    """Every run of words in some documents, ready to be looked up: a suffix array over word ids.

    Building takes O(n log n) numpy sorts, shrinking as runs become unique: a book of a million words takes a few
    seconds. 12 bytes a word stay in memory, plus the vocabulary; building peaks at about 90 bytes a word. No run
    crosses from one document into the next.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = tuple(documents)
        self._vocabulary: dict[str, int] = {}
        ids, offsets, firsts = array("i"), array("i"), []
        for document in self._documents:
            firsts.append(len(ids))
            for word, start, _ in _scan(document.text):
                ids.append(self._vocabulary.setdefault(word, len(self._vocabulary)))
                offsets.append(start)
            ids.append(_UNKNOWN)
            offsets.append(len(document.text))
        self._spelt = tuple(self._vocabulary)
        self._ids = np.array(ids, dtype=np.int32)
        breaks = self._ids == _UNKNOWN  # one id of its own per break, so that no two runs agree on one
        self._ids[breaks] = len(self._vocabulary) + np.arange(len(self._documents), dtype=np.int32)
        self._offsets = np.array(offsets, dtype=np.int32)
        self._firsts = np.array(firsts, dtype=np.int64)
        self._suffixes = _suffix_array(self._ids)

    def matches(self, text: str, *, at_least: int, from_char: int = 0) -> list[Match]:
        """The runs of at least `at_least` words that `text` shares with a document, none overlapping another.

        Each begins as far left as possible and is as long as possible from there; its place is the first in the
        corpus where the whole run stands. Only words that begin at `from_char` or later are counted, so that what
        a prompt brought along is never credited to a model: of a run that crosses `from_char` the part after it.
        """
        if at_least < 1:
            raise ValueError(f"a run has at least 1 word; found at_least={at_least}")
        ids, spans = self._read(text, from_char)
        found, after = [], 0
        for start in self._stand(ids, at_least):
            if start < after:
                continue
            length = self._longest_at(ids, start)
            found.append(self._match(ids, spans, start, length))
            after = start + length
        return found

    def longest(self, text: str, from_char: int = 0) -> Match | None:
        """The longest run that `text` shares with a document, the leftmost of equals, counted as in `matches`.

        None where not a single word is shared.
        """
        ids, spans = self._read(text, from_char)
        best, length = 0, 0
        for start in range(len(ids)):
            if len(ids) - start <= length:
                break
            if ids[start] != _UNKNOWN and (here := self._longest_at(ids, start)) > length:
                best, length = start, here
        return self._match(ids, spans, best, length) if length else None

    def holds(self, run: Sequence[str]) -> bool:
        """Whether these words (as `words` spells them) stand in a document one after another; no words always do."""
        ids = np.array([self._vocabulary.get(word, _UNKNOWN) for word in run], dtype=np.int32)
        low, high = self._places(ids)
        return not run or low < high

    def knows(self, word: str) -> bool:
        """Whether a word (as `words` spells it) stands anywhere in the documents."""
        return word in self._vocabulary

    def followers(self, run: Sequence[str]) -> frozenset[str]:
        """The words that come right after these words in some document; none where they do not stand together."""
        ids = np.array([self._vocabulary.get(word, _UNKNOWN) for word in run], dtype=np.int32)
        if _UNKNOWN in ids:
            return frozenset()
        low, high = self._places(ids)
        if low == high:
            return frozenset()
        after = np.unique(self._ids[self._suffixes[low:high] + len(ids)])
        return frozenset(self._spelt[word] for word in after[after < len(self._spelt)])  # the rest are breaks

    def _read(self, text: str, from_char: int) -> tuple[Ids, list[tuple[int, int]]]:
        counted = [(word, start, end) for word, start, end in _scan(text) if start >= from_char]
        ids = np.array([self._vocabulary.get(word, _UNKNOWN) for word, _, _ in counted], dtype=np.int32)
        return ids, [(start, end) for _, start, end in counted]

    def _match(self, ids: Ids, spans: list[tuple[int, int]], start: int, length: int) -> Match:
        low, high = self._places(ids[start : start + length])
        place = int(self._suffixes[low:high].min())
        document = self._documents[int(np.searchsorted(self._firsts, place, side="right")) - 1]
        return Match(
            spans[start][0],
            spans[start + length - 1][1],
            length,
            document.id,
            document.section,
            int(self._offsets[place]),
        )

    def _stand(self, ids: Ids, length: int) -> list[int]:
        """Where in `ids` a run of `length` begins that stands in the corpus: every position narrowed at once."""
        starts = np.arange(max(0, len(ids) - length + 1))
        low, high = np.zeros(len(starts), np.int64), np.full(len(starts), len(self._suffixes))
        for depth in range(length):
            wanted = ids[starts + depth]
            low, high = (self._bound(low, high, depth, wanted, before) for before in (np.less, np.less_equal))
            alive = low < high
            starts, low, high = starts[alive], low[alive], high[alive]
        return [int(start) for start in starts]

    def _bound(
        self, low: NDArray[np.int64], high: NDArray[np.int64], depth: int, wanted: Ids, before: Any
    ) -> NDArray[np.int64]:
        """Binary search in many intervals at once: how far the suffixes' word at `depth` is `before` the wanted."""
        low, high = low.copy(), high.copy()
        while (open_ := low < high).any():
            middle = (low + high) // 2
            at = np.minimum(self._suffixes[np.minimum(middle, len(self._suffixes) - 1)] + depth, len(self._ids) - 1)
            right = open_ & before(self._ids[at], wanted)
            low = np.where(right, middle + 1, low)
            high = np.where(open_ & ~right, middle, high)
        return low

    def _places(self, run: Ids) -> tuple[int, int]:
        """The interval of the suffix array whose suffixes begin with `run`."""
        # single items of a memoryview are read several times as fast as those of an array
        ids, suffixes = self._ids.data, self._suffixes.data
        low, high = 0, len(suffixes)
        for depth, word in enumerate(run.tolist()):

            def at(place: int, depth: int = depth) -> int:
                return ids[suffixes[place] + depth]

            low = bisect_left(range(high), word, low, high, key=at)
            high = bisect_right(range(high), word, low, high, key=at)
            if low == high:
                break
        return low, high

    def _longest_at(self, ids: Ids, start: int) -> int:
        """Words from `start` that stand together in the corpus: one of the neighbours in the suffix array has them."""
        at = self._insertion(ids, start)
        neighbours = self._suffixes[max(at - 1, 0) : at + 1]
        return max((self._shared(ids, start, int(suffix)) for suffix in neighbours), default=0)

    def _insertion(self, ids: Ids, start: int) -> int:
        """The first place in the suffix array whose suffix is not less than `ids[start:]`."""
        low, high = 0, len(self._suffixes)
        while low < high:
            middle = (low + high) // 2
            suffix = int(self._suffixes[middle])
            shared = self._shared(ids, start, suffix)
            if start + shared < len(ids) and self._ids[suffix + shared] < ids[start + shared]:
                low = middle + 1
            else:
                high = middle
        return low

    def _shared(self, ids: Ids, start: int, suffix: int) -> int:
        """How many words `ids[start:]` and the corpus from `suffix` have in common."""
        shared = 0
        while True:
            ours = ids[start + shared : start + shared + _CHUNK]
            theirs = self._ids[suffix + shared : suffix + shared + len(ours)]
            differs = ours[: len(theirs)] != theirs
            if differs.any():
                return shared + int(differs.argmax())
            shared += len(theirs)
            if len(theirs) < _CHUNK:
                return shared


def _suffix_array(ids: Ids) -> Ids:
    """The beginnings of all suffixes of `ids`, sorted: prefix doubling, in which each round sorts only what is not
    yet told apart (Larsson and Sadakane 1999). The last id must be found nowhere else."""
    order = np.argsort(ids, kind="stable")
    rank = np.empty(len(ids), dtype=np.int64)
    open_ = np.arange(len(ids))
    key: NDArray[Any] = ids[order]
    step = 1
    while len(open_):
        first = np.ones(len(open_), dtype=bool)
        first[1:] = key[1:] != key[:-1]
        rank[order[open_]] = np.maximum.accumulate(np.where(first, open_, 0))
        alone = first & np.append(first[1:], True)
        open_ = open_[~alone]
        suffixes = order[open_]
        key = rank[suffixes] * (len(ids) + 1) + rank[np.minimum(suffixes + step, len(ids) - 1)]
        within = np.argsort(key, kind="stable")
        order[open_], key = suffixes[within], key[within]
        step *= 2
    return order.astype(np.int32)


def spelt_alike(signs: str, text: str) -> bool:
    """Whether signs that hold no word (`%`, `.*`, an emoji) stand in a text by themselves; what only parts or ends sentences
    stands nowhere."""
    wanted, said = (" ".join(unicodedata.normalize("NFC", each).casefold().split()) for each in (signs, text))
    return bool(wanted.strip(_ENDING)) and bool(re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", said))


def unspoken(mark: str, text: str) -> str:
    """`mark`, or `mark-2`, …: the first that no text opens or closes as `<mark>`, however it is spelt and however wide."""
    written = unicodedata.normalize("NFKC", text).casefold()
    number, found = 1, mark
    while re.search(rf"<[\s/]*{re.escape(found)}", written):
        number += 1
        found = f"{mark}-{number}"
    return found
