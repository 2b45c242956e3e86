"""Canons with coordinates of three kinds, and what references to them come to."""

from __future__ import annotations

import pytest

from wellread.canon.reading import Canon, read_canon
from wellread.canon.references import Reference, of_answer, parse
from wellread.canon.resolving import places, resolve, works
from wellread.canon.retrieving import CanonRetriever
from wellread.errors import CorpusError, UsageError
from wellread.recipe.extraction import CanonSettings, Coordinates
from wellread.types import Retriever

POEM = """# A poem

## I. Going

1 One goes out,
2 two stay in,
3 three is none.

## II

1 Here
2 there
"""
BIBLE = "Alpha 1:1 In the beginning\nwas the alpha.\nAlpha 1:2 And then.\nAlpha 2:1 More.\nBeta 1:1 Other.\n"
HANDBOOK = "Preface, which has no number.\n\n# Boots\n\nWear them\nboth.\n\nTake them off.\n\n# Ice\n\nStay away.\n"


def canon(text: str, **given: object) -> Canon:
    return read_canon(text, CanonSettings.model_validate({"text": "x", **given}), "x")


@pytest.fixture
def poem() -> Canon:
    return canon(POEM, levels=["canto", "line"], marks=[r"## (?P<canto>[IVX]+)", r"(?P<line>\d+) "], names={"going": 1})


@pytest.fixture
def bible() -> Canon:
    return canon(BIBLE, levels=["book", "chapter", "verse"], marks=[r"(?P<book>\w+) (?P<chapter>\d+):(?P<verse>\d+) "],
                 names={"The First": "Alpha"})  # fmt: skip


def shown(canon: Canon, text: str) -> list[list[str]]:
    return [[line.text for line in each.lines] for each in resolve(canon, parse(text, canon))]


def test_lines_stand_at_their_characters(poem: Canon) -> None:
    assert [line.at for line in poem.lines] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert all(POEM[line.start : line.end] == line.text for line in poem.lines)


def test_one_mark_gives_book_chapter_and_verse_and_a_verse_runs_on(bible: Canon) -> None:
    assert bible.lines[0].text == "In the beginning\nwas the alpha."
    assert [line.at for line in bible.lines][-2:] == [("Alpha", 2, 1), ("Beta", 1, 1)]


def test_sections_and_paragraphs_are_counted() -> None:
    found = canon(HANDBOOK, levels=["section", "paragraph"], marks=[r"# (?P<section>)"], count="paragraph")
    assert {line.at: line.text for line in found.lines} == {
        (1, 1): "Wear them\nboth.", (1, 2): "Take them off.", (2, 1): "Stay away.",
    }  # fmt: skip


def test_lines_are_counted_anew_under_every_heading() -> None:
    found = canon("## I\na\nb\n## II\nc\n", levels=["canto", "line"], marks=[r"## (?P<canto>\w+)"], count="line")
    assert [line.at for line in found.lines] == [(1, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("I, 2", [["two stay in,"]]),
        ("1.2", [["two stay in,"]]),
        ("canto I, lines 2-3", [["two stay in,", "three is none."]]),
        ("I 2 to 3; II -1", [["two stay in,", "three is none."], ["there"]]),
        ("I -2--1", [["two stay in,", "three is none."]]),
        ("II", [["Here", "there"]]),
        ("ii 1–2", [["Here", "there"]]),
        ("Going 1, 3", [["One goes out,"], ["three is none."]]),
        ("-1 l. 1", [["Here"]]),
    ],
)
def test_references_as_people_write_them(poem: Canon, text: str, lines: list[list[str]]) -> None:
    assert shown(poem, text) == lines


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Alpha 1:2-2:1", [("Alpha", 1, 2), ("Alpha", 2, 1)]),
        ("alpha 1:1, 2", [("Alpha", 1, 1), ("Alpha", 1, 2)]),
        ("The First 2", [("Alpha", 2, 1)]),
        ("Alpha", [("Alpha", 1, 1), ("Alpha", 1, 2), ("Alpha", 2, 1)]),
        ("Beta 1:-1", [("Beta", 1, 1)]),
    ],
)
def test_books_chapters_and_verses(bible: Canon, text: str, places: list[tuple[object, ...]]) -> None:
    assert [line.at for each in resolve(bible, parse(text, bible)) for line in each.lines] == places


def test_a_work_whose_name_has_several_words_or_begins_with_a_number() -> None:
    text = "1 John 3:16 For love.\n1 John 3:17 And more.\nSong of Songs 1:1 Kiss.\nJohn 1:1 In.\n"
    marks = [r"(?P<book>(?:\d )?[A-Z][\w ]*?) (?P<chapter>\d+):(?P<verse>\d+) "]
    books = canon(text, levels=["book", "chapter", "verse"], marks=marks)
    found = shown(books, "1 john 3:16-17; Song of Songs 1:1; John 1:1")
    assert found == [["For love.", "And more."], ["Kiss."], ["In."]]


@pytest.mark.parametrize(
    ("text", "missing", "lines"),
    [
        ("III 1", "there is no canto 3: x has canto 1, 2", 0),
        ("I 5", "there is no canto 1, line 5: canto 1 has line 1, 2, 3", 0),
        ("I 2-9", "there is no canto 1, line 9: canto 1 has line 1, 2, 3", 2),
        ("I 3-2", "canto 1, line 2 comes before canto 1, line 3", 0),
        ("I -4", "there is no canto 1, line -4: canto 1 has line 1, 2, 3", 0),
    ],
)
def test_what_does_not_exist_is_said(poem: Canon, text: str, missing: str, lines: int) -> None:
    [found] = resolve(poem, parse(text, poem))
    assert (found.missing, len(found.lines)) == (missing, lines)


@pytest.mark.parametrize("text", ["", "I zz", "I 1:2", "I 1-2-3"])
def test_what_cannot_be_read_is_refused(poem: Canon, text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, poem)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"levels": ["a", "b"], "marks": ["(?P<a>x)"]}, "no mark gives 'b'"),
        ({"levels": ["a"], "marks": ["(?P<z>x)"]}, "names 'z'"),
        ({"levels": ["a"], "marks": ["("]}, "no regular expression"),
        ({"levels": ["a", "a"], "marks": ["(?P<a>x)"]}, "different words"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        canon("x", **given)


def test_a_place_that_comes_twice_and_a_text_without_places_are_told() -> None:
    with pytest.raises(CorpusError, match="line 1 comes twice"):
        canon("1 a\n1 b\n", levels=["line"], marks=[r"(?P<line>\d+) "])
    with pytest.raises(CorpusError, match="no line found"):
        canon("nothing", levels=["line"], marks=[r"(?P<line>\d+) "])


def test_json_answers_give_references_and_null_ends_a_coordinate() -> None:
    nested = Coordinates(items="found.refs", start=("start.book", "start.chapter", "start.verse"),
                         end=("end.book", "end.chapter", "end.verse"))  # fmt: skip
    place = {"book": "Alpha", "chapter": 1, "verse": None}
    answer = {"found": {"refs": [{"start": place, "end": place}, {"start": {"book": None}, "end": place}]}}
    assert of_answer(answer, nested) == [Reference(("Alpha", 1), ("Alpha", 1))]
    assert of_answer([], Coordinates(start=("a",))) == of_answer("nonsense", Coordinates(start=("a",))) == []


def test_places_are_counted_one_by_one_from_either_end(poem: Canon, bible: Canon) -> None:
    assert places([Reference((1, 2), (1, -1))], poem) == {(1, 2), (1, 3)}
    assert places([Reference((2,), (2,))], poem) == {(2, 1), (2, 2)}
    assert places([Reference((1, 3), (1, 5))], poem) == {
        (1, 3),
        (1, 4),
        (1, 5),
    }  # lines 4 and 5 do not exist: they count
    assert places([Reference((1, 3), (1, 5))]) == {(1, 3), (1, 4), (1, 5)}
    assert places([Reference(("Alpha", 1, 2), ("Alpha", 2, 1))], bible) == {("Alpha", 1, 2), ("Alpha", 2, 1)}
    assert places([Reference(("Alpha", 1, 2), ("Alpha", 2, 1))]) == {("Alpha", 1, 2, "to", "Alpha", 2, 1)}
    assert places([Reference((9, -1), (9, -1))], poem) == {(9, -1)}
    assert len(places([Reference((1, 1), (1, 10**9))])) == 400
    assert works([Reference((1, 2), (1, 3)), Reference((2,), (2,))]) == {1, 2}


def test_a_retriever_gives_the_lines_a_question_names(poem: Canon) -> None:
    retriever = CanonRetriever(poem, lambda query: parse(query.partition(":")[2], poem))
    assert isinstance(retriever, Retriever)
    found = retriever.retrieve("What of: I 2-3; II 1; I 2-3; I 9", 5)
    assert [(chunk.document, chunk.text) for chunk in found] == [
        ("canto 1, line 2 to canto 1, line 3", "two stay in,\nthree is none."), ("canto 2, line 1", "Here"),
    ]  # fmt: skip
    assert POEM[found[1].start : found[1].end] == "Here"
    assert len(retriever.retrieve("x: I; II", 1)) == 1
