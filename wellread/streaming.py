"""What a model writes, token by token: record, protocol, and text that may be shown while more is to come. Standard library only."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

from wellread.types import LanguageModel, Prompt, Sampling

Finish = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Token:
    """One step of a text as it is written; the token that ends a document is one without bytes."""

    piece: bytes
    """What it adds to the text; a character's bytes may be spread over several tokens."""
    logprob: float | None = None
    """Natural logarithm, by the model itself: before temperature, penalties, filters, guard and schema."""
    likeliest: tuple[tuple[bytes, float], ...] = ()
    """The tokens that the model found likeliest here, with their logarithms, the first first."""
    finish: Finish | None = None
    """Why the text ends with this token; None where it goes on."""


@runtime_checkable
class StreamingModel(Protocol):
    """A model that gives its tokens as it writes them, several texts at a time."""

    @property
    def name(self) -> str: ...

    @property
    def window(self) -> int:
        """Tokens that it sees at once."""
        ...

    @property
    def at_once(self) -> int:
        """How many texts it writes at the same time."""
        ...

    def count(self, prompt: Prompt) -> int:
        """The tokens that a prompt takes, its beginning and its template among them. Raises ModelError for a chat that
        the template refuses."""
        ...

    def stream(
        self,
        asked: Sequence[tuple[Prompt, Sampling]],
        *,
        schema: Mapping[str, Any] | None = None,
        likeliest: int | None = None,
        wanted: Callable[[int], bool] = lambda place: True,
    ) -> Iterator[list[Token | None]]:
        """After every step, what each text has been added; None for one that has ended, or waits for its turn.

        One text for each prompt, whatever `n` says: together they are what `generate` writes, a completion by its pieces.
        The samplings differ in `seed` and `max_tokens` alone (ValueError else). With a `schema` each is one JSON
        value of it. `likeliest` asks for logarithms, and for so many of the likeliest tokens beside. A text whose
        place is not `wanted` any more ends there and then. Closing the iterator ends them all.
        """
        ...


def same_way(asked: Sequence[tuple[Prompt, Sampling]]) -> Sampling:
    """How texts that are written together are drawn. Raises ValueError where they differ in more than seed and length."""
    ways = {replace(sampling, seed=0, n=1, max_tokens=1) for _, sampling in asked}
    if len(ways) != 1:
        raise ValueError(f"texts that are written together are drawn one way; found {len(ways)}")
    return asked[0][1]


@dataclass(slots=True)
class Shown:
    """Pieces of bytes in, text that may be shown out: whole characters, and nothing from the first stop sequence on.

    What may yet become a stop sequence is held back until that is settled.
    """

    stops: Sequence[str] = ()
    stopped: bool = False
    """Whether a stop sequence has come; then nothing follows."""
    read: int = 0
    """Characters that came in so far, those held back among them."""
    _held: str = ""
    _decoder: Any = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))

    def add(self, piece: bytes) -> str:
        """What may be shown now."""
        if self.stopped:
            return ""
        fresh: str = self._decoder.decode(piece)
        self.read += len(fresh)
        text = self._held + fresh
        found = [(place + len(stop), place) for stop in self.stops if (place := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)[1]]
        held = max((_begun(text, stop) for stop in self.stops), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def end(self) -> str:
        """What was held back; the first bytes of a character that never became whole are left out."""
        held, self._held = self._held, ""
        return held


def _begun(text: str, stop: str) -> int:
    """How many letters at the end of a text may be the beginning of a stop sequence."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)


def texts(model: LanguageModel, prompt: Prompt, sampling: Sampling, *, stops: Sequence[str] = ()) -> Iterator[str]:
    """One completion, bit by bit as it is written; at once where the model does not stream. Closing it ends the writing."""
    shown = Shown(stops)
    if not isinstance(model, StreamingModel):
        [sample] = model.generate([prompt], replace(sampling, n=1))
        yield shown.add(sample.completion.encode()) + shown.end()
        return
    for [token] in model.stream([(prompt, sampling)], wanted=lambda place: not shown.stopped):
        text = shown.add(token.piece) if token else ""
        if text:
            yield text
    if held := shown.end():
        yield held
