"""Gold questions and what was replied to them, as records. Standard library only; part of `types`."""

from __future__ import annotations

from dataclasses import dataclass

from wellread.finding import Chunk


@dataclass(frozen=True, slots=True)
class GoldPassage:
    """Words of a source that answer a question, or a part of it."""

    quote: str
    source: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True)
class GoldQuestion:
    """A question with its right answers, any of them, and the passages that say them; neither where nothing answers it."""

    id: str
    question: str
    answers: tuple[str, ...] = ()
    passages: tuple[GoldPassage, ...] = ()
    near_miss: bool = False
    """Whether it asks, in the documents' own words, for what they do not say."""
    language: str = "en"

    @property
    def answered(self) -> bool:
        """Whether the documents answer it."""
        return bool(self.answers or self.passages)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a subject said to a gold question, what lay before it, and what it took."""

    question: GoldQuestion
    text: str
    """Without the numbers of sources."""
    refused: bool = False
    """Whether it says that it does not know, or was not let answer."""
    sources: tuple[Chunk, ...] | None = None
    """What was laid before it; None where nothing is retrieved at all."""
    cited: tuple[Chunk, ...] = ()
    score: float | None = None
    """How well the best source answered the search; None where nothing is retrieved."""
    seconds: float = 0.0
    read: int = 0
    """Tokens of the prompt."""
    written: int = 0
    """Tokens of the answer; 0 for both where nobody counted."""
    cut: bool = False
    """Whether it was cut at the longest length."""
