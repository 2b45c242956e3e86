"""Reranking: the first finds in the scorer's order, the rest after them, and never more than was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from wellread.retrieval.exact import ExactRetriever
from wellread.retrieval.refusing import signs
from wellread.retrieval.reranking import Reranked, rerank
from wellread.types import Chunk

FOUND = [Chunk("d", place, place + 1, text, score=9 - place) for place, text in enumerate(["b", "aa", "", "aaaa"])]


class CountA:
    """Texts with more letters a answer better."""

    name = "count-a"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.asked += pairs
        return [float(text.count("a")) for _, text in pairs]


class Fixed:
    name = "fixed"

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return FOUND[:k]


def test_only_the_first_are_read_again() -> None:
    scorer = CountA()
    assert [each.text for each in rerank(scorer, "q", FOUND, first=3)] == ["aa", "b", "", "aaaa"]
    assert scorer.asked == [("q", "b"), ("q", "aa"), ("q", "")]
    assert [(each.text, each.score) for each in rerank(scorer, "q", FOUND)][:2] == [("aaaa", 4.0), ("aa", 2.0)]
    assert rerank(scorer, "q", []) == []


def test_a_reranked_retriever_looks_further_than_it_is_asked() -> None:
    again = Reranked(Fixed(), CountA(), first=4)
    assert [each.text for each in again.retrieve("q", 1)] == ["aaaa"]
    assert [each.text for each in Reranked(Fixed(), CountA(), first=2).retrieve("q", 3)] == ["aa", "b", ""]
    assert again.name == "fixed, reranked by count-a"


def test_signs_are_read_from_what_was_found_before_it_was_put_in_order() -> None:
    exact = ExactRetriever(
        [Chunk("d", 0, 30, "A card costs three crowns a year."), Chunk("d", 40, 60, "The lake is cold.")]
    )
    again = Reranked(exact, CountA())
    question = "What does a card cost?"
    assert signs(question, again.retrieve(question, 2), again) == signs(question, exact.retrieve(question, 2), exact)
