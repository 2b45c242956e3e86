"""Whether a model writes more like the book than like any other text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wellread.metrics.burrows_delta import how_measured
from wellread.metrics.intervals import resampled_alike
from wellread.metrics.scores import notes
from wellread.metrics.style_texts import RANKED_TEXTS, style_texts
from wellread.metrics.stylometry import VARIANTS, Distances, cosine, distances
from wellread.metrics.tallies import resampled
from wellread.types import Evidence, Measurement

_SHOWN = 3


def style_rank(evidence: Evidence) -> list[Measurement]:
    """The place of the book among it and at least 8 other texts, by cosine Delta from what a subject wrote: 1 is best.

    n counts the texts, the book among them; beside it `style_rank_function_words`. The interval counts, in every
    resample of what was written, the texts that lie nearer than the book.
    """
    texts = style_texts(evidence)
    if not isinstance(texts, str) and len(texts.others) < RANKED_TEXTS:
        few = f"{len(texts.others)} other texts, at least {RANKED_TEXTS} needed for a rank: name more in `references:`"
        texts = notes(few, texts.left_out)
    if isinstance(texts, str):
        return [Measurement("style_rank", None, "rank", evidence.subject, note=texts)]
    rows = []
    for variant in VARIANTS:
        name = f"style_rank{variant}"
        found = distances(evidence, texts, cosine, variant)
        if isinstance(found, str):
            rows.append(Measurement(name, None, "rank", evidence.subject, note=found))
        else:
            rows.append(_ranked(evidence, name, variant, found))
    return rows


def _ranked(evidence: Evidence, name: str, variant: str, found: Distances) -> Measurement:
    over = resampled(found.texts.written.documents)
    drawn = resampled_alike([found.book.tallies, *(each.tallies for each in found.others)], over, seed=evidence.seed)
    low, high = (None, None) if drawn is None else _ends(1 + (np.array(drawn[1:]) < drawn[0]).sum(axis=0))
    count = 1 + len(found.others)
    first = ", ".join(each.name for each in found.nearest[:_SHOWN])
    return Measurement(
        name, float(found.rank), "rank", evidence.subject, n=count, low=low, high=high, better="lower",
        note=notes(f"of {count} texts by cosine_delta, nearest first: {first} …", how_measured(found, variant),
                   found.texts.left_out),
        interval_over=over if drawn is not None else "",
    )  # fmt: skip


def _ends(ranks: NDArray[np.int64]) -> tuple[float, float]:
    """The ranks that 2.5 % of the resamples do not exceed, and 97.5 %."""
    low, high = np.quantile(ranks, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)
