"""Retrieval measured: shares of gold passages among the first so many, the first's place, and intervals by source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wellread.metrics import measure
from wellread.metrics.intervals import difference
from wellread.metrics.retrieval import places_of, recall, reciprocal_rank
from wellread.recipe.questions import FOUND
from wellread.types import Chunk, Corpus, Evidence, GoldPassage, GoldQuestion


def chunk(text: str) -> Chunk:
    return Chunk("d", 0, len(text), text)


class Fixed:
    """A retriever that finds what it is told to, and counts how often it is asked."""

    def __init__(self, found: dict[str, list[str]], name: str = "fixed") -> None:
        self.name, self._found, self.asked = name, found, 0

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        self.asked += 1
        return [chunk(text) for text in self._found[query]][:k]


def asked(question: str, *quotes: str, source: str = "") -> GoldQuestion:
    return GoldQuestion(question, question, ("yes",), tuple(GoldPassage(quote, source) for quote in quotes))


def values(evidence: Evidence) -> dict[str, float | None]:
    return {row.name: row.value for row in measure(evidence, FOUND)}


def test_places_count_from_one_and_decide() -> None:
    question = asked("q", "lamp oil", "high tide", "brown bread")
    found = [chunk("nothing"), chunk("a high tide"), chunk("the lamp oil"), chunk("high tide again")]
    assert places_of(question, found) == [3, 2, None]
    assert [recall([3, 2, None], k) for k in (1, 2, 3)] == pytest.approx([0, 1 / 3, 2 / 3])
    assert reciprocal_rank([3, 2, None]) == 0.5
    assert reciprocal_rank([None]) == 0


def test_recall_and_mrr_of_a_set_asked_once() -> None:
    found = Fixed({"one": ["lamp oil"], "two": ["x", "y", "high tide", "z"], "three": ["x"], "out": []})
    gold = [asked("one", "lamp oil"), asked("two", "high tide", "brown bread"), asked("three", "bell"), asked("out")]
    evidence = Evidence("s", Corpus((), {}), retriever=found, gold=gold)
    rows = values(evidence)
    assert rows == pytest.approx({
        "retrieval_recall@1": 1 / 3, "retrieval_recall@5": 0.5, "retrieval_recall@10": 0.5,
        "retrieval_mrr": (1 + 1 / 3) / 3,
    })  # fmt: skip
    assert found.asked == 3
    assert {row.n for row in measure(evidence, FOUND)} == {3}
    assert [row.name for row in measure(evidence)][-4:] == list(rows)


def test_questions_about_one_source_are_drawn_together() -> None:
    gold = [asked(f"q{n}", "lamp oil", source=f"s{n % 12}") for n in range(60)]
    good = Fixed({each.question: ["lamp oil"] if number % 12 < 9 else [] for number, each in enumerate(gold)})
    poor = Fixed({each.question: ["lamp oil"] if number % 12 < 6 else [] for number, each in enumerate(gold)}, "poor")
    ours, theirs = (
        measure(Evidence("s", Corpus((), {}), retriever=found, gold=gold), ["retrieval_recall"])[1]
        for found in (good, poor)
    )
    assert ours.interval_over == "sources"
    assert len(ours.tallies) == 12
    assert ours.low is not None
    assert ours.low < 0.75 < (ours.high or 0)
    more = difference(ours, theirs)
    assert more.value == pytest.approx(0.25)
    assert more.low is not None
    few = measure(Evidence("s", Corpus((), {}), retriever=good, gold=gold[:9]), ["retrieval_mrr"])[0]
    assert few.interval_over == "questions"


def test_sections_of_one_source_are_drawn_where_there_are_ten() -> None:
    gold = [GoldQuestion(str(n), "q", ("a",), (GoldPassage("lamp oil", "h.md", f"§{n % 11}"),)) for n in range(33)]
    row = measure(Evidence("s", Corpus((), {}), retriever=Fixed({"q": ["lamp oil"]}), gold=gold), ["retrieval_mrr"])[0]
    assert (row.interval_over, len(row.tallies), row.value) == ("sections", 11, 1)


def test_what_cannot_be_measured_says_why() -> None:
    nothing = Evidence("s", Corpus((), {}), gold=[asked("q", "a")])
    assert {row.note for row in measure(nothing, FOUND)} == {"nothing is retrieved for it"}
    blind = Evidence("s", Corpus((), {}), retriever=Fixed({}), gold=[GoldQuestion("1", "q")])
    assert {row.note for row in measure(blind, FOUND)} == {"no gold question names a passage"}
    assert measure(Evidence("s", Corpus((), {})), ())[0].name != "retrieval_recall@1"
    assert not [row for row in measure(Evidence("s", Corpus((), {})), ()) if row.name.startswith("retrieval")]


def test_passages_that_stand_nowhere_are_told_and_those_that_were_only_missed_are_not() -> None:
    quote, typo = "the lamp burns oil from dusk", "the lmap brunt oli form dsuk"
    found = Fixed({"one": ["x"], quote: ["In winter the lamp burns oil from dusk to dawn."], "two": ["x"], typo: ["x"]})

    def note(*quotes: str) -> str:
        gold = [asked(question, each) for question, each in zip(("one", "two"), quotes, strict=False)]
        return measure(Evidence("s", Corpus((), {}), retriever=found, gold=gold), FOUND)[0].note

    assert "own words" not in note(quote)
    assert "1 of 2 gold passages are not found by their own words either, such as “the lmap brunt" in note(quote, typo)
    assert "own words" not in note("a bell")  # too short to be looked for


def test_a_set_that_names_its_sources_otherwise_is_told() -> None:
    class Sourced(Fixed):
        def retrieve(self, query: str, k: int) -> list[Chunk]:
            return [replace(each, source="/texts/handbook.pdf") for each in super().retrieve(query, k)]

    def note(source: str) -> str:
        gold = [asked("one", "lamp oil", source=source)]
        return measure(Evidence("s", Corpus((), {}), retriever=Sourced({"one": ["lamp oil"]}), gold=gold), FOUND)[
            0
        ].note

    assert "check the names" not in note("handbook.md")
    assert "name, such as The Winter Way: check the names" in note("The Winter Way")
