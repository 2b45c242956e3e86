"""Fakes of a fair fight: three passages, a shelf that finds what it is told to, a model that says what it is told to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wellread.metrics.citations import holds
from wellread.types import Chunk, GoldPassage, Sample, Sampling, Scored

LAMP = Chunk("h", 0, 30, "The great lamp burns 14 litres of oil a night.", "keeper.md", "1 Lamps", score=0.9)
CELLAR = Chunk("h", 50, 80, "The cellar holds 60 barrels of oil.", "keeper.md", "2 Stores", score=0.5)
BELL = Chunk("h", 90, 99, "The bell is rung by the youngest keeper.", "keeper.md", "4 Visitors", score=0.1)


class Shelf:
    """Finds what it is told to, in that order, whatever is asked; for its own words, a chunk that has them."""

    name = "shelf"

    def __init__(self, *chunks: Chunk) -> None:
        self._chunks = chunks

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        own = [chunk for chunk in (LAMP, CELLAR, BELL) if holds(chunk, GoldPassage(query))]
        return [*own, *self._chunks][:k] if own else list(self._chunks[:k])


class Says:
    """Says what it is told to; counts words."""

    name, tokenizer_name = "says", "words"

    def __init__(self, *said: str, sources: Sequence[tuple[Chunk, ...]] = ()) -> None:
        self._said, self._sources, self.heard = said, sources, list[Any]()

    def count(self, prompt: Any) -> int:
        return len((prompt if isinstance(prompt, str) else prompt[-1]["content"]).split())

    def generate(self, prompts: Sequence[Any], sampling: Sampling) -> list[Sample]:
        start = len(self.heard)
        self.heard += prompts
        return [
            Sample("", self._said[n], sampling, 0, sources=self._sources[n] if self._sources else ())
            for n in range(start, start + len(prompts))
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise NotImplementedError
