"""Words, and exact search: known answers, and every property against a search by brute force."""

from __future__ import annotations

import random

import pytest

from wellread.matching import Index, words
from wellread.types import Document

BOOK = (
    Document("one", "It was the ferry-man's bell. “Don’t ring it,” said Ilse.", section="Chapter 1"),
    Document("two", "The bell rang; it was the ferry. L’été, qu'il dit, finit aujourd’hui.", section="Chapter 2"),
)


def spelled(text: str) -> list[str]:
    return [word for word, _, _ in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop — it’s O'Brien's.", ["dont", "stop", "its", "obriens"]),
        ("L'homme qu’il d'abord jusqu'ici", ["l", "homme", "qu", "il", "d", "abord", "jusqu", "ici"]),
        ("aujourd'hui quelqu’un peut-être", ["aujourdhui", "quelquun", "peut", "être"]),
        ("'quoted' words' “end”", ["quoted", "words", "end"]),
        ("STRASSE Straße ﬁn", ["strasse", "strasse", "fin"]),
        ("co\u00adop\u00aderate snake_case 3.14", ["cooperate", "snake", "case", "3", "14"]),
        ("中文 かな ab", ["中", "文", "か", "な", "ab"]),
        ("हिन्दी", ["हिन्दी"]),
        ("🙂 … — !", []),
        ("", []),
    ],
)
def test_what_a_word_is(text: str, expected: list[str]) -> None:
    assert spelled(text) == expected


def test_composed_and_decomposed_letters_are_equal_and_keep_their_places() -> None:
    assert spelled("e\u0301te\u0301") == spelled("été")
    text = "«E\u0301te\u0301» fin"
    assert [text[start:end] for _, start, end in words(text)] == ["E\u0301te\u0301", "fin"]


def test_places_are_characters_of_the_text() -> None:
    text = "Oh! L’homme, don’t…"
    assert [text[start:end] for _, start, end in words(text)] == ["Oh", "L", "homme", "don’t"]


def test_a_run_is_found_with_its_place_whatever_the_punctuation() -> None:
    text = "So: IT WAS THE FERRY MAN'S house; BELL, don't ring it, said somebody."
    ferry, rest = Index(BOOK).matches(text, at_least=4)
    assert (text[ferry.start : ferry.end], ferry.words) == ("IT WAS THE FERRY MAN'S", 5)
    assert (text[rest.start : rest.end], rest.words) == ("BELL, don't ring it, said", 5)
    assert (rest.document, rest.section) == ("one", "Chapter 1")
    assert BOOK[0].text[rest.offset :].startswith("bell. “Don’t ring")


def test_the_first_place_of_the_whole_run_is_told() -> None:
    index = Index(BOOK)
    short = index.longest("it was the ferry!")
    assert short is not None
    assert (short.words, short.document, short.offset) == (4, "one", 0)
    longer = index.longest("rang it was the ferry l été")
    assert longer is not None
    assert (longer.words, longer.document, longer.section) == (7, "two", "Chapter 2")
    assert BOOK[1].text[longer.offset :].startswith("rang; it was")


def test_no_run_crosses_from_one_document_into_the_next() -> None:
    match = Index(BOOK).longest("ring it said Ilse the bell rang")
    assert match is not None
    assert match.words == 4


def test_only_words_after_the_prompt_count() -> None:
    index = Index(BOOK)
    text = "it was the ferry man’s bell"
    whole = index.longest(text)
    after = index.longest(text, from_char=len("it was the"))
    assert whole is not None
    assert after is not None
    assert (whole.words, after.words) == (6, 3)
    assert text[after.start : after.end] == "ferry man’s bell"
    assert index.matches(text, at_least=4, from_char=len("it was the")) == []


def test_a_word_begun_in_the_prompt_is_the_prompts() -> None:
    text = "it was the ferry man’s bell"
    match = Index(BOOK).longest(text, from_char=len("it was the fer"))
    assert match is not None
    assert text[match.start : match.end] == "man’s bell"


def test_holds_asks_for_words_side_by_side() -> None:
    index = Index(BOOK)
    assert index.holds(["qu", "il", "dit"])
    assert not index.holds(["il", "qu", "dit"])
    assert not index.holds(["ilse", "the"])
    assert not index.holds(["unheard"])
    assert index.holds([])


def test_nothing_is_found_in_nothing() -> None:
    for index in (Index([]), Index([Document("empty", "")])):
        assert index.longest("a b c") is None
        assert index.matches("a b c", at_least=1) == []
        assert not index.holds(["a"])
    assert Index(BOOK).longest("") is None
    assert Index(BOOK).matches("entirely other vocabulary", at_least=1) == []
    with pytest.raises(ValueError, match="at_least=0"):
        Index(BOOK).matches("a", at_least=0)


def found_by_brute_force(documents: list[list[str]], text: list[str], start: int) -> tuple[int, tuple[int, int]]:
    """The longest run from `start`, and the first (document, word) where it stands."""
    best, place = 0, (0, 0)
    for number, document in enumerate(documents):
        for at in range(len(document)):
            length = 0
            while start + length < len(text) and document[at + length : at + length + 1] == [text[start + length]]:
                length += 1
            if length > best:
                best, place = length, (number, at)
    return best, place


@pytest.mark.parametrize("seed", range(60))
def test_random_texts_against_brute_force(seed: int) -> None:
    draw = random.Random(seed)
    letters = "abc"[: draw.randint(1, 3)]
    documents = [draw.choices(letters, k=draw.randint(0, 40)) for _ in range(draw.randint(1, 4))]
    text = draw.choices(letters + "z", weights=[5] * len(letters) + [1], k=draw.randint(0, 40))
    index = Index([Document(str(number), " ".join(document)) for number, document in enumerate(documents)])
    joined = " ".join(text)
    first = draw.randint(0, 5)
    at_least = draw.randint(1, 5)

    expected, start = [], first
    while start < len(text):
        length, (document, at) = found_by_brute_force(documents, text, start)
        if length >= at_least:
            expected.append((2 * start, 2 * (start + length) - 1, length, str(document), 2 * at))
        start += length if length >= at_least else 1
    found = index.matches(joined, at_least=at_least, from_char=2 * first)
    assert [(m.start, m.end, m.words, m.document, m.offset) for m in found] == expected

    lengths = [found_by_brute_force(documents, text, start)[0] for start in range(first, len(text))]
    longest = index.longest(joined, from_char=2 * first)
    assert (longest.words if longest else 0) == max(lengths, default=0)
    if longest:
        assert longest.start == 2 * (first + lengths.index(longest.words))


def test_a_run_longer_than_any_chunk_of_the_comparison() -> None:
    draw = random.Random(0)
    book = [str(draw.randrange(50)) for _ in range(2000)]
    index = Index([Document("a", " ".join(book)), Document("b", " ".join(book[:1000]))])
    match = index.longest("x " + " ".join(book[100:1500]))
    assert match is not None
    assert (match.words, match.document) == (1400, "a")
    repeated = Index([Document("same", "la " * 1000)]).longest("la " * 1500)
    assert repeated is not None
    assert (repeated.words, repeated.offset) == (1000, 0)
