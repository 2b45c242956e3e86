"""A file in, its text as one out: cleaned, with where its sections and its pages begin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wellread.corpus.chapters import SEPARATOR, divide
from wellread.corpus.cleaning import clean
from wellread.corpus.examples import is_example
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
    sections = () if is_example(documents[0]) else stated(documents) or found(documents)
    return Whole(text, sections, page_starts(paged, text) if "\f" in paged else ())


def stated(documents: Sequence[Document]) -> tuple[tuple[int, str], ...]:
    """The sections that the format names, by their levels."""
    sections, path, start = [], dict[int, str](), 0
    for document in documents:
        level = int(document.metadata.get("level", 0) or 0)
        if level and document.section:
            path = {above: title for above, title in path.items() if above < level} | {level: document.section}
            sections.append((start, [title for _, title in sorted(path.items())]))
        start += len(document.text) + len(SEPARATOR)
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
