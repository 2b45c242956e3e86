"""Fusion: places, not scores, and each ranking by its weight."""

from __future__ import annotations

import pytest

from wellread.retrieval.fusion import fuse, hybrid, in_context


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


def test_context_adds_parts_of_the_neighbours_and_of_the_documents_best() -> None:
    places = {"a": ("one", 0), "b": ("one", 1), "c": ("one", 5), "d": ("two", 1)}
    told = dict(in_context({"a": 1.0, "b": 0.5, "c": 0.25, "d": 0.9}, places, neighbour=0.1, document=0.2))
    assert told == pytest.approx({"a": 1 + 0.05 + 0.2, "b": 0.5 + 0.1 + 0.2, "c": 0.25 + 0.2, "d": 0.9 + 0.18})
    without = in_context({"a": 1.0, "d": 0.9}, places, neighbour=0, document=0)
    assert without == [("a", 1.0), ("d", 0.9)]


def test_hybrid_prefers_what_both_found_in_a_document_that_both_found() -> None:
    places = {name: ("one" if name < "d" else name, ord(name)) for name in "abcdef"}
    ranked = hybrid(["d", "b", "e"], ["f", "b", "a"], places)
    assert ranked[0][0] == "b"
    assert {name for name, _ in ranked} == {"a", "b", "d", "e", "f"}
    scores = dict(ranked)
    assert scores["d"] > scores["f"]
    assert hybrid([], [], {}) == []
