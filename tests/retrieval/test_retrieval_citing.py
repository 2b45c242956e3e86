from __future__ import annotations

from wellread.retrieval.citing import cite, spans, without_marks
from wellread.types import Chunk

TEXTS = [
    "The Reading Room opens at nine in the morning. On Mondays it is closed to all.",
    "Mr. Brown keeps the keys of the tower.\n| card | 3.50 crowns |",
    "Ponies are fed at noon.",
]
CHUNKS = [Chunk("book", 100 * n, 100 * n + len(text), text, "book.md") for n, text in enumerate(TEXTS, 1)]


def of(answer: str, question: str = "") -> list[list[tuple[int, str, bool]]]:
    cited = cite(answer, CHUNKS, question=question)
    return [[(c.number, c.words, c.by_words) for c in each.citations] for each in cited.sentences]


def test_numbers_become_the_exact_words_in_place() -> None:
    [sentence] = cite("It is closed on Mondays [1].", CHUNKS).sentences
    [found] = sentence.citations
    assert sentence.text == "It is closed on Mondays."
    assert (found.number, found.words, found.by_words) == (1, "On Mondays it is closed to all.", False)
    assert (found.start, found.end) == (147, 178)
    assert TEXTS[0][found.start - 100 : found.end - 100] == found.words
    assert found.share == 1.0


def test_a_citation_has_the_page_of_its_own_words() -> None:
    text = "Boats leave at nine. Ponies are fed at noon. Lamps are lit at dusk."
    turned = [200 + text.index("fed"), 200 + text.index("Lamps"), 200 + text.index("Lamps")]
    chunk = Chunk("book", 200, 200 + len(text), text, "book.pdf", page=3, overleaf=tuple(turned))
    said = "Boats leave at nine [1]. Ponies are fed at noon [1]. Lamps are lit at dusk [1]."
    cited = cite(said, [chunk]).citations
    assert [each.page for each in cited] == [3, 3, 6]  # one that goes on overleaf is where it begins
    assert [each.place.page for each in cited] == [3, 3, 6]
    assert {each.page for each in cite("Ponies are fed at noon [3].", CHUNKS).citations} == {None}


def test_lists_ranges_and_marks_behind_the_full_stop() -> None:
    answer = "It opens at nine. [1] Mr. Brown has the keys [2, 3]. Ponies eat at noon [source 3][1-2]."
    assert [[number for number, _, _ in each] for each in of(answer)] == [[1], [2, 3], [3, 1, 2]]
    assert [each.text for each in cite(answer, CHUNKS).sentences] == [
        "It opens at nine.", "Mr. Brown has the keys.", "Ponies eat at noon.",
    ]  # fmt: skip
    assert without_marks(answer) == "It opens at nine. Mr. Brown has the keys. Ponies eat at noon."
    assert [[number for number, _, _ in each] for each in of("It opens at nine.\n[1]\n")] == [[1]]
    assert [each.text for each in cite("It opens at nine. [1].", CHUNKS).sentences] == ["It opens at nine."]


def test_numbers_of_no_source_are_told() -> None:
    cited = cite("It opens at nine [7]. And burns [0, 2-900000].", CHUNKS)
    assert cited.unknown == (7, 0, 900000)
    assert [c.number for c in cited.citations] == [1, 2, 3]
    assert cited.citations[0].by_words


def test_what_names_no_source_is_attributed_by_its_words_if_they_are_there() -> None:
    assert of("A card is 3.50 crowns.") == [[(2, "| card | 3.50 crowns |", True)]]
    assert of("Elephants are grey and large.") == [[]]
    assert of("Ponies are fed at noon [2].") == [
        [(3, "Ponies are fed at noon.", True)]
    ]  # names one without a word of it
    assert of("Elephants are grey [2].") == [[(2, "Mr. Brown keeps the keys of the tower.", False)]]


def test_of_equal_places_the_one_nearer_to_the_question_is_shown() -> None:
    twice = [Chunk("book", 0, 44, "Cats eat at nine. The bridge opens at nine.")]
    assert (
        cite("At nine.", twice, question="When does the bridge open?").citations[0].words == "The bridge opens at nine."
    )
    assert cite("At nine.", twice, question="When do cats eat?").citations[0].words == "Cats eat at nine."


def test_french_words_meet_whatever_their_form() -> None:
    text = "L’hiver, les cloches de l’église sonnent à minuit. Personne ne dort."
    [found] = cite("A minuit sonnent la cloche de l'église.", [Chunk("conte", 0, len(text), text)]).citations
    assert found.words == "L’hiver, les cloches de l’église sonnent à minuit."
    assert found.share == 1.0


def test_sentences_end_where_they_do() -> None:
    text = "See Art. 5 of No. 7. Dr. No came!\n1. First of all… “Really?” she said"
    assert [text[start:end] for start, end in spans(text)] == [
        "See Art. 5 of No. 7.", "Dr. No came!", "1. First of all…", "“Really?”", "she said",
    ]  # fmt: skip
    assert list(spans(" \n ")) == []
    assert cite("", CHUNKS).sentences == ()
