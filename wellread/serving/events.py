"""An answer's parts in, a stream of events out; and work that ends when the client who wants it has gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from wellread.serving.choices import Answer
from wellread.serving.failures import Failure
from wellread.serving.shapes import Delta, chat_part, completion_choice

Result = TypeVar("Result")
LAST = b"data: [DONE]\n\n"
ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}
"""Characters that JSON lets stand and that end a line for some, each as JSON escapes it."""


class Gone(Exception):
    """The client has closed its connection."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What the work comes to. Raises Gone, and ends the work, as soon as nobody waits for it."""
    task, watch = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Gone
        return task.result()
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.wait({task, watch})


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Parts(Protocol):
    """How one kind of answer is told in parts."""

    def of(self, delta: Delta) -> list[dict[str, Any]]: ...


class CompletionParts:
    def __init__(self, with_logprobs: bool) -> None:
        self._with_logprobs = with_logprobs

    def of(self, delta: Delta) -> list[dict[str, Any]]:
        return [completion_choice(delta, self._with_logprobs)]


class ChatParts:
    """The first part of every choice says who speaks."""

    def __init__(self, with_logprobs: bool) -> None:
        self._with_logprobs = with_logprobs
        self._said: dict[int, str] = {}

    def of(self, delta: Delta) -> list[dict[str, Any]]:
        begun = delta.choice in self._said
        said = self._said.setdefault(delta.choice, "")
        part = chat_part(delta, self._with_logprobs, said)
        self._said[delta.choice] = said + delta.text
        if begun:
            return [part]
        speaks = {"role": "assistant", "content": ""}
        return [{"index": delta.choice, "delta": speaks, "finish_reason": None, "logprobs": None}, part]


async def events(
    answer: Answer, deltas: AsyncIterator[Delta], first: Delta | None, parts: Parts, head: Mapping[str, Any], *, usage: bool
) -> AsyncIterator[bytes]:  # fmt: skip
    """Server-sent events of an answer whose first part is there; what fails later is an event too."""
    try:
        delta = first
        while delta is not None:
            for part in parts.of(delta):
                yield event({**head, "choices": [part], **({"usage": None} if usage else {})})
            delta = await following(deltas)
    except Failure as failure:
        yield event(failure.body)
        return
    if usage and answer.usage:
        yield event({**head, "choices": [], "usage": answer.usage.as_json()})
    yield LAST


async def following(deltas: AsyncIterator[Delta]) -> Delta | None:
    """The next part; None after the last."""
    return await anext(deltas, None)


def event(body: Mapping[str, Any]) -> bytes:
    """A body as one line, to those too who part lines as Python's `splitlines` does (httpx, and callers built on it)."""
    return b"data: " + json.dumps(body, ensure_ascii=False).translate(ENDS).encode() + b"\n\n"


class Events(StreamingResponse):
    """A stream that says when it is over, read to its end or not."""

    def __init__(self, content: AsyncIterator[bytes], over: Callable[[bool], None]) -> None:
        """`over` is told whether the client had all of it."""
        super().__init__(self._watched(content), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._over, self._whole = over, False

    async def _watched(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for each in content:
            yield each
        self._whole = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over(self._whole)
