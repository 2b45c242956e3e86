"""Exact search: BM25 by hand, the nearest window, and both in one ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from wellread.errors import UsageError
from wellread.retrieval.exact import BM25, ExactRetriever
from wellread.retrieval.windows import embedded_texts
from wellread.types import Chunk


class Words:
    """A dimension for each of a few words; lamps and lanterns are one thing to it."""

    name = "words"
    known = ("lamp", "tide", "bread", "king")

    def embed(self, texts: Sequence[str]) -> list[list[int]]:
        return [[text.casefold().replace("lantern", "lamp").count(word) for word in self.known] for text in texts]


def chunk(text: str, document: str = "d", start: int = 0) -> Chunk:
    return Chunk(document, start, start + len(text), text)


def test_bm25_is_what_the_formula_gives_by_hand() -> None:
    # lengths 3, 1, 2: the mean is 2. `a` stands in two of three texts, `b` in one.
    index = BM25([["a", "a", "c"], ["b"], ["a", "d"]], k1=1.2, b=0.75)
    a, b = math.log(1 + 1.5 / 2.5), math.log(1 + 2.5 / 1.5)
    first = a * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 1.5))
    third = a * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 1.0))
    assert index.scores(["a"]) == pytest.approx([first, 0, third])
    assert index.scores(["a"])[0] == pytest.approx(0.47000363 * 4.4 / 3.65)
    assert index.scores(["a", "b"]) == pytest.approx([first, b * 2.2 / (1 + 1.2 * (0.25 + 0.375)), third])
    assert index.scores(["a", "a"]) == pytest.approx([2 * first, 0, 2 * third])
    assert index.scores(["z"]).tolist() == [0, 0, 0]


def test_b_holds_length_against_a_text_and_k1_stops_repetition() -> None:
    texts = [["a", "b", "c", "d"], ["a"]]
    short_first = BM25(texts, b=0.75).scores(["a"])
    alike = BM25(texts, b=0).scores(["a"])
    assert short_first[1] > short_first[0]
    assert alike[1] == pytest.approx(alike[0])
    often, once = BM25([["a"] * 9, ["a"]], k1=0, b=0).scores(["a"])
    assert often == pytest.approx(once)


CHUNKS = [
    chunk("The keepers light lanterns at dusk."),
    chunk("The tide comes in twice.", start=40),
    chunk("Bread is baked on Mondays. The king eats bread. " * 3, "e"),
]


def test_keywords_find_words_and_vectors_find_meaning() -> None:
    found = ExactRetriever(CHUNKS, Words())
    assert [each.text for each in found.search("When do tides come?", 5, mode="keyword")] == [CHUNKS[1].text]
    assert found.search("a lamp", 1, mode="keyword") == []
    nearest = found.search("a lamp", 2, mode="vector")
    assert nearest[0].text == CHUNKS[0].text
    assert nearest[0].score == pytest.approx(1)
    assert [each.text for each in found.retrieve("Who lights a lamp?", 1)] == [CHUNKS[0].text]


def test_a_chunk_is_as_near_as_its_nearest_window() -> None:
    crowded = chunk("The king eats bread. " * 30 + "A lamp stands here. " + "The tide and bread. " * 30)
    [found] = ExactRetriever([crowded], Words()).search("lamp", 1, mode="vector")
    nearest = max(count[0] / sum(each**2 for each in count) ** 0.5 for count in Words().embed(embedded_texts(crowded)))
    assert found.score == pytest.approx(nearest)
    whole = Words().embed([crowded.text])[0]
    assert found.score > 2 * whole[0] / sum(each**2 for each in whole) ** 0.5


def test_both_agree_on_what_stands_beside_what_was_found() -> None:
    told = [chunk(f"Nothing of note, the {number}th time.", start=number * 50) for number in range(6)]
    told[3] = chunk("The lantern, the lantern!", start=150)
    found = ExactRetriever(told, Words()).search("Where is the lantern?", 3, mode="hybrid")
    assert found[0].text == told[3].text
    assert {each.start for each in found[1:]} == {100, 200}
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_headings_are_searched_and_french_is_french() -> None:
    under = Chunk("h", 0, 20, "Twelve days a year.", section="Handbook › Leave of keepers")
    assert ExactRetriever([*CHUNKS, under]).retrieve("leave", 1)[0].document == "h"
    french = [chunk("Il y avait une fois un roi qui n'aimait pas l'orage.", "f"),
              chunk("La reine dormait dans une tour, et le vent était doux.", "f", 60)]  # fmt: skip
    assert ExactRetriever(french).retrieve("Qui dort, les reines ?", 2)[0].start == 60
    assert ExactRetriever(french).retrieve("orages", 2)[0].start == 0


def test_nothing_to_search_and_nothing_to_search_by() -> None:
    assert ExactRetriever([]).retrieve("a", 3) == []
    assert ExactRetriever([], Words()).retrieve("a", 3) == []
    assert ExactRetriever(CHUNKS, Words()).retrieve("tide", 0) == []
    assert ExactRetriever(CHUNKS).name == "keyword"
    with pytest.raises(UsageError, match="needs an embedder"):
        ExactRetriever(CHUNKS, mode="hybrid")
