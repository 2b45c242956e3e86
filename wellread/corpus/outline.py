"""A PDF's outline in, its headings where they stand in the cleaned text out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from wellread.corpus.encoding import CONTROLS, tidy

MOST = 5_000
"""Entries that are read of an outline; a file may name one again and again."""
TITLE = 200
"""Characters of a heading at most."""
BEFORE = 15
"""Characters that may stand before a heading's words in its line: a number that the outline leaves out."""
SLACK = 200
"""So many characters before the page's beginning, as it was found again, a heading may stand,"""
REACH = 20_000
"""and so many behind it: no page holds more."""


class Entry(NamedTuple):
    """A heading that the outline names."""

    level: int
    """1 for a chapter, 2 for what stands below it, and so on."""
    title: str
    page: int
    """Counted from 0."""


def entries(document: Any) -> Iterator[Entry]:
    """The entries that point to a page, in order."""
    for bookmark in islice(document.get_toc(), MOST):
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            yield Entry(bookmark.level + 1, stated(bookmark.get_title), page)


def stated(read: Callable[[], str]) -> str:
    """A title that the file states, in one line; empty where its bytes are no text."""
    try:
        return " ".join(tidy(CONTROLS.sub(" ", read())).split())
    except UnicodeDecodeError:
        return ""


def headings(outline: Sequence[Entry], text: str, pages: Sequence[int]) -> list[tuple[int, int, str]]:
    """Where each heading begins in the text, its level and its title, in order; `pages` are where the pages begin.

    A heading is the first line of its page that is its words, a number before them aside, or else begins with them; one
    of which there is no such line is left out. Nothing where that is more than half of them, for then the text does not
    say what the outline says; and nothing where only one is found.
    """
    found: list[tuple[int, int, str]] = []
    least = 0
    for level, title, page in outline:
        begin = pages[page] if page < len(pages) else 0
        place = line_of(title, text, max(least, begin - SLACK), begin + REACH)
        if place is not None:
            found.append((place, level, title))
            least = place + len(title)
    return found if len(found) > 1 and 2 * len(found) >= len(outline) else []


def line_of(title: str, text: str, begin: int, end: int) -> int | None:
    """Where the line begins that a heading is."""
    if not 0 < len(title) <= TITLE:
        return None
    words = rf"^.{{0,{BEFORE}}}?(?<!\w)" + r"\s+".join(map(re.escape, title.split()))
    for pattern in (rf"{words}\W*$", rf"{words}(?!\w)"):
        if match := re.compile(pattern, re.IGNORECASE | re.MULTILINE).search(text, begin, end):
            return match.start()
    return None
