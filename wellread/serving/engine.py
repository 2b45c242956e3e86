"""Texts that are asked for in, their tokens out: one queue with a bound, one worker, and several texts at each step.

All that is decided here is decided in the event loop; the worker, one thread, does nothing but the steps it is handed.
So a text that nobody waits for any more is let go between two steps, and nothing needs a lock.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from wellread.serving.failures import Failure, busy
from wellread.serving.shelf import Served, Step
from wellread.streaming import Token
from wellread.types import Chunk, Prompt, Sample, Sampling, last_words

AT_ONCE = 32
"""Texts that are written at the same time, of all models together."""
LONGEST_WAIT = 60
"""Seconds at most that a client is asked to wait before it comes again."""

Given = TypeVar("Given")
Result = TypeVar("Result")
Event = Token | Sample | BaseException


@dataclass(eq=False, slots=True)
class Wanted:
    """One text that a client waits for."""

    served: Served
    prompt: Prompt
    sampling: Sampling
    tell: Callable[[Event], None]
    schema: Mapping[str, Any] | None = None
    likeliest: int | None = None
    alpha: float | None = None
    kept_free: int | None = None
    """Tokens of the window that sources leave to the answer; None: as many as it may take."""
    gone: bool = False
    """Nobody waits for it any more, or it has ended."""
    asked: float = 0.0
    begun: float | None = None
    """Seconds of a clock that only runs forward."""
    tokens_in: int | None = None
    sources: tuple[Chunk, ...] = ()
    """What was found for the prompt, and stands in it."""
    question: str = ""
    """For which it was found."""

    @property
    def way(self) -> tuple[Any, ...]:
        """Texts of one way are written side by side."""
        length = self.sampling.max_tokens if self.schema is not None else 1
        sampling = replace(self.sampling, seed=0, n=1, max_tokens=length)
        schema = None if self.schema is None else json.dumps(self.schema, sort_keys=False)
        return self.served.id, self.alpha, sampling, schema, self.likeliest


@dataclass(eq=False, slots=True)
class Group:
    """Texts that are written side by side."""

    wanted: list[Wanted]
    steps: Iterator[Step]

    @property
    def going(self) -> list[Wanted]:
        return [each for each in self.wanted if not each.gone]


class Engine:
    """At most `places` texts at a time, written or waiting; who asks for one more is told to come again."""

    def __init__(self, places: int, *, failed: Callable[[BaseException], None] = lambda error: None) -> None:
        """`failed` hears of what is no fault of a client's."""
        self.places = places
        self._failed = failed
        self._held: set[Wanted] = set()
        self._calls = 0
        self._waiting: deque[Wanted] = deque()
        self._groups: list[Group] = []
        self._wake = asyncio.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._seconds = 1.0  # that a text took, of late
        self._task: asyncio.Task[None] | None = None

    @property
    def writing(self) -> int:
        return sum(len(group.going) for group in self._groups)

    @property
    def waiting(self) -> int:
        return sum(not each.gone for each in self._waiting) + self._calls

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """End whatever is written; what waits hears nothing more."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        for each in list(self._held):
            self.release(each)
        self._worker.shutdown(wait=False, cancel_futures=True)

    def ask(self, wanted: list[Wanted]) -> None:
        """Take these texts in, all or none. Raises Failure (429) where there is no place for them."""
        self._make_room(len(wanted))
        now = time.monotonic()
        for each in wanted:
            each.asked = now
            self._held.add(each)
            self._waiting.append(each)
        self._wake.set()

    def release(self, wanted: Wanted) -> None:
        """Free the place of a text, ended or not; the worker leaves it before its next step."""
        wanted.gone = True
        if wanted in self._held:
            self._held.discard(wanted)
            if wanted.begun is not None:
                self._seconds = 0.8 * self._seconds + 0.2 * (time.monotonic() - wanted.begun)

    async def calls(self, function: Callable[[Given], Result], parts: Sequence[Given]) -> list[Result]:
        """What a function returns for every part, each called by the worker between two steps; together they take a place.
        Cancelled, no further part is begun."""
        self._make_room(1)
        self._calls += 1
        try:
            done: list[asyncio.Future[Result]] = [await self._worked(function, part) for part in parts]
        finally:
            self._calls -= 1
        return [each.result() for each in done]

    def _make_room(self, count: int) -> None:
        taken = len(self._held) + self._calls
        if taken + count > self.places:
            turns = math.ceil(taken / AT_ONCE)
            seconds = min(LONGEST_WAIT, max(1, math.ceil(turns * self._seconds)))
            raise busy(f"all {self.places} places are taken; come again in {seconds} s.", seconds)

    async def _work(self) -> None:
        while True:
            if not self._groups and not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            await self._begin()
            for group in list(self._groups):
                await self._step(group)

    async def _step(self, group: Group) -> None:
        done = await self._worked(next, group.steps, None)
        error = done.exception()
        if error is not None:
            self._tell_all(group.going, error)
        step = None if error else done.result()
        for wanted, event in zip(group.wanted, step or (), strict=False):
            if event is not None and not wanted.gone:
                wanted.tell(event)
                if isinstance(event, Sample) or event.finish:
                    self.release(wanted)
        if step is None or not group.going:
            self._groups.remove(group)
            self._tell_all(group.going, RuntimeError("a text broke off"))
            await self._worked(_close, group.steps)

    async def _begin(self) -> None:
        """Whoever is next and can be written beside what is written now."""
        chosen: list[Wanted] = []
        barred: set[str] = set()
        later: deque[Wanted] = deque()
        while self._waiting:
            each = self._waiting.popleft()
            if each.gone:
                continue
            if each.served.id in barred or not self._fits(each, chosen):
                barred.add(each.served.id)  # those who wait for a model are served in their order
                later.append(each)
                continue
            chosen.append(each)
        self._waiting = later
        ways: dict[tuple[Any, ...], list[Wanted]] = {}
        for each in chosen:
            each.begun = time.monotonic()
            prepared = await self._worked(_prepared, each)
            error = prepared.exception()
            if error is not None:
                self._tell_all([each], error)
            elif prepared.result() is not None:
                each.tell(prepared.result())
                self.release(each)
            elif not each.gone:
                ways.setdefault(each.way, []).append(each)
        self._groups += [Group(several, _steps(several)) for several in ways.values()]

    def _fits(self, wanted: Wanted, chosen: list[Wanted]) -> bool:
        """Whether there is room beside the others, and a dial would not have to turn under them."""
        beside = [each for group in self._groups for each in group.going] + chosen
        same = [each for each in beside if each.served is wanted.served]
        turned = any(each.alpha != wanted.alpha for each in same)
        return len(beside) < AT_ONCE and len(same) < wanted.served.at_once and not turned

    def _tell_all(self, wanted: list[Wanted], error: BaseException) -> None:
        for each in wanted:
            each.tell(error)
            self.release(each)
        if wanted:
            self._failed(error)

    async def _worked(self, function: Callable[..., Any], *given: Any) -> asyncio.Future[Any]:
        """A call of the worker, done: its result or its error."""
        call = asyncio.get_running_loop().run_in_executor(self._worker, _called, function, *given)
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError:
            call.cancel()
            raise
        return call


def _called(function: Callable[..., Any], *given: Any) -> Any:
    """A call whose every error a future can hold: a StopIteration it cannot, and would never be done."""
    try:
        return function(*given)
    except StopIteration as error:
        raise RuntimeError("a call of the worker broke off") from error


def _prepared(wanted: Wanted) -> Sample | None:
    """Look up the sources, count the prompt, and cut the length to what the model can hold; an answer where none is to be
    written, since the sources do not say.

    Raises Failure where a chat does not fit: nothing of it is left out in silence. A beginning to go on from is read from
    its end, as `wellread write` does.
    """
    served = wanted.served
    served.turn(wanted.alpha)
    if served.streaming is None:
        return None
    if served.retrieval:
        free = wanted.sampling.max_tokens if wanted.kept_free is None else wanted.kept_free
        looked = served.retrieval.look(wanted.prompt, free, refusing=wanted.schema is None)
        if looked.said is not None:
            return Sample("", looked.said, wanted.sampling, wanted.sampling.seed, served.id, "stop")
        wanted.prompt, wanted.sources, wanted.question = looked.prompt, looked.chunks, last_words(looked.asked)
    wanted.tokens_in = served.streaming.count(wanted.prompt)
    if isinstance(wanted.prompt, str) and wanted.schema is None:
        return None
    room = served.streaming.window - wanted.tokens_in
    if room < 1:
        raise Failure(400, f"this takes {wanted.tokens_in} tokens, and {served.id} sees {served.streaming.window} at once: "
                      "send less of it.", "context_length_exceeded")  # fmt: skip
    wanted.sampling = replace(wanted.sampling, max_tokens=min(wanted.sampling.max_tokens, room))
    return None


def _steps(wanted: list[Wanted]) -> Iterator[Step]:
    """What the texts of a group are added, step by step; a generator, so that nothing is done before the first."""
    first = wanted[0]
    asked = [(each.prompt, each.sampling) for each in wanted]
    yield from first.served.write(asked, first.schema, first.likeliest, lambda place: not wanted[place].gone)


def _close(steps: Iterator[Step]) -> None:
    close = getattr(steps, "close", None)
    if close:
        close()
