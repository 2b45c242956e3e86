"""Frequencies of words as z-scores, and how far two texts lie apart in them: what the metrics of style share.

Burrows's Delta is the mean absolute difference of two texts' z-scores (Burrows 2002); cosine Delta the angle between
them, as 1 - cosine (Smith and Aldridge 2011; Evert et al. 2017). Means and standard deviations are those of the book
and the other texts, never of what a model wrote, so every subject is measured on the same scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from wellread.function_words import LISTS
from wellread.metrics.style_texts import Excerpt, Texts
from wellread.metrics.tallies import Counts, tally
from wellread.types import Evidence, Tally

Vector: TypeAlias = NDArray[np.float64]
Distance: TypeAlias = Callable[[Vector, Vector], tuple[float, Vector]]
"""Two texts' z-scores to their distance, and its gradient by the first."""
MOST_FREQUENT = 300
"""Words of which frequencies are compared."""
VARIANTS = ("", "_function_words")
"""Ends of the measurements' names: over the most frequent words, and over function words only."""


@dataclass(frozen=True, slots=True)
class Space:
    """Words, with the mean and standard deviation of their frequencies over some texts."""

    words: tuple[str, ...]
    mean: Vector
    deviation: Vector

    def place(self, counts: Mapping[str, int]) -> Vector:
        """The z-scores of a text."""
        return (frequencies(counts, self.words) - self.mean) / self.deviation


@dataclass(frozen=True, slots=True)
class Apart:
    """How far what was written lies from one text, tallied so that resampling the tallies resamples the distance."""

    name: str
    value: float
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Distances:
    """From what was written to the book, and to every other text."""

    book: Apart
    others: tuple[Apart, ...]
    texts: Texts
    words: int
    """How many words' frequencies were compared."""

    @property
    def rank(self) -> int:
        """1 where nothing lies nearer than the book."""
        return 1 + sum(other.value < self.book.value for other in self.others)

    @property
    def nearest(self) -> list[Apart]:
        return sorted((self.book, *self.others), key=lambda each: each.value)


def burrows(one: Vector, other: Vector) -> tuple[float, Vector]:
    gap = one - other
    return float(np.abs(gap).mean()), np.sign(gap) / len(gap)


def cosine(one: Vector, other: Vector) -> tuple[float, Vector]:
    """Two texts of which one has all its frequencies at the mean have no angle: they count as 1 apart."""
    length, others = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    if not length or not others:
        return 1.0, np.zeros_like(one)
    shared = float(one @ other) / (length * others)
    return 1 - shared, shared * one / length**2 - other / (length * others)


def distances(evidence: Evidence, texts: Texts, distance: Distance, variant: str) -> Distances | str:
    """What a subject wrote beside the book and the other texts, or why it cannot be measured."""
    key = (evidence.subject, distance.__name__, variant)
    if key not in evidence.cache:
        evidence.cache[key] = _distances(texts, distance, variant)
    found: Distances | str = evidence.cache[key]
    return found


def _distances(texts: Texts, distance: Distance, variant: str) -> Distances | str:
    if variant and texts.language not in LISTS:
        return "there are lists of function words for English and French only"
    known = [text.counts for text in (texts.book, *texts.others)]
    here = space(known, LISTS[texts.language] if variant else most_frequent(known, MOST_FREQUENT))
    read = _read(texts.written, here)
    apart = [_apart(read, text, here, distance) for text in (texts.book, *texts.others)]
    return Distances(apart[0], tuple(apart[1:]), texts, len(here.words))


def most_frequent(texts: Sequence[Mapping[str, int]], size: int) -> list[str]:
    """The words that all texts together use most."""
    together: Counter[str] = Counter()
    for counts in texts:
        together.update(counts)
    return sorted(together, key=lambda word: (-together[word], word))[:size]


def space(texts: Sequence[Mapping[str, int]], words: Sequence[str] | frozenset[str]) -> Space:
    """The words that the texts do not all use equally, with mean and (n - 1) standard deviation of their frequencies."""
    ordered = sorted(words)
    rows = np.array([frequencies(counts, ordered) for counts in texts])
    deviation = rows.std(axis=0, ddof=1)
    varies = deviation > 0
    kept = tuple(word for word, one in zip(ordered, varies.tolist(), strict=True) if one)
    return Space(kept, rows.mean(axis=0)[varies], deviation[varies])


def frequencies(counts: Mapping[str, int], words: Sequence[str]) -> Vector:
    """The words' shares of a text."""
    return np.array([counts.get(word, 0) for word in words], np.float64) / sum(counts.values())


@dataclass(frozen=True, slots=True)
class _Read:
    """What was written, in numbers: of every document the bytes at which its words begin, and which words they are."""

    written: Excerpt
    counts: Counter[str]
    at: tuple[NDArray[np.int64], ...]
    which: tuple[NDArray[np.int64], ...]
    """Places in a space's words; one past its last for any other word."""


def _read(written: Excerpt, here: Space) -> _Read:
    places = {word: place for place, word in enumerate(here.words)}
    at, which = [], []
    for document, several in zip(written.documents, written.words, strict=True):
        at.append(byte_places(document.text, [start for _, start, _ in several]))
        which.append(np.array([places.get(word, len(places)) for word, _, _ in several], np.int64))
    return _Read(written, written.counts, tuple(at), tuple(which))


def _apart(read: _Read, text: Excerpt, here: Space, distance: Distance) -> Apart:
    """The distance as a mean over words: exact for the whole, and its first-order change for any resample of it.

    A distance itself would grow with every resample, whose frequencies scatter twice.
    """
    value, gradient = distance(here.place(read.counts), here.place(text.counts))
    slope = gradient / here.deviation
    level = value - float(slope @ frequencies(read.counts, here.words))
    worth = level + np.append(slope, 0.0)
    counts = [Counts(at, worth[which], np.ones(len(at))) for at, which in zip(read.at, read.which, strict=True)]
    return Apart(text.name, value, tally(read.written.documents, counts))


def byte_places(text: str, places: Sequence[int]) -> NDArray[np.int64]:
    """Bytes before each of these places in a text, given in characters, in order."""
    sizes, before = [], 0
    for place in places:
        sizes.append(len(text[before:place].encode()))
        before = place
    return np.cumsum(sizes, dtype=np.int64)
