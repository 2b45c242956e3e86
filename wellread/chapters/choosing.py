"""Candidates for a passage in, the one most like the book out; and whether, and from where on, a text goes round in circles.

The style is the cosine Delta over the most frequent words (metrics/stylometry.py) between the chapter so far with the
candidate and the book's training part: the whole is compared, for of a single passage of some hundred words the Delta is
mostly chance (Eder 2015, "Does size matter?"). Not over function words alone: chosen by these, chapters get more of them
than the book has, and less of everything else (benchmarks/chapters.py). Circles are told by distinct 4-grams: of all runs
of four words the share that is different from every other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from wellread.function_words import language
from wellread.matching import words
from wellread.metrics.stylometry import MOST_FREQUENT, Space, cosine, frequencies, most_frequent, space
from wellread.types import Corpus, Document

GRAM = 4
LEAST_SHARE = 0.9
"""Of the held-out chapters' own share of distinct 4-grams."""
CIRCLE = 20
"""Words within which half of the 4-grams must have been there before, for a loop to begin."""
FEWEST_TEXTS = 3
STRETCH = 1_000


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What candidates are measured against."""

    here: Space
    counts: Mapping[str, int]
    """Of the training part."""
    own: tuple[tuple[str, ...], ...]
    """The words of the chapters that were held out, or of all chapters where there are none."""
    kind: str
    """How the style is measured, in words."""

    def style(self, spoken: Sequence[str]) -> float:
        """The distance to the book, 0 to 2; 1 for no words."""
        if not spoken:
            return 1.0
        return cosine(self.here.place(Counter(spoken)), self.here.place(self.counts))[0]

    def own_distinct(self, length: int) -> float:
        """The mean share of distinct 4-grams in as many words of the held-out chapters: longer texts repeat more."""
        return float(np.mean([distinct(chapter[:length]) for chapter in self.own])) if self.own else 1.0

    def own_style(self, length: int) -> float:
        """The mean distance of as many words of the held-out chapters: shorter texts lie further off."""
        return float(np.mean([self.style(chapter[:length]) for chapter in self.own])) if self.own else 0.0

    def least_distinct(self, length: int) -> float:
        return LEAST_SHARE * self.own_distinct(length)

    def choose(self, before: Sequence[str], candidates: Sequence[Sequence[str]]) -> int:
        """Which candidate goes on best after `before`.

        Those that say at least half as much as the longest and do not go round in circles count first; of these, the
        nearest to the book's style, where to be nearer than held-out chapters are is no merit: of several such, the one
        with the fewest repetitions. Where all go in circles, the one that does so least.
        """
        longest = max(map(len, candidates))
        if longest == 0 or len(candidates) == 1:
            return 0
        said = [place for place, each in enumerate(candidates) if 2 * len(each) >= longest]
        whole = {place: [*before, *candidates[place]] for place in said}
        straight = [place for place in said if distinct(whole[place]) >= self.least_distinct(len(whole[place]))]
        if straight:
            near = self.own_style(len(whole[straight[0]]))
            return min(straight, key=lambda place: (max(self.style(whole[place]), near), -distinct(whole[place])))
        return max(said, key=lambda place: distinct(whole[place]))


def yardstick_of(corpus: Corpus, others: Sequence[Document] = ()) -> Yardstick:
    """The book's own measure. `others` are texts by others, which make it the Delta that a run reports.

    Where fewer than two of the book's language are given, frequencies are divided by their deviation between stretches
    of 1,000 words of the book, and their angle compared; `kind` says which it is.
    """
    book = [word for document in corpus.part("train") for word in spoken(document.text)]
    counts = Counter(book)
    tongue = language(counts)
    texts = [Counter(word for each in several for word in spoken(each.text)) for several in _by_source(others)]
    texts = [text for text in texts if text and language(text) == tongue]
    chosen = most_frequent([counts, *texts], MOST_FREQUENT)
    named = f"the {len(chosen)} most frequent words"
    held = [document for document in corpus.part("held_out") or corpus.documents]
    own = tuple(tuple(spoken(document.text)) for document in held)
    if len(texts) + 1 >= FEWEST_TEXTS:
        kind = f"cosine Delta over {named}, among {len(texts) + 1} texts"
        return Yardstick(space([counts, *texts], chosen), counts, own, kind)
    stretches = [
        Counter(book[place : place + STRETCH]) for place in range(0, max(len(book) - STRETCH // 2, 1), STRETCH)
    ]
    return Yardstick(
        _within(stretches, counts, chosen), counts, own, f"angle of {named}' frequencies, scaled by the book's own"
    )


def _within(stretches: Sequence[Mapping[str, int]], counts: Mapping[str, int], chosen: Sequence[str]) -> Space:
    """A space with the book's own deviations and no mean, in which the book itself does not lie at the origin."""
    kept = tuple(sorted(word for word in chosen if counts.get(word)))
    if len(stretches) < 2:
        return Space(kept, np.zeros(len(kept)), np.ones(len(kept)))
    deviation = np.array([frequencies(each, kept) for each in stretches if each]).std(axis=0, ddof=1)
    return Space(kept, np.zeros(len(kept)), np.where(deviation > 0, deviation, 1.0))


def _by_source(documents: Sequence[Document]) -> list[list[Document]]:
    return [list(several) for _, several in groupby(documents, key=lambda document: document.source)]


def spoken(text: str) -> list[str]:
    """The words of a text, as the house compares them."""
    return [word for word, _, _ in words(text)]


def distinct(said: Sequence[str]) -> float:
    """The share of different 4-grams among all; 1 for a text too short to have two."""
    grams = list(zip(*(said[place:] for place in range(GRAM)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0


def loop_start(said: Sequence[str]) -> int:
    """The word from which on most of what is said was said before: where the first loop begins to come round.

    The first 4-gram that has been there and of which the 20 after it are repeated to a half; else the first repeated
    one; the number of words where nothing is repeated.
    """
    seen: set[tuple[str, ...]] = set()
    repeated = []
    for gram in zip(*(said[place:] for place in range(GRAM)), strict=False):
        repeated.append(gram in seen)
        seen.add(gram)
    places = [place for place, again in enumerate(repeated) if again]
    for place in places:
        ahead = repeated[place : place + CIRCLE]
        if 2 * sum(ahead) >= len(ahead):
            return place
    return places[0] if places else len(said)
