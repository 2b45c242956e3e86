"""Cleaned Documents in, one Document per chapter out; per passage where a text has no chapters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count, groupby, pairwise
from pathlib import PurePath
from statistics import median
from typing import NamedTuple

from wellread.corpus.examples import is_example
from wellread.corpus.marks import Mark, find_marks
from wellread.corpus.passages import LEAST_WORDS, cut, passage_words, words_in
from wellread.corpus.sections import slug
from wellread.types import Document

SEPARATOR = "\n\n"
"""Stands between the documents of one source in the source's cleaned text, to which every `offset` refers."""
FEW = 8
"""A source of fewer chapters cannot give whole ones to three parts: they are cut into passages."""
BIGGEST = 0.15
"""Likewise a chapter that holds more than this share of its source."""
TINY = 60
"""Words of a section too small to stand alone."""
OPENING = 200
"""Words before the first heading that still go with it: a title page, a dedication."""


class Piece(NamedTuple):
    """A stretch of a source's cleaned text and the headings it stands under."""

    start: int
    end: int
    section: str = ""
    kind: str = "chapter"


def divide(documents: Iterable[Document]) -> list[Document]:
    """One Document per chapter, in the order of the text, nothing left out.

    `id` is the source's slug with a number; `section` joins the headings from the part down to the chapter with " · ";
    `offset` counts characters in the source's text, its documents joined by `SEPARATOR`, so that
    `text[offset:offset + len(document.text)] == document.text`. `metadata["kind"]` is "chapter" or "passage".
    Sources without chapters, with fewer than eight, or chapters that hold over 15 % of their source, are cut into
    contiguous passages of about 1,500 words, fewer where that would make less than thirty. An example stays whole.
    """
    divided: list[Document] = []
    taken: set[str] = set()
    for source, group in groupby(documents, key=lambda document: document.source):
        parts = list(group)
        name = stem = slug(PurePath(source).stem if source else parts[0].id.rsplit("-", 1)[0])
        copies = count(2)
        while name in taken:
            name = f"{stem}-{next(copies)}"
        taken.add(name)
        if is_example(parts[0]):
            divided += [replace(part, id=f"{name}-{number:04d}") for number, part in enumerate(parts, 1)]
        else:
            divided += _divided(name, parts)
    return divided


def _divided(name: str, parts: Sequence[Document]) -> list[Document]:
    text = SEPARATOR.join(part.text for part in parts)
    breaks = _breaks(parts)
    pieces = _in_size(_pieces(parts, text, breaks), text, breaks)
    stated = {key: value for key, value in parts[0].metadata.items() if key not in {"level", "breaks", "outline"}}
    documents = []
    filled = (piece for piece in pieces if text[piece.start : piece.end].strip())
    for number, piece in enumerate(filled, 1):
        body = text[piece.start : piece.end]
        lead = len(body) - len(body.lstrip("\n"))
        documents.append(
            Document(
                f"{name}-{number:04d}",
                body.strip("\n"),
                parts[0].source,
                piece.section,
                piece.start + lead,
                {**stated, "kind": piece.kind},
            )
        )
    return documents


def _breaks(parts: Sequence[Document]) -> list[int]:
    """The wider gaps that cleaning noted, as offsets in the source's text."""
    found, start = [], 0
    for part in parts:
        found += [start + place for place in part.metadata.get("breaks", ())]
        start += len(part.text) + len(SEPARATOR)
    return found


def _pieces(parts: Sequence[Document], text: str, breaks: Sequence[int]) -> list[Piece]:
    """The chapters by the source's own headings, or, where these are none or too few, by those in its text."""
    stated = _stated(parts, text)
    if len(stated) >= FEW and max(piece.end - piece.start for piece in stated) <= 0.4 * len(text):
        return stated
    found = _between(find_marks(text, breaks), text)
    return found if len(found) > len(stated) else stated


def _stated(parts: Sequence[Document], text: str) -> list[Piece]:
    """Pieces by heading level: the deepest level whose sections are mostly of a chapter's size."""
    marks, start = [], 0
    for part in parts:
        level = int(part.metadata.get("level", 0) or 0)
        if level and part.section:
            marks.append(Mark(start, level, part.section))
        start += len(part.text) + len(SEPARATOR)
    best: list[Piece] = []
    for level in sorted({mark.rank for mark in marks}):
        pieces = _between([mark for mark in marks if mark.rank <= level], text, tiny=TINY)
        middle = median(words_in(text[piece.start : piece.end]) for piece in pieces)
        if not best or middle >= 400 or (len(best) < FEW <= len(pieces) and middle >= LEAST_WORDS):
            best = pieces
    return best


def _between(marks: Sequence[Mark], text: str, *, tiny: int = 0) -> list[Piece]:
    """The stretches from heading to heading; an opening or a part's own lines go with the chapter after them.

    A section of fewer than `tiny` words goes with the one before it, or, at the beginning, with the one after.
    """
    if not marks:
        return []
    pieces: list[Piece] = []
    path: dict[int, str] = {}
    begin = 0
    opening = Mark(0, 0, "", alone=True)
    ordered = [opening, *marks] if marks[0].start > 0 else list(marks)
    for mark, following in pairwise([*ordered, Mark(len(text), 0, "")]):
        if mark.alone:
            path.clear()
        path = {rank: title for rank, title in path.items() if rank < mark.rank} | {mark.rank: mark.title}
        section = " · ".join(title for _, title in sorted(path.items()) if title)
        size = words_in(text[begin : following.start])
        last = following.start == len(text)
        limit = OPENING if mark is opening else 0 if pieces else tiny
        if following.rank > mark.rank:
            limit = OPENING if begin == 0 else 150
        if mark.alone:
            path.clear()
        if size < limit and not last:
            continue
        if pieces and begin == mark.start and size < tiny:
            pieces[-1] = pieces[-1]._replace(end=following.start)
        else:
            pieces.append(Piece(begin, following.start, section))
        begin = following.start
    return _without_common(pieces)


def _without_common(pieces: list[Piece]) -> list[Piece]:
    """The pieces without a first heading that all of them share: the title of the book."""
    heads = {piece.section.split(" · ", 1)[0] for piece in pieces if " · " in piece.section}
    nested = sum(" · " in piece.section for piece in pieces)
    if len(heads) != 1 or nested < 2 or nested < len(pieces) - 2:
        return pieces
    common = f"{heads.pop()} · "
    return [piece._replace(section=piece.section.removeprefix(common)) for piece in pieces]


def _in_size(pieces: Sequence[Piece], text: str, breaks: Sequence[int]) -> list[Piece]:
    """The pieces, those too big for an even split cut into passages; a text without pieces as passages."""
    total = words_in(text)
    words = passage_words(total)
    if not pieces:
        return [
            Piece(start, end, f"passage {number}", "passage")
            for number, (start, end) in enumerate(cut(text, words, breaks=breaks), 1)
        ]
    sized: list[Piece] = []
    for piece in pieces:
        size = words_in(text[piece.start : piece.end])
        if size < 1.5 * words or (len(pieces) >= FEW and size <= BIGGEST * total):
            sized.append(piece)
            continue
        inside = [place - piece.start for place in breaks if piece.start < place < piece.end]
        for number, (start, end) in enumerate(cut(text[piece.start : piece.end], words, breaks=inside), 1):
            section = " · ".join(part for part in (piece.section, f"passage {number}") if part)
            sized.append(Piece(piece.start + start, piece.start + end, section, "passage"))
    return sized
