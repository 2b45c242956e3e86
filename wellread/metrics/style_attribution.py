"""To whom a compressor gives what a model wrote: the author whose text foretells it best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wellread.errors import MissingPackage
from wellread.matching import words
from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import notes
from wellread.metrics.style_texts import Texts, style_texts
from wellread.metrics.stylometry import byte_places
from wellread.metrics.tallies import Counts, ratio, resampled, tally
from wellread.types import Document, Evidence, Measurement

PASSAGE_WORDS = 100
MOST_BYTES = 64_000
"""Of each author's text, at most: a predictor reads them anew for every passage."""
ORDER = 5
MEMORY = 16 * 2**20
_PIECE = 2_000
_SEPARATOR = b"\n\n"


def style_attribution(evidence: Evidence) -> list[Measurement]:
    """Share of passages of 100 words that PPMd, having read the training part, encodes in fewer bytes than it does having
    read as many bytes of any other text; n counts the passages.

    Every other text stands for an author of its own, and at least 3 are needed; a tie goes to the others. One passage is
    judged for every 100 words that style is measured by. Raises MissingPackage without pyppmd.
    """
    texts = style_texts(evidence)
    if isinstance(texts, str):
        return [Measurement("style_attribution", None, "share", evidence.subject, note=texts)]
    cut = [passages(document) for document in texts.written.documents]
    chosen = _evenly(sum(map(len, cut)), texts.size // PASSAGE_WORDS)
    if not chosen:
        note = f"no passage has {PASSAGE_WORDS} words"
        return [Measurement("style_attribution", None, "share", evidence.subject, note=note)]
    predictors, size = _primed(texts)
    counts, number = [], 0
    for document, several in zip(texts.written.documents, cut, strict=True):
        judged = [(begin, end) for place, (begin, end) in enumerate(several, number) if place in chosen]
        number += len(several)
        given = [float(_is_books(document.text[begin:end], predictors)) for begin, end in judged]
        at = byte_places(document.text, [begin for begin, _ in judged])
        counts.append(Counts(at, np.array(given), np.ones(len(given))))
    tallies = tally(texts.written.documents, counts)
    authors = 1 + len(texts.others)
    return [with_interval(Measurement(
        "style_attribution", ratio(tallies), "share", evidence.subject, n=len(chosen), better="higher",
        note=notes(f"passages of {PASSAGE_WORDS} words, {authors} authors of {size:,} bytes each; by chance {1 / authors:.2f}",
                   texts.left_out),
        interval_over=resampled(texts.written.documents), tallies=tallies,
    ), seed=evidence.seed, trials=(len(chosen), "passages"))]  # fmt: skip


def passages(document: Document) -> list[tuple[int, int]]:
    """Begin and end, in characters, of passages of 100 words that lie end to end; what is left is none."""
    found = words(document.text)
    firsts = range(0, len(found) - PASSAGE_WORDS + 1, PASSAGE_WORDS)
    return [(found[first][1], found[first + PASSAGE_WORDS - 1][2]) for first in firsts]


class Predictor:
    """PPMd that has read some bytes: how many more a passage costs it."""

    def __init__(self, read: bytes) -> None:
        self._read = read
        self._alone = self._size(b"")

    def cost(self, passage: bytes) -> int:
        """Bytes, to within one."""
        return self._size(passage) - self._alone

    def _size(self, passage: bytes) -> int:
        try:
            from pyppmd import Ppmd8Encoder
        except ImportError:
            raise MissingPackage("PPMd needs the package pyppmd: pip install pyppmd") from None
        coder = Ppmd8Encoder(ORDER, MEMORY)
        return len(coder.encode(self._read)) + len(coder.encode(passage)) + len(coder.flush())


def _primed(texts: Texts) -> tuple[list[Predictor], int]:
    """A predictor for every author, the book's first, and how many bytes each has read."""
    whole = [
        _SEPARATOR.join(document.text.encode() for document in text.documents) for text in (texts.book, *texts.others)
    ]
    size = min(MOST_BYTES, *map(len, whole))
    return [Predictor(_spread(text, size)) for text in whole], size


def _spread(text: bytes, size: int) -> bytes:
    """`size` bytes of a text, in pieces of about 2,000 spread evenly over it."""
    count = -(-size // _PIECE)
    edges = [size * number // count for number in range(count + 1)]
    begins = [(len(text) - size) * number // max(count - 1, 1) + edges[number] for number in range(count)]
    pieces = (text[begin : begin + edges[number + 1] - edges[number]] for number, begin in enumerate(begins))
    return b"".join(pieces)


def _is_books(passage: str, predictors: Sequence[Predictor]) -> bool:
    own, *others = (predictor.cost(passage.encode()) for predictor in predictors)
    return own < min(others)


def _evenly(total: int, wanted: int) -> set[int]:
    """`wanted` places of `total`, or all of them, spread evenly."""
    count = min(total, wanted)
    return {total * number // count for number in range(count)} if count else set()
