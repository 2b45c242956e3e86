"""A file in, its text as one out: cleaned, with where its sections and its pages begin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wellread.corpus.chapters import SEPARATOR, divide
from wellread.corpus.cleaning import clean
from wellread.corpus.examples import is_example
from wellread.corpus.outline import headings
from wellread.corpus.paging import page_starts
from wellread.corpus.reading import load_file
from wellread.errors import CorpusError
from wellread.types import Document

JOINT = " › "
PASSAGE = re.compile(r"(?: · |^)passage \d+$")
"""What a stretch of a text is called that has no heading of its own."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A file's text."""

    text: str
    sections: tuple[tuple[int, str], ...] = ()
    """Where each begins, in order, and its headings, the outermost first, joined by " › "; a title over all is left out."""
    pages: tuple[int, ...] = ()
    """Where each begins, in order; empty where the format has none."""


def read_whole(path: Path) -> Whole:
    """The text of one file, by the loader of its suffix. Raises CorpusError where it cannot be read, or holds no text."""
    loaded = list(load_file(path))
    documents, _ = clean(loaded)
    text = SEPARATOR.join(document.text for document in documents)
    if not text.strip():
        raise CorpusError(f"{path.as_posix()}: no text is left of it once it is cleaned; look into the file.")
    paged = SEPARATOR.join(document.text for document in loaded)
    pages = page_starts(paged, text) if "\f" in paged else ()
    if is_example(documents[0]):
        return Whole(text, (), pages)
    outline = headings(documents[0].metadata.get("outline", ()), text, pages)
    return Whole(text, nested(stated(documents)) or nested(outline) or found(documents), pages)


def stated(documents: Sequence[Document]) -> Iterable[tuple[int, int, str]]:
    """The headings that the format names: where each begins, its level and its words."""
    start = 0
    for document in documents:
        level = int(document.metadata.get("level", 0) or 0)
        if level and document.section:
            yield start, level, document.section
        start += len(document.text) + len(SEPARATOR)


def nested(marks: Iterable[tuple[int, int, str]]) -> tuple[tuple[int, str], ...]:
    """Sections by the levels of their headings."""
    sections, path = [], dict[int, str]()
    for start, level, title in marks:
        path = {above: name for above, name in path.items() if above < level} | {level: title}
        sections.append((start, [name for _, name in sorted(path.items())]))
    return joined(sections)


def found(documents: Sequence[Document]) -> tuple[tuple[int, str], ...]:
    """The chapters whose headings stand in the text."""
    sections: list[tuple[int, list[str]]] = []
    for chapter in divide(documents):
        titles = [title for title in PASSAGE.sub("", chapter.section).split(" · ") if title]
        if titles and (not sections or sections[-1][1] != titles):
            sections.append((chapter.offset, titles))
    return joined(sections)


def joined(sections: list[tuple[int, list[str]]]) -> tuple[tuple[int, str], ...]:
    """Each with its headings in one, without the title that stands above them all."""
    roots = {titles[0] for _, titles in sections}
    if len(roots) == 1 and len(sections) > 1:
        sections = [(start, titles[1:] or titles) for start, titles in sections]
    return tuple((start, JOINT.join(titles)) for start, titles in sections)
