"""Numerators and denominators by document, or by piece of 30 words: what intervals resample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wellread.types import Document, Tally

FEWEST_DOCUMENTS = 10
"""From so many documents on they are what is resampled; fewer are resampled by blocks."""
PIECE_WORDS = 30
BLOCKS = "blocks of 300 words"
_PIECE = re.compile(rf"(?:\S+\s*){{1,{PIECE_WORDS}}}")


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in one document, each at a byte of its text: arrays of equal length."""

    at: NDArray[np.int64]
    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]


def resampled(documents: Sequence[Document]) -> str:
    """What a measurement's interval over these documents is over: `chapters`, `passages`, `documents` (some of each, or
    without headings) or blocks."""
    if len(documents) < FEWEST_DOCUMENTS:
        return BLOCKS
    passages = sum(document.metadata.get("kind") == "passage" for document in documents)
    if passages:
        return "passages" if passages == len(documents) else "documents"
    return "chapters" if all(document.section for document in documents) else "documents"


def tally(documents: Sequence[Document], counts: Sequence[Counts]) -> tuple[Tally, ...]:
    """One tally a document where there are at least 10, else one a piece of 30 words, in the order of the text.

    What stands at a byte belongs to the piece that holds the byte; a piece in which nothing was counted stays, with
    a denominator of 0, so that ten neighbours are always 300 words.
    """
    tallies: list[Tally] = []
    whole = resampled(documents) != BLOCKS
    for document, counted in zip(documents, counts, strict=True):
        if whole:
            tallies.append(Tally(document.id, float(counted.numerators.sum()), float(counted.denominators.sum())))
            continue
        edges = piece_starts(document.text)
        piece = np.maximum(np.searchsorted(edges, counted.at, side="right") - 1, 0)
        numerators = np.bincount(piece, counted.numerators, minlength=len(edges))
        denominators = np.bincount(piece, counted.denominators, minlength=len(edges))
        tallies += [
            Tally(f"{document.id}#{place}", float(numerators[place]), float(denominators[place]))
            for place in range(len(edges))
        ]
    return tuple(tallies)


def piece_starts(text: str) -> NDArray[np.int64]:
    """The byte at which each piece of 30 words begins, the first at 0."""
    sizes = [len(found.group().encode()) for found in _PIECE.finditer(text)]
    starts = np.cumsum([0, *sizes[:-1]], dtype=np.int64)
    starts[1:] += len(text[: len(text) - len(text.lstrip())].encode())
    return starts


def ratio(tallies: Sequence[Tally]) -> float:
    """The sum of numerators over the sum of denominators."""
    return sum(each.numerator for each in tallies) / sum(each.denominator for each in tallies)
