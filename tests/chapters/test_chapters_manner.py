"""Headings go on as the book has them: its numerals, its words, its lines, its titles."""

from __future__ import annotations

import pytest

from wellread.chapters.manner import (
    Manner,
    english,
    english_ordinal,
    french,
    french_ordinal,
    manner_of,
    title_in,
    to_roman,
)
from wellread.types import Document


def book(*headed: tuple[str, str]) -> list[Document]:
    """Documents of (section, heading as it stands in the text)."""
    return [
        Document(str(place), f"{head}\n\nIt rained.", "b.txt", section) for place, (section, head) in enumerate(headed)
    ]


@pytest.mark.parametrize(
    ("section", "head", "following"),
    [
        ("VOLUME III · CHAPTER XIX", "CHAPTER XIX", "CHAPTER XX"),
        ("Chapter 12", "Chapter 12", "Chapter 13"),
        ("Chapter the Twelfth", "Chapter the Twelfth", "Chapter the Thirteenth"),
        ("CHAPTER TWENTY-NINE", "CHAPTER TWENTY-NINE", "CHAPTER THIRTY"),
        ("Chapter Twenty-One", "Chapter Twenty-One", "Chapter Twenty-Two"),
        ("Chapter Twenty-one", "Chapter Twenty-one", "Chapter Twenty-two"),
        ("CHAPTER THIRTY NINE", "CHAPTER THIRTY NINE", "CHAPTER FORTY"),
        ("Chapitre soixante-dix", "Chapitre soixante-dix", "Chapitre soixante et onze"),
        ("CHAPITRE PREMIER", "CHAPITRE PREMIER", "CHAPITRE DEUXIÈME"),
        ("XLIX", "XLIX.", "L"),
        ("7", "7", "8"),
        ("Part Two · 7", "Part Two\n\n7", "8"),
        ("CHAPTER IV · passage 2", "CHAPTER IV", "CHAPTER V"),
    ],
)
def test_the_next_number_is_written_as_the_last(section: str, head: str, following: str) -> None:
    manner = manner_of(book((section, head)))
    assert manner.head(1).text == following
    assert not manner.titled


def test_a_title_on_a_line_of_its_own_is_asked_for_there() -> None:
    manner = manner_of(
        book(("PART SIX · 33: The Fall", "33\n\nThe Fall"), ("PART SIX · 34: And Last", "34\n\nAnd Last"))
    )
    assert manner.beginning(1) == "35\n\n"
    head = manner.head(1, "The Ferry")
    assert (head.text, head.label) == ("35\n\nThe Ferry", "35: The Ferry")
    assert manner.head(2).label == "36"
    assert "andlast" in manner.titles


def test_a_title_behind_the_number_in_capitals() -> None:
    manner = manner_of(book(("CHAPTER III: THE INN", "CHAPTER III: THE INN"), ("Epilogue", "Epilogue")))
    assert manner.head(1, "The sea").text == "CHAPTER IV: THE SEA"
    assert manner.head(2).text == "CHAPTER V"


def test_a_title_is_short_and_keeps_to_its_capitals() -> None:
    assert title_in("\n**The Sea-Chest.**\nIt was late.", 3) == "The Sea-Chest"
    assert title_in("2\nThe Sea-Chest", 3) == "The Sea-Chest"
    assert title_in("THE SEA-CHEST", 3) == "THE SEA-CHEST"
    assert title_in("PANIOLA BWENDr. Livesey", 9) == ""
    assert title_in("Le XVIIIe siècle", 9) == "Le XVIIIe siècle"
    assert title_in("The ABCs of sailing", 9) == "The ABCs of sailing"
    assert title_in("It was late and nobody came", 3) == ""


@pytest.mark.parametrize("line", ["13 and 14", "Thirteen and Fourteen", "XIII et XIV", "Twenty-one"])
def test_numbers_are_no_title(line: str) -> None:
    assert title_in(line, 9) == ""


@pytest.mark.parametrize(
    "line", ["The Two Towers", "Twenty Years After", "I Go to Bristol", "13 March", "The Last", "Une visite", "Mix"]
)
def test_a_title_may_have_a_number(line: str) -> None:
    assert title_in(line, 9) == line


@pytest.mark.parametrize(
    ("title", "takes"),
    [("847 PRESBYTERNY", False), ("XII. The Inn", False), ("Part Two", False), ("Chapter Nine", False), ("13 March", False),
     ("The Two Towers", True), ("Twenty Years After", True), ("I Go to Bristol", True), ("M. Dupont", True), ("Mix", True),
     ("The Last Part", True), ("Le XVIIIe siècle", True)],
)  # fmt: skip
def test_a_title_holds_numbers_only_where_the_books_own_do(title: str, takes: bool) -> None:
    assert manner_of(book(("Chapter 3: The Inn", "Chapter 3: The Inn"))).takes(title) == takes
    assert manner_of(book(("The Inn", "The Inn"))).takes(title) == takes


def test_where_the_books_own_titles_hold_numbers_new_ones_may() -> None:
    begins = manner_of(book(("Chapter 3: 13 March", "Chapter 3: 13 March")))
    assert begins.takes("15 April")
    assert not begins.takes("Chapter 9: 15 April")
    for holds in (book(("Chapter 4: Passage 119", "Chapter 4: Passage 119")), book(("On the 3rd", "On the 3rd"))):
        assert manner_of(holds).takes("Until the 4th")
        assert not manner_of(holds).takes("847 Presbyterny")


def test_a_book_without_numbers_has_titles_only_and_one_without_headings_is_counted() -> None:
    assert manner_of(book(("The Ferry", "The Ferry"))).head(1, "The Storm").text == "The Storm"
    plain = manner_of([Document("1", "It rained."), Document("2", "It rained.", section="passage 2")])
    assert [plain.head(step).text for step in (1, 2)] == ["1", "2"]
    assert not plain.titled


def test_a_line_of_the_models_that_heads_a_chapter_is_known() -> None:
    manner: Manner = manner_of(book(("CHAPTER XIX", "CHAPTER XIX")))
    assert manner.heads("CHAPTER XX")
    assert not manner.heads("We had read a chapter of it.")
    assert not manner.heads("20")


def test_numbers_to_words() -> None:
    assert [to_roman(n) for n in (4, 9, 14, 40, 99, 444)] == ["IV", "IX", "XIV", "XL", "XCIX", "CDXLIV"]
    assert [english(n) for n in (12, 20, 99)] == ["twelve", "twenty", "ninety-nine"]
    assert [english_ordinal(n) for n in (1, 12, 20, 21)] == ["first", "twelfth", "twentieth", "twenty-first"]
    assert [french(n) for n in (17, 21, 61, 71, 77, 80, 81, 91, 99)] == [
        "dix-sept", "vingt et un", "soixante et un", "soixante et onze", "soixante-dix-sept", "quatre-vingts",
        "quatre-vingt-un", "quatre-vingt-onze", "quatre-vingt-dix-neuf",
    ]  # fmt: skip
    assert [french_ordinal(n) for n in (1, 4, 5, 9, 21, 80)] == [
        "premier", "quatrième", "cinquième", "neuvième", "vingt et unième", "quatre-vingtième",
    ]  # fmt: skip
