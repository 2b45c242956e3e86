"""How much of a text a model knows by heart: spans that follow word for word from what stands before them.

(n, p)-discoverable extraction (Hayes et al. 2410.19482), applied to books as by Cooper et al. (2505.12546): one
teacher-forced pass, no sampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import Measured, measured, notes, recited_parts, scored, scored_texts
from wellread.metrics.tallies import Counts, ratio, resampled, tally
from wellread.types import Document, Evidence, Measurement, Scored

SPAN_TOKENS = 50
SPAN_BYTES = 200
_SEARCH = 50
CHANCES = (0.5, 0.001)
_BLANKS = b" \n\t"
_TOKENS = f"{SPAN_TOKENS} tokens after {SPAN_TOKENS}"
_BYTES = f"{SPAN_BYTES} bytes after {SPAN_BYTES}, cut before a space"
_NOTHING = "there is no text to measure"


def greedy_recited_share(evidence: Evidence) -> list[Measurement]:
    """Share of spans of 50 tokens that greedy decoding writes after the 50 tokens before them, on train and held-out.

    Spans lie end to end from each document's 50th token on; n counts them. Beside it, as
    `greedy_recited_share_200_bytes`, the share of spans of 200 bytes after the 200 bytes before them: the same spans
    for every tokenizer. Raises ModelError where the model cannot score.
    """
    rows = []
    for part in recited_parts(evidence):
        counts = [Counts(at, greedy.astype(float), np.ones(len(at))) for at, greedy, _ in _spans(evidence, part)]
        rows.append(_share(evidence, part, counts, name="greedy_recited_share"))
        rows.append(
            _share(evidence, part, _byte_spans(evidence, part), name="greedy_recited_share_200_bytes", spans=_BYTES)
        )
    return rows or [Measurement("greedy_recited_share", None, subject=evidence.subject, note=_NOTHING)]


def probable_recited_share(evidence: Evidence) -> list[Measurement]:
    """Share of the spans of `greedy_recited_share` with a probability of at least 0.5, and of at least 0.001.

    A span's probability is the product of its tokens'. The two differ in `unit`. Raises ModelError.
    """
    rows = []
    for part in recited_parts(evidence):
        for chance in CHANCES:
            counts = [
                Counts(at, (logprob >= math.log(chance)).astype(float), np.ones(len(at)))
                for at, _, logprob in _spans(evidence, part)
            ]
            rows.append(_share(evidence, part, counts, name="probable_recited_share", unit=f"share with p >= {chance}"))
    return rows or [Measurement("probable_recited_share", None, subject=evidence.subject, note=_NOTHING)]


def _share(
    evidence: Evidence, part: str, counts: Sequence[Counts], *, name: str, unit: str = "share", spans: str = _TOKENS
) -> Measurement:
    sample = measured(evidence, part)
    n = sum(len(each.at) for each in counts)
    if not n:
        note = f"no document is long enough for a span of {spans}"
        return Measurement(name, None, unit, evidence.subject, part, note=note)
    tallies = tally(sample.documents, counts)
    value = ratio(tallies)
    row = Measurement(
        name,
        value,
        unit,
        evidence.subject,
        part,
        n=n,
        interval_over=resampled(sample.documents),
        tallies=tallies,
        note=notes(f"spans of {spans}", _left_out(sample, counts), sample.note),
    )
    return with_interval(row, seed=evidence.seed, trials=(n, "spans"))


def _left_out(sample: Measured, counts: Sequence[Counts]) -> str:
    short = sum(not len(each.at) for each in counts)
    return f"{short} of {len(sample.documents)} documents are too short and left out" if short else ""


class Spans(NamedTuple):
    """The spans of one document: the byte where each begins, whether all of it is greedy, its log-probability."""

    at: NDArray[np.int64]
    greedy: Any
    logprob: Any


def _spans(evidence: Evidence, part: str) -> list[Spans]:
    return [spans_of(each) for each in scored(evidence, part, length=2 * SPAN_TOKENS, stride=SPAN_TOKENS)]


def spans_of(each: Scored) -> Spans:
    """The spans of a text that was scored in windows of 100 tokens, 50 apart."""
    whole = max(0, len(each.greedy) // SPAN_TOKENS - 1)
    inside = slice(SPAN_TOKENS, SPAN_TOKENS * (whole + 1))
    greedy = np.asarray(each.greedy, np.bool_)[inside].reshape(whole, SPAN_TOKENS).all(1)
    logprob = np.asarray(each.logprobs, np.float64)[inside].reshape(whole, SPAN_TOKENS).sum(1)
    return Spans(np.asarray(each.starts, np.int64)[inside][::SPAN_TOKENS], greedy, logprob)


def _byte_spans(evidence: Evidence, part: str) -> list[Counts]:
    """For each document its spans of 200 bytes, each scored as the second half of a text of its own."""
    documents = measured(evidence, part).documents
    cuts = [byte_cuts(document) for document in documents]
    texts = [
        written[begin:end].decode()
        for written, edges in zip((document.text.encode() for document in documents), cuts, strict=True)
        for begin, end in zip(edges[:-2], edges[2:], strict=True)
    ]
    scores = iter(scored_texts(evidence, ("byte spans", part), texts))
    counts = []
    for edges in cuts:
        recited = [_recited(next(scores), middle - begin) for begin, middle in pairwise(edges[:-1])]
        counts.append(Counts(np.array(edges[1:-1], np.int64), np.array(recited, float), np.ones(len(recited))))
    return counts


def _recited(scores: Scored, prefix: int) -> bool:
    """Whether every token that reaches beyond the prefix is greedy."""
    return bool(np.asarray(scores.greedy)[np.asarray(scores.ends) > prefix].all())


def byte_cuts(document: Document) -> list[int]:
    """Bytes at which a document is cut into spans: 200 after the last cut, or up to 50 more to lie before a space.

    What is left at the end is too short for a span. Without a space near, the cut lies before a character.
    """
    written = document.text.encode()
    edges = [0]
    while edges[-1] + SPAN_BYTES <= len(written):
        least = edges[-1] + SPAN_BYTES
        near = [place for place in range(least, min(least + _SEARCH, len(written))) if written[place] in _BLANKS]
        cut = near[0] if near else least
        while cut < len(written) and written[cut] & 0xC0 == 0x80:
            cut += 1
        edges.append(cut)
    return edges
