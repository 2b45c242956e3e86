"""What file compressors that have seen the training part need for the same text: yardsticks without a model."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from wellread.errors import MissingPackage
from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import measured, notes, parts
from wellread.metrics.tallies import Counts, piece_starts, ratio, resampled, tally
from wellread.types import Document, Evidence, Measurement

ORDER = 8
MEMORY = 256 * 2**20
SEPARATOR = b"\n\n"
_LARGEST_DICTIONARY = 256 * 2**20


def ppmd_bits_per_byte(evidence: Evidence) -> list[Measurement]:
    """Bits per byte of PPMd (variant I, order 8, 256 MB) that goes on from the training part to the measured text.

    Chapters go in one after another, in order. The coder holds back a few bytes at any time, so a tally may be out by
    8 bytes, the value by 8 bytes in all. Subject `ppmd`; n counts bytes. Raises MissingPackage without pyppmd.
    """
    return [
        _row("ppmd", evidence, part, _ppmd(evidence.corpus.part("train"), measured(evidence, part).documents))
        for part in _yard_parts(evidence)
    ] or [_nothing("ppmd")]


def xz_bits_per_byte(evidence: Evidence) -> list[Measurement]:
    """Bits per byte of LZMA2 (preset 9 extreme, a dictionary as large as the text, at most 256 MB): the size of the
    training part with the measured text, less the size of the training part alone.

    One number for the whole text, so without an interval. Subject `xz`; n counts bytes.
    """
    return [_xz_row(evidence, part) for part in _yard_parts(evidence)] or [_nothing("xz")]


def _yard_parts(evidence: Evidence) -> list[str]:
    return [part for part in parts(evidence) if part in ("held_out", "validation")]


def _nothing(subject: str) -> Measurement:
    return Measurement(f"{subject}_bits_per_byte", None, subject=subject, note="there is no text to measure")


def _row(subject: str, evidence: Evidence, part: str, counts: Sequence[Counts]) -> Measurement:
    sample = measured(evidence, part)
    tallies = tally(sample.documents, counts)
    return with_interval(Measurement(
        f"{subject}_bits_per_byte", ratio(tallies), "bits per byte", subject, part,
        n=sum(len(document.text.encode()) for document in sample.documents), better="lower",
        note=notes(_primed(evidence), sample.note), interval_over=resampled(sample.documents), tallies=tallies,
    ), seed=evidence.seed)  # fmt: skip


def _ppmd(before: Sequence[Document], documents: Sequence[Document]) -> list[Counts]:
    """Bits and bytes at the beginning of every piece of 30 words, from what the coder has put out by then."""
    try:
        from pyppmd import Ppmd8Encoder
    except ImportError:
        raise MissingPackage("PPMd needs the package pyppmd: pip install pyppmd") from None
    coder = Ppmd8Encoder(ORDER, MEMORY)
    for document in before:
        coder.encode(document.text.encode() + SEPARATOR)
    counts = []
    for document in documents:
        written = document.text.encode()
        starts = piece_starts(document.text)
        edges = [*starts.tolist(), len(written)]
        pieces = [written[begin:end] for begin, end in pairwise(edges)]
        bits = [8.0 * len(coder.encode(piece)) for piece in pieces]
        counts.append(Counts(starts, np.array(bits), np.array([float(len(piece)) for piece in pieces])))
        coder.encode(SEPARATOR)
    return counts


def _xz_row(evidence: Evidence, part: str) -> Measurement:
    sample = measured(evidence, part)
    before = b"".join(document.text.encode() + SEPARATOR for document in evidence.corpus.part("train"))
    text = SEPARATOR.join(document.text.encode() for document in sample.documents)
    size = sum(len(document.text.encode()) for document in sample.documents)
    dictionary = min(max(len(before) + len(text), 4096), _LARGEST_DICTIONARY)
    bits = 8 * (_xz(before + text, dictionary) - _xz(before, dictionary))
    return Measurement(
        "xz_bits_per_byte",
        bits / size,
        "bits per byte",
        "xz",
        part,
        n=size,
        better="lower",
        note=notes(_primed(evidence), sample.note, "one number for the whole text: no interval"),
    )


def _xz(data: bytes, dictionary: int) -> int:
    chain = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]
    return len(lzma.compress(data, format=lzma.FORMAT_RAW, filters=chain))


def _primed(evidence: Evidence) -> str:
    size = sum(len(document.text.encode()) for document in evidence.corpus.part("train"))
    return f"after {size:,} bytes of the training part" if size else "without a training part"
