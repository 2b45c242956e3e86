"""The lines of a PDF's pages in, their text out, with the footnotes of a chapter at its end instead of under each page.

A footnote under a page stands in the middle of a sentence that goes on overleaf. Where the file has an outline, which
says where chapters begin, notes are therefore moved to the end of their chapter, as other formats' loaders do.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection
from typing import NamedTuple

from wellread.corpus.layout import Line, arranged

MARK = re.compile(r"(?:\d{1,3}|[¹²³⁴-⁹]{1,3}|\[\d{1,3}\]|[*†‡§])[.)]?\s*\S")
SMALL = 0.93
"""Notes are set smaller than the text: at most this share of its height."""
FOOT = 2
"""At most so many lines (a page number, a running foot) stand under the notes."""


class Page(NamedTuple):
    body: list[Line]
    notes: list[Line]
    foot: list[Line]


def divided(lines: list[Line]) -> Page:
    """A page's text, footnotes and running foot; all is text unless small marked lines stand under larger ones."""
    if not lines:
        return Page([], [], [])
    usual = statistics.median([height for line in lines for height in [line.height] * len(line.text)])
    small = [line.height <= SMALL * usual for line in lines]
    for foot in range(FOOT + 1):
        end = len(lines) - foot
        start = end
        while start > 0 and small[start - 1]:
            start -= 1
        while start < end and not MARK.match(lines[start].text):
            start += 1
        if 0 < start < end and lines[start - 1].bottom > lines[start].bottom:
            return Page(lines[:start], lines[start:end], lines[end:])
    return Page(lines, [], [])


def with_notes_moved(pages: list[list[Line]], starts: Collection[int]) -> list[str]:
    """The text of each page; a chapter's footnotes stand at the end of its last page, above the running foot."""
    if not starts:
        return [arranged(lines) for lines in pages]
    texts = []
    notes: list[str] = []
    for number, lines in enumerate(pages):
        page = divided(lines)
        if page.notes:
            notes.append(arranged(page.notes))
        parts = [arranged(page.body)]
        if number + 1 in starts or number + 1 == len(pages):
            parts += notes
            notes = []
        parts.append(arranged(page.foot))
        texts.append("\n\n".join(part for part in parts if part))
    return texts
