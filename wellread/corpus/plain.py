"""A text file in, one Document out, its lines as they stand: joining wrapped lines is the cleaning's work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from wellread.corpus.encoding import text_of
from wellread.corpus.sections import single
from wellread.types import Document

FIRST_PAGE = 3000
"""Characters in which a title is looked for."""
MOST_WORDS = 12
NAMED = re.compile(r"^(?:Title|Titre|Titel|Título|Titolo):[ \t]*(\S[^\n]*)", re.MULTILINE)
BY = re.compile(r"(?i:by|par|von|por|di)(?:\s+[A-ZÀ-Þ](?:\S*\s*){1,6})?$")
"""Of an author's line: short, and a name."""


def load(path: Path) -> Iterator[Document]:
    """One Document without a section, with its title where the text states one. Raises CorpusError for a file that is
    no text."""
    text = text_of(path)
    title = stated_title(text)
    yield from single(path, text, **({"title": title} if title else {}))


def stated_title(text: str) -> str:
    """The title that a book's first page states; empty where it does not.

    It is what an e-text's header names (`Title: …`), or the first line where a line soon after it says by whom: first
    lines alone are names of authors or of first chapters as often.
    """
    head = text[:FIRST_PAGE]
    if named := NAMED.search(head):
        return " ".join(named[1].split())
    lines = [line.strip().strip("_*#= ") for line in head.split("\n") if line.strip()][:5]
    if len(lines) > 1 and 0 < len(lines[0].split()) <= MOST_WORDS and any(map(BY.match, lines[1:])):
        return " ".join(lines[0].rstrip(".,;:").split())
    return ""
