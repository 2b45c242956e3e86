"""How much of the book everything that a model wrote would put together again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from wellread.matching import Index, words
from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import corpus_index
from wellread.metrics.stylometry import byte_places
from wellread.metrics.tallies import BLOCKS, Counts, ratio, resampled, tally
from wellread.types import Document, Evidence, Measurement

RUN_WORDS = 5
PARTS = ("", "train", "held_out")
"""The whole book; and beside the training part the held-out part, which shows what ordinary phrases come to."""


def recited_coverage(evidence: Evidence) -> list[Measurement]:
    """Share of the book's words that runs of at least 5 words cover, over everything the model wrote; n counts words.

    A run covers the first place in the book where it stands, however often it is written. What the prompt brought along
    is trimmed: words of the prompt, and runs of 5 words or more that the completion repeats from it. Coverage grows
    with what is written: compare it at equal amounts, which the note tells.
    """
    written = (*evidence.samples, *evidence.passages)
    if not written:
        return [Measurement("recited_coverage", None, "share", evidence.subject, note="the model wrote no samples")]
    index = corpus_index(evidence)
    starts = {document.id: [start for _, start, _ in words(document.text)] for document in evidence.corpus.documents}
    covered = {id: np.zeros(len(places), np.bool_) for id, places in starts.items()}
    for sample in dict.fromkeys((sample.prompt, sample.completion) for sample in written):
        for document, offset, first, count in _runs(index, *sample):
            place = bisect_left(starts[document], offset) + first
            covered[document][place : place + count] = True
    size = sum(len(words(sample.completion)) for sample in written)
    note = f"runs of {RUN_WORDS} words or more in {size:,} words written"
    parts = [(part, [each for each in _documents(evidence, part) if starts[each.id]]) for part in PARTS]
    return [_row(evidence, part, documents, (starts, covered), note) for part, documents in parts if documents]


def _documents(evidence: Evidence, part: str) -> Sequence[Document]:
    ids = {id for name, several in evidence.corpus.split.items() if part in ("", name) for id in several}
    return [document for document in evidence.corpus.documents if document.id in ids]


def _runs(index: Index, prompt: str, completion: str) -> Iterator[tuple[str, int, int, int]]:
    """What a completion shares with the book and did not take from its prompt, as (document, offset, first, count): words
    `first` to `first + count` of the run that begins at that offset of the document."""
    text, own = prompt + completion, len(prompt)
    echoes = Index([Document("prompt", prompt)]).matches(text, at_least=RUN_WORDS, from_char=own)
    places = [start for _, start, _ in words(text)]
    echoed = np.zeros(len(places), np.bool_)
    for echo in echoes:
        first = bisect_left(places, echo.start)
        echoed[first : first + echo.words] = True
    for match in index.matches(text, at_least=RUN_WORDS, from_char=own):
        begin = bisect_left(places, match.start)
        for first, count in _unbroken(~echoed[begin : begin + match.words]):
            if count >= RUN_WORDS:
                yield match.document, match.offset, first, count


def _unbroken(kept: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First place and length of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], kept, [False]))))
    yield from ((int(begin), int(end - begin)) for begin, end in edges.reshape(-1, 2))


def _row(
    evidence: Evidence, part: str, documents: Sequence[Document],
    book: tuple[dict[str, list[int]], dict[str, NDArray[np.bool_]]], note: str,
) -> Measurement:  # fmt: skip
    starts, covered = book
    counts = [
        Counts(byte_places(each.text, starts[each.id]), covered[each.id].astype(float), np.ones(len(starts[each.id])))
        for each in documents
    ]
    tallies = tally(documents, counts)
    n = sum(len(each.at) for each in counts)
    return with_interval(Measurement(
        "recited_coverage", ratio(tallies), "share", evidence.subject, part, n=n,
        note=note, interval_over=resampled(documents), tallies=tallies,
    ), seed=evidence.seed, trials=(max(1, n // 300), BLOCKS))  # fmt: skip
