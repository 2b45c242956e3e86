"""A question and what was found for it in, the same in a better order out: a cross-encoder reads both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np

from wellread.errors import MissingPackage, ModelError
from wellread.retrieval.embedders import SENTENCES, opened
from wellread.types import Chunk, PairScorer, Retriever

FIRST = 30
"""So many of the first chunks are read again."""


def open_cross_encoder(name: str, *, offline: bool = False) -> PairScorer:
    """The sentence-transformers cross-encoder of that name or folder. It raises ModelError or MissingPackage when first asked."""
    return CrossEncoder(name, offline=offline)


def rerank(scorer: PairScorer, query: str, chunks: Sequence[Chunk], *, first: int = FIRST) -> list[Chunk]:
    """The first `first` chunks in the order that the scorer gives them, with its scores; the others after them, as they
    were: their scores are on another scale."""
    head, tail = list(chunks[:first]), list(chunks[first:])
    if not head:
        return tail
    scores = scorer.score_pairs([(query, chunk.text) for chunk in head])
    scored = [replace(chunk, score=float(score)) for chunk, score in zip(head, scores, strict=True)]
    return sorted(scored, key=lambda chunk: -chunk.score) + tail


class Reranked:
    """A Retriever whose first finds a cross-encoder reads again."""

    def __init__(self, retriever: Retriever, scorer: PairScorer, *, first: int = FIRST) -> None:
        self.inner, self.scorer, self._first = retriever, scorer, first
        self.name = f"{retriever.name}, reranked by {scorer.name}"
        self.language = str(getattr(retriever, "language", ""))

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        """The best `k` of as many as are read again, or more."""
        found = self.inner.retrieve(query, max(k, self._first))
        return rerank(self.scorer, query, found, first=self._first)[:k]


class CrossEncoder:
    """A cross-encoder of sentence-transformers: one score a pair, or of several labels the one called entailment."""

    def __init__(self, name: str, *, offline: bool = False) -> None:
        self.name, self._offline = name, offline

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        import torch

        several = self._model.num_labels > 1
        how = {"activation_fn": torch.nn.Softmax(dim=-1)} if several else {}
        found = np.asarray(
            self._model.predict([list(pair) for pair in pairs], show_progress_bar=False, **how), np.float64
        )
        return [float(each) for each in (found[:, self._entailment()] if several else found)]

    def _entailment(self) -> int:
        labels = {str(name).casefold(): int(place) for name, place in self._model.model.config.label2id.items()}
        if "entailment" not in labels:
            raise ModelError(
                f"{self.name}: of its {len(labels)} labels none is called entailment; name a model of similarity."
            )
        return labels["entailment"]

    @cached_property
    def _model(self) -> Any:
        if not find_spec("sentence_transformers"):
            raise MissingPackage(SENTENCES)

        def opens() -> Any:
            from sentence_transformers import CrossEncoder as Opened

            return Opened(self.name, local_files_only=self._offline, trust_remote_code=False)

        return opened(self.name, opens)
