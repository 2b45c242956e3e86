"""Evidence in, its scores as the run folder keeps them out: those that the metrics asked for, or those of the whole book."""

from __future__ import annotations

import numpy as np

from wellread.metrics.recitation import SPAN_TOKENS, spans_of
from wellread.metrics.scores import already_scored, measured, scored
from wellread.scorefile import BookScores, Spans, Tokens
from wellread.types import Evidence, Scored

PARTS = ("train", "validation", "held_out")
SHORT = (2 * SPAN_TOKENS, SPAN_TOKENS)
"""Tokens of a window, and between two: how recitation is scored."""


def kept_scores(evidence: Evidence) -> BookScores:
    """What the metrics have scored of the book; asks nothing of the model."""
    long: dict[str, Tokens] = {}
    short: dict[str, Tokens] = {}
    spans: dict[str, Spans] = {}
    for part in PARTS:
        if part not in evidence.corpus.split:
            continue
        ids = [document.id for document in measured(evidence, part).documents]
        if scores := already_scored(evidence, part):
            long |= zip(ids, map(_tokens, scores), strict=True)
        if scores := already_scored(evidence, part, length=SHORT[0], stride=SHORT[1]):
            short |= zip(ids, map(_tokens, scores), strict=True)
            spans |= zip(ids, map(_spans, scores), strict=True)
    return BookScores(long, short, spans)


def score_book(evidence: Evidence) -> BookScores:
    """Every part scored both ways, as much of it as the evidence measures. Raises ModelError."""
    for part in PARTS:
        if measured(evidence, part).documents:
            evidence.progress(f"scoring the {part.replace('_', '-')} part")
            scored(evidence, part)
            scored(evidence, part, length=SHORT[0], stride=SHORT[1])
    return kept_scores(evidence)


def _tokens(scores: Scored) -> Tokens:
    return Tokens(np.asarray(scores.ends, np.int64), np.asarray(scores.logprobs, np.float32))


def _spans(scores: Scored) -> Spans:
    found = spans_of(scores)
    ends = np.asarray(scores.ends, np.int64)[2 * SPAN_TOKENS - 1 :: SPAN_TOKENS]
    return Spans(found.at, ends, found.greedy, np.asarray(found.logprob, np.float32))
