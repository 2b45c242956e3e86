"""The angle between a model's word frequencies and the book's (Smith and Aldridge 2011; Evert et al. 2017)."""

from __future__ import annotations

from wellread.metrics.burrows_delta import delta
from wellread.metrics.stylometry import cosine
from wellread.types import Evidence, Measurement


def cosine_delta(evidence: Evidence) -> list[Measurement]:
    """1 less the cosine between the z-scored word frequencies of what a subject wrote and of as much of the training part.

    0 is the same direction, 1 none in common, 2 the opposite. Otherwise as `burrows_delta`.
    """
    return delta(evidence, "cosine_delta", cosine)
