"""Several rankings of the same things in, one out: reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing", bound=Hashable)

CONSTANT = 10.0
"""How little the first places of a ranking stand out from those after them."""


def fuse(
    rankings: Sequence[Sequence[Thing]], *, constant: float = CONSTANT, weights: Sequence[float] = ()
) -> list[tuple[Thing, float]]:
    """Whatever stands in a ranking, the best first, with its score: the sum of weight / (constant + place), counted from 1.

    A ranking that does not hold a thing gives it nothing. Of equal scores, what stood in an earlier ranking, and there
    further ahead, comes first. Without `weights` every ranking counts 1. Raises ValueError where there is not one for each.
    """
    shares = list(weights) or [1.0] * len(rankings)
    if len(shares) != len(rankings):
        raise ValueError(f"{len(rankings)} rankings and {len(shares)} weights: give one for each.")
    scores: dict[Thing, float] = {}
    for ranking, share in zip(rankings, shares, strict=True):
        for place, thing in enumerate(ranking, 1):
            scores[thing] = scores.get(thing, 0.0) + share / (constant + place)
    return sorted(scores.items(), key=lambda found: -found[1])
