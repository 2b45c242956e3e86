"""Tokens of several texts in, what each choice of an answer is added out, until they have ended, or the time has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from wellread.serving.engine import Engine, Event, Wanted
from wellread.serving.failures import busy, failure_of
from wellread.serving.shapes import Delta, Usage
from wellread.serving.shelf import Served
from wellread.streaming import Finish, Shown, Token
from wellread.types import Prompt, Sample, Sampling


class Choice:
    """One text as it grows: what may be shown, and the tokens that it is made of."""

    def __init__(self, place: int, stops: Sequence[str]) -> None:
        self._place, self._shown = place, Shown(stops)
        self._sent = 0
        self._tokens: list[tuple[int, Token]] = []
        self.ended = False

    def add(self, token: Token) -> Delta | None:
        """What to send now, if anything."""
        if token.piece:
            self._tokens.append((self._shown.read, token))
        text = self._shown.add(token.piece)
        if self._shown.stopped:
            return self._end(text, "stop")
        if token.finish:
            return self.end(token.finish, text)
        return self._delta(text) if text else None

    def end(self, finish: Finish, text: str = "") -> Delta:
        """The last of it."""
        return self._end(text + self._shown.end(), finish, whole=True)

    def whole(self, sample: Sample) -> Delta:
        """All of a text that came at once."""
        text = self._shown.add(sample.completion.encode("utf-8", "replace"))
        finish: Finish = "stop" if self._shown.stopped else sample.finish
        self.ended = True
        return Delta(self._place, text + self._shown.end(), (), finish, sample.sources, sample.prompt)

    def _end(self, text: str, finish: Finish, *, whole: bool = False) -> Delta:
        self.ended = True
        return self._delta(text, finish, whole=whole)

    def _delta(self, text: str, finish: Finish | None = None, *, whole: bool = False) -> Delta:
        """`whole`: all tokens are told, though the last may be part of a character that never became whole."""
        self._sent += len(text)
        told = tuple(each for each in self._tokens if whole or each[0] < self._sent)
        self._tokens = self._tokens[len(told) :]
        return Delta(self._place, text, told, finish)


class Answer:
    """The choices of one request, from its place in the queue to the last token."""

    def __init__(
        self, engine: Engine, served: Served, asked: Sequence[tuple[Prompt, Sampling]], stops: Sequence[str], seconds: float,
        **how: Any,
    ) -> None:  # fmt: skip
        self._engine, self._seconds, self._hidden = engine, seconds, served.hidden
        self._events: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        self._choices = [Choice(place, stops) for place in range(len(asked))]
        self._wanted = [self._one(place, served, *each, how) for place, each in enumerate(asked)]
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._tokens_out = 0
        self._counted = served.streaming is not None
        self._arrived = time.monotonic()
        self._first: float | None = None
        engine.ask(self._wanted)

    def _one(self, place: int, served: Served, prompt: Prompt, sampling: Sampling, how: dict[str, Any]) -> Wanted:
        return Wanted(served, prompt, sampling, lambda event: self._events.put_nowait((place, event)), **how)

    async def deltas(self) -> AsyncIterator[Delta]:
        """What the choices are added, as it comes. Raises Failure for what went wrong; 503 where nothing was written in time."""
        try:
            while not all(choice.ended for choice in self._choices):
                try:
                    async with asyncio.timeout_at(self._deadline):
                        place, event = await self._events.get()
                except TimeoutError:
                    for each in self._out_of_time():
                        yield each
                    return
                delta = self._heard(place, event)
                if delta is not None:
                    yield delta
        finally:
            self.leave()

    def _heard(self, place: int, event: Event) -> Delta | None:
        if isinstance(event, BaseException):
            raise failure_of(event, self._hidden)
        choice = self._choices[place]
        if choice.ended:
            return None
        self._first = self._first or time.monotonic()
        delta = choice.whole(event) if isinstance(event, Sample) else choice.add(event)
        self._tokens_out += isinstance(event, Token) and bool(event.piece)
        if delta is None or delta.finish is None:
            return delta
        self._engine.release(self._wanted[place])
        wanted = self._wanted[place]
        return replace(delta, sources=delta.sources or wanted.sources, question=delta.question or wanted.question)

    def _out_of_time(self) -> list[Delta]:
        if self._first is None:
            raise busy(f"nothing was written within {self._seconds:g} s; come again later.", 10, status=503)
        return [
            replace(choice.end("length"), sources=wanted.sources, question=wanted.question)
            for choice, wanted in zip(self._choices, self._wanted, strict=True)
            if not choice.ended
        ]

    def leave(self) -> None:
        """Free every place that is still held."""
        for each in self._wanted:
            self._engine.release(each)

    @property
    def usage(self) -> Usage | None:
        """A prompt that `n` choices go on from counts once; None where nobody counts."""
        if not self._counted:
            return None
        firsts = [each for place, each in enumerate(self._wanted) if place % each.sampling.n == 0]
        return Usage(sum(each.tokens_in or 0 for each in firsts), self._tokens_out)

    @property
    def waited(self) -> float | None:
        """Seconds from the request to the model's first step; None where it never came to that."""
        begun = [each.begun - each.asked for each in self._wanted if each.begun is not None]
        return max(begun) if begun else None

    @property
    def first(self) -> float | None:
        """Seconds from the request to the first token."""
        return None if self._first is None else self._first - self._arrived
