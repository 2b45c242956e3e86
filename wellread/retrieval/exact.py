"""Chunks in, a Retriever out that holds all in memory and compares with every chunk: exact, for small things and as a reference."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wellread.errors import UsageError
from wellread.retrieval.embedders import embed, embed_queries
from wellread.retrieval.fusion import DEPTH, hybrid
from wellread.retrieval.keywords import language_of, language_of_all, query_terms
from wellread.retrieval.windows import chunk_terms, embedded_texts
from wellread.types import Chunk, Embedder

Mode = Literal["hybrid", "keyword", "vector"]
K1, B = 0.9, 0.4
"""How soon a term's repetitions count no more, and how far a chunk's length is held against it."""


class ExactRetriever:
    """BM25 and the cosine of embeddings over some chunks, each or both fused; a chunk's language is its document's.

    `score` is BM25 in mode `keyword`, the cosine of the nearest window in mode `vector`, and in mode `hybrid` what
    `fusion.hybrid` gives. Without an embedder only keywords are searched. Chunks of a document are given in its order.
    """

    def __init__(
        self, chunks: Sequence[Chunk], embedder: Embedder | None = None, *, mode: Mode | None = None,
        k1: float = K1, b: float = B,
    ) -> None:  # fmt: skip
        """Embeds all windows of all chunks; `k1` and `b` are those of BM25. Raises UsageError for a mode that needs an embedder
        where there is none."""
        self._chunks, self._embedder = tuple(chunks), embedder
        self._mode: Mode = mode or ("keyword" if embedder is None else "hybrid")
        if embedder is None and self._mode != "keyword":
            raise UsageError(f"mode {self._mode!r} needs an embedder, found none: name one, or search by `keyword`.")
        self.name = self._mode if embedder is None or self._mode == "keyword" else f"{self._mode} ({embedder.name})"
        languages = _languages(self._chunks)
        self._language = language_of_all([chunk.text for chunk in self._chunks])
        self._keywords = BM25([chunk_terms(chunk, languages[chunk.document]) for chunk in self._chunks], k1=k1, b=b)
        self._places = _places(self._chunks)
        if embedder is not None and self._chunks:
            texts = [embedded_texts(chunk) for chunk in self._chunks]
            self._first = np.cumsum([0, *map(len, texts)])[:-1]
            self._vectors = embed(embedder, [text for several in texts for text in several])

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return self.search(query, k, mode=self._mode)

    def search(self, query: str, k: int, *, mode: Mode) -> list[Chunk]:
        """At most `k` chunks, the best first, each with its score; in mode `keyword` only those that hold a term."""
        if not self._chunks or k < 1:
            return []
        found = {"keyword": self._by_keywords, "vector": self._by_vectors, "hybrid": self._by_both}[mode](query, k)
        return [replace(self._chunks[place], score=score) for place, score in found]

    def _by_keywords(self, query: str, k: int) -> list[tuple[int, float]]:
        asked = query_terms(query, language_of(query, self._language))
        return [(place, score) for place, score in _best(self._keywords.scores(asked), k) if score > 0]

    def _by_vectors(self, query: str, k: int) -> list[tuple[int, float]]:
        if self._embedder is None:
            raise UsageError("a search by vectors needs an embedder, found none: search by `keyword`.")
        [asked] = embed_queries(self._embedder, [query])
        return _best(np.maximum.reduceat(self._vectors @ asked, self._first), k)

    def _by_both(self, query: str, k: int) -> list[tuple[int, float]]:
        searches: list[Callable[[str, int], list[tuple[int, float]]]] = [self._by_keywords, self._by_vectors]
        keyword, vector = ([place for place, _ in search(query, max(k, DEPTH))] for search in searches)
        return hybrid(keyword, vector, self._places)[:k]


class BM25:
    """Okapi BM25 over texts as terms (Robertson and Zaragoza 2009), with the idf of Lucene, which is never negative:

    sum over the terms of a query of log(1 + (N - n + 0.5) / (n + 0.5)) · f (k1 + 1) / (f + k1 (1 - b + b · length / mean)).
    """

    def __init__(self, texts: Sequence[Sequence[str]], *, k1: float = K1, b: float = B) -> None:
        self._n, self._k1 = len(texts), k1
        lengths = np.array([len(text) for text in texts], np.float64)
        self._norms = k1 * (1 - b + b * lengths / (lengths.mean() or 1.0)) if len(texts) else lengths
        postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, text in enumerate(texts):
            for term, count in Counter(text).items():
                postings[term].append((place, count))
        self._postings = {term: np.array(found, np.int64) for term, found in postings.items()}

    def scores(self, query: Sequence[str]) -> NDArray[np.float64]:
        """The score of every text; a term that the query repeats counts as often."""
        scores = np.zeros(self._n)
        for term, times in Counter(query).items():
            if (found := self._postings.get(term)) is None:
                continue
            places, counts = found[:, 0], found[:, 1]
            idf = math.log(1 + (self._n - len(found) + 0.5) / (len(found) + 0.5))
            scores[places] += times * idf * counts * (self._k1 + 1) / (counts + self._norms[places])
        return scores


def _best(scores: NDArray[np.floating], k: int) -> list[tuple[int, float]]:
    """The `k` highest with their places, the highest first; of equal ones the first in order."""
    return [(int(place), float(scores[place])) for place in np.argsort(-scores, kind="stable")[:k]]


def _languages(chunks: Sequence[Chunk]) -> dict[str, str]:
    """Of every document its language, by all of its chunks."""
    texts: defaultdict[str, list[str]] = defaultdict(list)
    for chunk in chunks:
        texts[chunk.document].append(chunk.text)
    every = language_of_all([chunk.text for chunk in chunks])
    return {document: language_of_all(several) or every for document, several in texts.items()}


def _places(chunks: Sequence[Chunk]) -> dict[int, tuple[str, int]]:
    """Of every chunk its document, and its number there."""
    counted: Counter[str] = Counter()
    places = {}
    for place, chunk in enumerate(chunks):
        places[place] = (chunk.document, counted[chunk.document])
        counted[chunk.document] += 1
    return places
