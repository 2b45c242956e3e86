"""Several rankings of the same things in, one out: reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009), in context.

The constants were chosen on stories that no figure of docs/retrieval.md is from.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Thing = TypeVar("Thing", bound=Hashable)

CONSTANT = 2.0
"""How little the first places of a ranking stand out from those after them."""
WEIGHTS = (1.0, 0.5)
"""What the place among keywords counts, and what the place among vectors."""
DEPTH = 100
"""So many of the best of each ranking are to be fused, or as many as are wanted, if that is more."""
NEIGHBOUR = 0.2
"""What the scores of the chunks right before and after count for a chunk."""
DOCUMENT = 0.6
"""What the best score in its document counts for a chunk."""


def hybrid(
    keyword: Sequence[Thing], vector: Sequence[Thing], places: Mapping[Thing, tuple[str, int]]
) -> list[tuple[Thing, float]]:
    """Chunks found by keywords and by vectors, each the best first, as one ranking with scores: fused, then in context.

    `places` says of every one its document and its number there, counted along the text.
    """
    return in_context(dict(fuse([keyword, vector], weights=WEIGHTS)), places)


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
    return _best_first(scores)


def in_context(
    scores: Mapping[Thing, float],
    places: Mapping[Thing, tuple[str, int]],
    *,
    neighbour: float = NEIGHBOUR,
    document: float = DOCUMENT,
) -> list[tuple[Thing, float]]:
    """Scored chunks, the best first: each with a part of its neighbours' scores, and of the best score in its document.

    What is told near a passage, or in the same document, often names whom the passage speaks of by a pronoun alone.
    """
    standing = {places[thing]: score for thing, score in scores.items()}
    best: dict[str, float] = {}
    for (name, _), score in standing.items():
        best[name] = max(best.get(name, score), score)
    told = {}
    for thing, score in scores.items():
        name, number = places[thing]
        beside = standing.get((name, number - 1), 0.0) + standing.get((name, number + 1), 0.0)
        told[thing] = score + neighbour * beside + document * best[name]
    return _best_first(told)


def _best_first(scores: Mapping[Thing, float]) -> list[tuple[Thing, float]]:
    return sorted(scores.items(), key=lambda found: -found[1])
