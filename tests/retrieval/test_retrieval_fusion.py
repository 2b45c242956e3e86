"""Fusion: places, not scores, and each ranking by its weight."""

from __future__ import annotations

import pytest

from wellread.retrieval.fusion import fuse


def test_scores_are_sums_of_reciprocal_places() -> None:
    fused = dict(fuse([["a", "b"], ["b", "c"]], constant=10))
    assert fused == pytest.approx({"a": 1 / 11, "b": 1 / 12 + 1 / 11, "c": 1 / 12})
    assert [thing for thing, _ in fuse([["a", "b"], ["b", "c"]], constant=10)] == ["b", "a", "c"]


def test_a_large_constant_prefers_what_both_found() -> None:
    rankings = [["a", "x", "y", "z", "b"], ["w", "u", "v", "t", "b"]]
    assert fuse(rankings, constant=0)[0][0] == "a"
    assert fuse(rankings, constant=60)[0][0] == "b"


def test_weights_decide_between_rankings_and_ties_fall_to_the_first() -> None:
    assert [thing for thing, _ in fuse([["a"], ["b"]], constant=10)] == ["a", "b"]
    assert [thing for thing, _ in fuse([["a"], ["b"]], constant=10, weights=(1, 2))] == ["b", "a"]
    assert fuse([], constant=10) == []
    with pytest.raises(ValueError, match="2 rankings and 1 weights"):
        fuse([["a"], ["b"]], weights=[1])
