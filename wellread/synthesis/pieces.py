"""A Document in, the pieces that questions are made of out: its sentences, list items, table rows and entries.

Loaders give a heading, then blocks parted by blank lines; a row of a table is a block whose cells are parted by tabs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wellread.types import Document

Kind = Literal["sentence", "item", "row", "entry"]
LONGEST_ITEM = 30
"""Words of a block that may be an item of a list."""
_BLOCK = re.compile(r"[^\n]+(?:\n(?!\s*\n)[^\n]+)*")
_ENTRY = re.compile(r"[“«\"]?\s*(?P<name>[^\s:;.!?“”«»\"][^:;.!?“”«»\"]{1,38}?)\s*[”»\"]?\s*:\s+(?P<told>\S.+)", re.S)
_END = re.compile(r"(?<=[.!?…])[”»\"')]*\s+(?=[“«\"'(]?\s*[A-ZÀ-ÖØ-Þ0-9])")
_CLOSING = "”»\"')"
_SHORTENED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|Nr|Fig|cf|vol|art|p|pp|M|Mme|Mlle|etc)|\b[A-Z])\.[”»\"')]*$")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a document that says one thing."""

    kind: Kind
    text: str
    """As it stands in the document."""
    start: int
    end: int
    """Characters in the document's text."""
    heading: str
    cells: tuple[str, ...] = ()
    """Of a row its cells, of an entry its name and what is told of it."""
    head: tuple[str, ...] = ()
    """Of a row the heads of its columns."""
    group: int = 0
    """Items of one list, and rows of one table, share a number; 0: of none."""


def pieces(document: Document) -> list[Piece]:
    """Every piece of a document in its order. A table is two rows or more of as many cells, the first its head; a list is
    two short blocks or more in a row that are one sentence each."""
    heading = document.section or str(document.metadata.get("title") or "")
    blocks = [found for found in _BLOCK.finditer(document.text) if found.group().strip() != document.section]
    kinds = [_kind(found.group()) for found in blocks]
    pieces: list[Piece] = []
    place = group = 0
    while place < len(blocks):
        same = place
        while same < len(blocks) and kinds[same] == kinds[place] and _alike(blocks[place], blocks[same], kinds[place]):
            same += 1
        run = blocks[place:same]
        place = same
        if kinds[same - 1] == "row" and len(run) > 1:
            group += 1
            pieces += _rows(run, heading, group)
        elif kinds[same - 1] == "entry":
            pieces += [_entry(found, heading) for found in run]
        elif kinds[same - 1] == "item" and len(run) > 1:
            group += 1
            pieces += [Piece("item", found.group(), found.start(), found.end(), heading, group=group) for found in run]
        else:
            pieces += [sentence for found in run for sentence in _sentences(found, heading)]
    return pieces


def sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence of a text begins and ends; no sentence ends at `Mr.`, `No.` or an initial."""
    spans: list[tuple[int, int]] = []
    start = 0
    for found in _END.finditer(text):
        if _SHORTENED.search(text[start : found.start()]):
            continue
        spans.append((start, found.start() + len(found.group()) - len(found.group().lstrip(_CLOSING))))
        start = found.end()
    return [*spans, (start, len(text.rstrip()))] if text[start:].strip() else spans


def _kind(block: str) -> str:
    if "\t" in block:
        return "row"
    if len(sentences(block)) > 1:
        return "prose"
    if _ENTRY.fullmatch(block) and len(block.split()) <= 2 * LONGEST_ITEM:
        return "entry"
    return "item" if len(block.split()) <= LONGEST_ITEM else "prose"


def _alike(first: re.Match[str], other: re.Match[str], kind: str) -> bool:
    return kind != "row" or first.group().count("\t") == other.group().count("\t")


def _rows(run: Sequence[re.Match[str]], heading: str, group: int) -> Iterator[Piece]:
    head = _cells(run[0].group())
    for found in run[1:]:
        yield Piece("row", found.group(), found.start(), found.end(), heading, _cells(found.group()), head, group)


def _cells(row: str) -> tuple[str, ...]:
    return tuple(" ".join(cell.split()) for cell in row.split("\t"))


def _entry(found: re.Match[str], heading: str) -> Piece:
    entry = _ENTRY.fullmatch(found.group())
    assert entry is not None, "only an entry comes here"
    cells = (entry["name"], " ".join(entry["told"].split()))
    return Piece("entry", found.group(), found.start(), found.end(), heading, cells)


def _sentences(found: re.Match[str], heading: str) -> Iterator[Piece]:
    for start, end in sentences(found.group()):
        yield Piece("sentence", found.group()[start:end], found.start() + start, found.start() + end, heading)
