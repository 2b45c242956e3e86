"""The handbook as PDF and as Word file, indexed: where its gold quotes are found, against the files read by other means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from wellread.indexing import index_texts
from wellread.retrieval.gold import read_gold
from wellread.retrieval.store import FIRST, columns_in, open_store
from wellread.texts import library_text
from wellread.types import GoldPassage

pytest.importorskip("lancedb")
FOUND = 0.95
"""Share of the gold quotes that must be found, with their pages and headings right."""


class Placed(NamedTuple):
    """A word of a file, where it stands."""

    word: str
    heading: str
    page: int


class File:
    """All words of a file in order; a place is asked for by the words that stand there."""

    def __init__(self, words: Sequence[Placed]) -> None:
        self.words = words
        self._line = " " + " ".join(each.word for each in words) + " "

    def place(self, text: str) -> Placed | None:
        """Where a text begins; None where it does not stand, or more than once."""
        sought = " " + " ".join(spoken(text)) + " "
        if self._line.count(sought) != 1:
            return None
        return self.words[self._line[: self._line.index(sought)].count(" ")]


def spoken(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def printed(path: Path) -> File:
    """A PDF by its pages as PDFium gives them, their numbers at the foot aside, and by its outline."""
    from pypdfium2 import PdfDocument

    words: list[Placed] = []
    with PdfDocument(path) as document:
        pages = [spoken(page.get_textpage().get_text_range()) for page in document]
        entries = [(entry.get_dest().get_index(), entry.get_title()) for entry in document.get_toc()]
    heading = ""
    for number, page in enumerate(pages):
        ours = [(spoken(title), title) for place, title in entries if place == number]
        assert str(number + 1) in (page[0], page[-1])
        for at in range(page[0] == str(number + 1), len(page) - (page[-1] == str(number + 1))):
            if ours and page[at : at + len(ours[0][0])] == ours[0][0]:
                heading = ours.pop(0)[1]
            words.append(Placed(page[at], heading, number + 1))
        assert not ours
    return File(words)


def word_file(path: Path) -> File:
    """A Word file by python-docx: its paragraphs and cells in order, under the paragraphs that are styled as headings."""
    from docx import Document
    from docx.table import Table

    words: list[Placed] = []
    heading = ""
    for block in Document(str(path)).iter_inner_content():
        if isinstance(block, Table):
            text = " ".join(cell.text for row in block.rows for cell in row.cells)
        else:
            text = block.text
            if block.style is not None and str(block.style.name).startswith("Heading"):
                heading = text
        words += [Placed(word, heading, 0) for word in spoken(text)]
    return File(words)


class Indexed:
    """What a store holds of one file."""

    def __init__(self, name: str, folder: Path) -> None:
        report = index_texts([f"library:{name}"], folder / "store", embedder="none")
        assert (report.files, report.skipped) == (1, ())
        columns = ["text", "section", "page", "start", "overleaf"]
        rows = columns_in(open_store(folder / "store")._table, columns, where=FIRST).to_pylist()
        self._chunks = [(f" {' '.join(spoken(row['text']))} ", row) for row in rows]

    def chunk(self, passage: GoldPassage) -> dict[str, Any] | None:
        """The chunk in which a quote stands, and on which page of it, `own`."""
        quote = spoken(passage.quote)
        sought = f" {' '.join(quote)} "
        row = next((row for words, row in self._chunks if sought in words), None)
        if row is None or row["page"] is None:
            return row
        begins = re.search(r"\W+".join(map(re.escape, quote)), row["text"], re.IGNORECASE)
        assert begins is not None
        return {**row, "own": row["page"] + sum(turned <= row["start"] + begins.start() for turned in row["overleaf"])}


def sought_in(file: File) -> list[tuple[GoldPassage, Placed]]:
    """The gold quotes and where they stand; two ways to know the heading agree."""
    asked = read_gold(library_text("handbook_questions.jsonl"))
    passages = [passage for question in asked for passage in question.passages]
    found = [(passage, place) for passage in passages if (place := file.place(passage.quote))]
    assert len(found) == len(passages) > 180
    assert all(place.heading == passage.section for passage, place in found)
    return found


def last_heading(row: dict[str, Any]) -> str:
    return str(row["section"]).rpartition(" › ")[2]


def test_quotes_stand_in_the_pdf_on_their_pages_under_their_headings(tmp_path: Path) -> None:
    file, indexed = printed(library_text("handbook.pdf")), Indexed("handbook.pdf", tmp_path)
    sought = sought_in(file)
    chunks = [(chunk, place) for passage, place in sought if (chunk := indexed.chunk(passage))]
    begun = [file.place(" ".join(spoken(chunk["text"])[:15])) for chunk, _ in chunks]
    begins = sum(at is not None and chunk["page"] == at.page for at, (chunk, _) in zip(begun, chunks, strict=True))
    paged = sum(chunk["own"] == place.page for chunk, place in chunks)
    headed = sum(last_heading(chunk) == place.heading for chunk, place in chunks)
    assert (begins, headed, paged) == (len(sought), len(sought), len(sought))


def test_quotes_stand_in_the_word_file_under_their_headings(tmp_path: Path) -> None:
    pytest.importorskip("docx")
    file, indexed = word_file(library_text("handbook.docx")), Indexed("handbook.docx", tmp_path)
    sought = sought_in(file)
    chunks = [(chunk, place) for passage, place in sought if (chunk := indexed.chunk(passage))]
    assert {chunk["page"] for chunk, _ in chunks} == {None}
    headed = sum(last_heading(chunk) == place.heading for chunk, place in chunks)
    assert headed >= FOUND * len(sought)
