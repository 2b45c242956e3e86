"""Which documents share passages: runs of words, compared by hashes of eight words in a row (shingles)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wellread.corpus.examples import said
from wellread.types import Document

Hashes = NDArray[np.uint64]
Vocabulary = defaultdict[str, int]
"""A number for every word, given when it is first seen."""

SHINGLE = 8
"""Words of a shingle."""
RUN = 50
"""Documents that share a run of this many words are near-duplicates."""
SHARE = 0.2
"""So are those of which the shorter shares this much of its shingles, and at least `LEAST`."""
LEAST = 40
MOST = 8_000_000
"""Shingles held at a time: longer corpora are sampled, one shingle in so many by its hash, alike in every document."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SHINGLES_OF_RUN = RUN - SHINGLE + 1
_NEIGHBOURS = 6


class Twins(NamedTuple):
    """Two documents (by their places) that are near-duplicates, and the longest run of words they share."""

    first: int
    second: int
    words: int
    share: float
    """Share of the shorter one's shingles that stand in the other."""


def near_duplicates(texts: Sequence[str]) -> list[Twins]:
    """Pairs of texts that share a run of 50 words, or a fifth (and at least 40) of the shorter one's 8-word shingles.

    A refrain, an epigraph or a stock phrase is shorter than that and makes no twins. Words are compared casefolded,
    without punctuation. Exact up to 8 million words; beyond, shingles are sampled by their hash (after Manber 1994,
    Broder 1997) and a pair that shares a single run of just 50 words is missed with a probability of a few per cent.
    """
    vocabulary: Vocabulary = defaultdict(count(1).__next__)
    estimated = sum(map(len, texts)) // 6
    every = min(16, max(1, -(-estimated // MOST)))
    kept: list[Hashes] = []
    for text in texts:
        shingles = np.unique(_shingles(text, vocabulary))
        kept.append(shingles if every == 1 else shingles[(shingles >> np.uint64(20)) % np.uint64(every) == 0])
    twins = []
    for first, second in _candidates(kept, every):
        words, share = _shared(_shingles(texts[first], vocabulary), _shingles(texts[second], vocabulary))
        if words >= RUN or share:
            twins.append(Twins(first, second, words, share))
    return twins


def sharing(documents: Sequence[Document], unseen: Sequence[Document]) -> set[int]:
    """Places of the documents that share with `unseen` a run of 50 words, or a fifth (and at least 40) of their 8-word
    shingles; of an example counts what is asked and answered. Exact."""
    vocabulary: Vocabulary = defaultdict(count(1).__next__)
    texts = said([*unseen, *documents])
    known = [np.empty(0, np.uint64), *(_shingles(text, vocabulary) for text in texts[: len(unseen)])]
    secret = np.unique(np.concatenate(known))
    found = (_shared(_shingles(text, vocabulary), secret) for text in texts[len(unseen) :])
    return {place for place, (words, share) in enumerate(found) if words >= RUN or share}


def _shingles(text: str, vocabulary: Vocabulary) -> Hashes:
    """A hash for every eight words in a row; equal words hash alike in all texts that share the vocabulary."""
    found = _WORD.findall(text.casefold())
    if len(found) < SHINGLE:
        return np.empty(0, dtype=np.uint64)
    words = _mixed(np.fromiter(map(vocabulary.__getitem__, found), dtype=np.uint64, count=len(found)))
    number = len(words) - SHINGLE + 1
    total = np.zeros(number, dtype=np.uint64)
    for place in range(SHINGLE):
        total = total * np.uint64(0x9E3779B97F4A7C15) + words[place : place + number]
    return _mixed(total)


def _mixed(values: Hashes) -> Hashes:
    """Values whose bits all depend on all bits: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _candidates(kept: Sequence[Hashes], every: int) -> list[tuple[int, int]]:
    """Pairs of documents with enough common shingles to be worth a full comparison.

    Of a shingle that many documents share, each document is paired with the next five only: its twins are then linked
    through them.
    """
    if not kept:
        return []
    hashes = np.concatenate(kept)
    owners = np.repeat(np.arange(len(kept), dtype=np.int64), [len(each) for each in kept])
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    pairs = []
    for step in range(1, _NEIGHBOURS):
        same = hashes[step:] == hashes[:-step]
        pairs.append(owners[:-step][same] * len(kept) + owners[step:][same])
    codes, counts = np.unique(np.concatenate(pairs), return_counts=True)
    least = max(1, min(_SHINGLES_OF_RUN, LEAST) // (every if every == 1 else 3 * every))
    return [(int(code) // len(kept), int(code) % len(kept)) for code in codes[counts >= least]]


def _shared(one: Hashes, other: Hashes) -> tuple[int, float]:
    """The longest run of words of one text that stands in the other, and the shared part of the shorter one where it
    is large enough to count (else 0)."""
    inside = np.isin(one, other)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], inside.astype(np.int8), [0]))))
    longest = int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    common = int(np.isin(small, large).sum())
    share = common / len(small) if len(small) else 0.0
    return (longest + SHINGLE - 1 if longest else 0), (share if common >= LEAST and share >= SHARE else 0.0)
