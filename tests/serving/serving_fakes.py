"""Models whose time is in the test's hands, and one that answers from documents."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from waiting import PATIENCE

from wellread.streaming import Token
from wellread.types import Chunk, Prompt, Sample, Sampling, Scored, last_words

PASSAGE = Chunk(
    "handbook-3", 120, 158, "Stoves are lit in the last week of May.", "hand book.md", "Heating › Stoves", 7, 0.9
)
OTHER = Chunk("handbook-9", 0, 12, "Boats rest.", "hand book.md", "Boats")


class Letters:
    """An Embedder: how often a text has each of 26 letters."""

    name = "letters"

    def embed(self, texts: Sequence[str]) -> Any:
        return np.array([[text.count(chr(97 + place)) for place in range(26)] for text in texts], np.float32)


class Librarian:
    """A LanguageModel with documents: it says what it was asked, and cites the first passage and one that is not there."""

    name = "librarian"
    tokenizer_name = "words"

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        return [
            Sample(
                last_words(prompt),
                "In May [1], or so [7].",
                sampling,
                sampling.seed + place,
                self.name,
                "stop",
                (PASSAGE, OTHER),
            )
            for prompt in prompts
            for place in range(sampling.n)
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise NotImplementedError


class Cupboard:
    """A Retriever that finds both passages for whatever asks about stoves, and nothing else."""

    name = "cupboard"

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return [PASSAGE, OTHER][:k] if "stoves" in query else []


class Clockwork:
    """A StreamingModel that writes `tick ` for every step it is let take; `steps` counts those of each seed."""

    name = "clockwork"
    tokenizer_name = "ticks"
    window = 1000

    def __init__(self, at_once: int = 4) -> None:
        self.at_once = at_once
        self.go = threading.Semaphore(0)
        self.free = False
        self.steps: dict[int, int] = {}
        self.batches: list[list[int]] = []

    def run_down(self) -> None:
        """Hold no step back any more."""
        self.free = True
        self.go.release(10_000)

    def count(self, prompt: Prompt) -> int:
        return len(last_words(prompt).split())

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        raise NotImplementedError

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise NotImplementedError

    def stream(
        self,
        asked: Sequence[tuple[Prompt, Sampling]],
        *,
        schema: Mapping[str, Any] | None = None,
        likeliest: int | None = None,
        wanted: Callable[[int], bool] = lambda place: True,
    ) -> Iterator[list[Token | None]]:
        self.batches.append([sampling.seed for _, sampling in asked])
        if any(last_words(prompt) == "break" for prompt, _ in asked):
            raise RuntimeError("a wire is loose")
        for step in range(max(sampling.max_tokens for _, sampling in asked)):
            if not self.free:
                self.go.acquire(timeout=PATIENCE)
            tokens: list[Token | None] = []
            for place, (prompt, sampling) in enumerate(asked):
                if not wanted(place) or step >= sampling.max_tokens:
                    tokens.append(None)
                    continue
                self.steps[sampling.seed] = step + 1
                piece = b"tick " * (4000 if prompt == "loud" else 1)
                tokens.append(Token(piece, finish="length" if step + 1 == sampling.max_tokens else None))
            if tokens == [None] * len(tokens):
                return
            yield tokens
