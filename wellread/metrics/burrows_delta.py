"""How far a model's writing lies from the book in its most frequent words, beside other texts (Burrows 2002)."""

from __future__ import annotations

from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import notes
from wellread.metrics.style_texts import RANKED_TEXTS, style_texts
from wellread.metrics.stylometry import VARIANTS, Distance, Distances, burrows, distances
from wellread.metrics.tallies import resampled
from wellread.types import Evidence, Measurement

_SHOWN = 3


def burrows_delta(evidence: Evidence) -> list[Measurement]:
    """Mean absolute difference of z-scored word frequencies between what a subject wrote and as much of the training
    part; n counts the words of each. Lower is nearer.

    At least 5,000 words, the 300 most frequent words of the book and the other texts; beside it, as
    `burrows_delta_function_words`, over function words only (English, French), so that names do not decide. The note
    has the distances to the other texts, at least 3.
    """
    return delta(evidence, "burrows_delta", burrows)


def delta(evidence: Evidence, name: str, distance: Distance) -> list[Measurement]:
    """The rows of one distance: over the most frequent words, and over function words."""
    texts = style_texts(evidence)
    if isinstance(texts, str):
        return [Measurement(name, None, "distance", evidence.subject, note=texts)]
    rows = []
    for variant in VARIANTS:
        found = distances(evidence, texts, distance, variant)
        if isinstance(found, str):
            rows.append(Measurement(f"{name}{variant}", None, "distance", evidence.subject, note=found))
            continue
        row = Measurement(
            f"{name}{variant}", found.book.value, "distance", evidence.subject, n=found.texts.size, better="lower",
            note=notes(how_measured(found, variant), _beside(found), found.texts.left_out),
            interval_over=resampled(found.texts.written.documents), tallies=found.book.tallies,
        )  # fmt: skip
        rows.append(with_interval(row, seed=evidence.seed))
    return rows


def how_measured(found: Distances, variant: str) -> str:
    """`5,000 words against as many of the training part, by their 300 most frequent words`."""
    which = "function words" if variant else "most frequent words"
    return f"{found.texts.size:,} words against as many of the training part, by {found.words} {which}"


def _beside(found: Distances) -> str:
    """The other texts, nearest first; from 8 on the nearest of them, for the rank tells the rest."""
    others = [each for each in found.nearest if each is not found.book]
    shown = others if len(others) < RANKED_TEXTS else others[:_SHOWN]
    listed = ", ".join(f"{each.name} {each.value:.2f}" for each in shown)
    return f"{'other texts' if shown == others else f'nearest of {len(others)} other texts'}: {listed}"
