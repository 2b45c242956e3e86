"""Chunks of documents: their characters, sections and pages, by every chunker and for every setting."""

from __future__ import annotations

import re

import pytest

from wellread.errors import UnknownName, UsageError
from wellread.retrieval.chunking import CHUNKERS, TOKEN, Chunking, Outline, chunks_of

TITLE = "The Lake\n\n"
KEYS = "Keys\n\nThe key hangs behind the door. Nobody takes it.\n\nThe spare one is with the ferryman.\n\n"
BOATS = "Boats\n\nBoats leave at nine. They come back at six."
LAKE = Outline(
    "lake", TITLE + KEYS + BOATS, "lake.md",
    ((0, "The Lake"), (len(TITLE), "The Lake › Keys"), (len(TITLE + KEYS), "The Lake › Boats")),
    (0, len(TITLE + KEYS)),
)  # fmt: skip


def found(chunker: str, size: int, overlap: int = 0, outline: Outline = LAKE) -> list[str]:
    return [chunk.text for chunk in chunks_of(outline, Chunking(chunker, size, overlap))]


@pytest.mark.parametrize("chunker", CHUNKERS)
@pytest.mark.parametrize(("size", "overlap"), [(4, 0), (7, 3), (180, 0), (1, 0)])
def test_a_chunk_is_its_characters_and_no_word_is_left_out(chunker: str, size: int, overlap: int) -> None:
    chunks = chunks_of(LAKE, Chunking(chunker, size, overlap))
    assert all(LAKE.text[chunk.start : chunk.end] == chunk.text == chunk.text.strip() for chunk in chunks)
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert {place for place, sign in enumerate(LAKE.text) if not sign.isspace()} <= covered
    assert {(chunk.document, chunk.source) for chunk in chunks} == {("lake", "lake.md")}


@pytest.mark.parametrize("chunker", ["tokens", "paragraphs"])
def test_no_chunk_has_more_tokens_than_its_size(chunker: str) -> None:
    assert max(len(TOKEN.findall(text)) for text in found(chunker, 6, 2)) <= 6


def test_tokens_are_windows_that_overlap() -> None:
    outline = Outline("count", "one two three four five six seven")
    assert found("tokens", 3, 0, outline) == ["one two three", "four five six", "seven"]
    assert found("tokens", 3, 1, outline) == ["one two three", "three four five", "five six seven"]


def test_headings_are_whole_sections_cut_only_where_they_are_too_long() -> None:
    assert found("headings", 180) == [(TITLE + KEYS).strip(), BOATS]
    assert len(found("headings", 12)) > 2


def test_paragraphs_are_joined_while_they_fit_and_never_over_a_heading() -> None:
    assert found("paragraphs", 180) == [(TITLE + KEYS).strip(), BOATS]
    assert found("paragraphs", 13)[-2:] == ["The spare one is with the ferryman.", BOATS]
    assert "Nobody takes it." in found("paragraphs", 8)


def test_an_overlap_repeats_the_last_sentences_that_fit() -> None:
    outline = Outline("four", "First it is.\n\nThen it was.\n\nLast it goes.")
    assert found("paragraphs", 8, 0, outline) == ["First it is.\n\nThen it was.", "Last it goes."]
    assert found("paragraphs", 8, 4, outline) == ["First it is.\n\nThen it was.", "Then it was.\n\nLast it goes."]


def test_a_chunk_knows_its_section_and_page() -> None:
    chunks = chunks_of(LAKE, Chunking("paragraphs", 13))
    assert [(chunk.section, chunk.page) for chunk in chunks if "Boats" in chunk.text] == [("The Lake › Boats", 2)]
    assert {(chunk.section, chunk.page) for chunk in chunks if "key" in chunk.text} == {("The Lake › Keys", 1)}
    assert {(chunk.section, chunk.page) for chunk in chunks_of(Outline("x", "plain"), Chunking())} == {("", None)}


def test_a_chunk_knows_where_further_pages_begin_in_it() -> None:
    text = "One goes. Two comes. Three stays."
    two, three = text.index("Two"), text.index("Three")
    [chunk] = chunks_of(Outline("d", text, pages=(0, two, three, three, len(text))), Chunking())
    assert (chunk.page, chunk.overleaf) == (1, (two, three, three))
    [late] = chunks_of(Outline("d", text, pages=(two, three)), Chunking())  # of its first page nothing was found again
    assert (late.page, late.overleaf) == (1, (three,))
    assert [each.overleaf for each in chunks_of(Outline("d", text), Chunking())] == [()]


def test_text_without_spaces_or_sentences_is_cut_all_the_same() -> None:
    wall = "x" * 50 + "。" + "y" * 50 + "!" * 400
    assert re.sub(r"\s", "", "".join(found("paragraphs", 10, 0, Outline("wall", wall)))) == wall


def test_neither_a_script_without_blanks_nor_a_wall_of_signs_makes_one_endless_chunk() -> None:
    for text, most in (("湖の鐘は朝に鳴り" * 90, 20), ("0123456789abcdef" * 900, 20 * 60)):
        several = found("paragraphs", 20, 0, Outline("d", text))
        assert max(map(len, several)) == most
        assert "".join(several) == text


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="the overlap less than the size"):
        Chunking("tokens", 5, 5)
    with pytest.raises(UnknownName, match="did you mean 'paragraphs'"):
        chunks_of(LAKE, Chunking("paragraph"))
