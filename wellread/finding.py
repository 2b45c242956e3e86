"""What is found in documents: stretches of text with their places, and who finds them. Standard library only.

They are part of `types`, from where all else imports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a document: any hit can be shown in place."""

    document: str
    """Its id, or the place in words where the text has coordinates."""
    start: int
    end: int
    """Characters in the document's text."""
    text: str
    source: str = ""
    """The file it came from, as given."""
    section: str = ""
    """The headings it stands under, the outermost first, joined by " › "; empty where there are none."""
    page: int | None = None
    """The page it begins on, counted from 1; None where the source has no pages."""
    score: float = 0.0
    """How well it answered the search that found it, higher for better; the scale is the retriever's own."""
    overleaf: tuple[int, ...] = ()
    """Where further pages begin within it, in order: characters in the document's text."""


@runtime_checkable
class Retriever(Protocol):
    @property
    def name(self) -> str: ...

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        """At most `k` chunks, the best first."""
        ...
