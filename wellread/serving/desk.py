"""A request's words in, its place in the queue out: what the routes share."""

from __future__ import annotations

import logging
import secrets
import time
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from wellread.errors import UsageError, WellreadError
from wellread.serving.choices import Answer
from wellread.serving.engine import Engine
from wellread.serving.failures import Failure, failure_of
from wellread.serving.metering import Meter
from wellread.serving.schemas import Trial
from wellread.serving.settings import Limits
from wellread.serving.shelf import Served, Shelf
from wellread.serving.wire import SEEDS, Writing
from wellread.types import Prompt

KEPT_FREE = 256
"""Tokens that sources leave to an answer whose client names no length: it may still go on as far as there is room."""
_log = logging.getLogger(__name__)


class Desk:
    """The models, the queue, the bounds and the counts."""

    def __init__(self, shelf: Shelf, limits: Limits, *, log_prompts: bool = False) -> None:
        self.shelf, self.limits, self.log_prompts = shelf, limits, log_prompts
        self.meter = Meter()
        self.engine = Engine(limits.places, failed=report)
        self.trial = Trial()
        self.begun = int(time.time())

    def find(self, name: str) -> Served:
        """Raises Failure (404) where nothing is served under this name."""
        try:
            return self.shelf.find(name)
        except UsageError as error:
            raise Failure(404, str(error), "model_not_found", "model") from None

    def answer(self, served: Served, asked: Writing, prompts: list[Prompt], default: int) -> Answer:
        """The choices of one request, in the queue; `default` is how long they are where it does not say. Raises Failure or
        UsageError where it cannot be done."""
        asked.refuse()
        sampling = asked.sampling(self.limits.max_tokens, default, secrets.randbelow(SEEDS))
        count = len(prompts) * sampling.n
        most = min(self.limits.texts, self.limits.places)
        if count > most:
            raise Failure(400, f"a request may ask for {most} texts; found {count}.", "too_many", "n")
        if asked.dial is not None:
            try:
                served.check_dial(asked.dial)
            except WellreadError as error:
                raise failure_of(error, served.hidden) from None
        if sampling.no_recite and served.index is None:
            raise Failure(400, f"{served.id} has no book that it could be kept from reciting: leave no_recite away.",
                          "no_corpus", "no_recite")  # fmt: skip
        texts = [
            (prompt, replace(sampling, seed=(sampling.seed + place) % SEEDS))
            for prompt in prompts
            for place in range(sampling.n)
        ]
        free = min(sampling.max_tokens, KEPT_FREE) if asked.longest is None else None
        return Answer(self.engine, served, texts, asked.stops, self.limits.seconds, schema=asked.schema_asked,
                      likeliest=asked.likeliest, alpha=asked.dial, kept_free=free)  # fmt: skip

    def told(self, served: Served, answer: Answer) -> dict[str, Any]:
        """Count an answer that is over; what the log is to say of it."""
        usage = answer.usage
        if usage:
            self.meter.tokens(served.id, usage.prompt, usage.completion)
        self.meter.time("wait", answer.waited)
        self.meter.time("first", answer.first)
        waited = None if answer.waited is None else round(1000 * answer.waited)
        counts = {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion} if usage else {}
        return {"model": served.id, "waited_ms": waited, **counts}


def model_card(served: Served, begun: int) -> dict[str, Any]:
    """A model as `/v1/models` lists it."""
    card: dict[str, Any] = {"id": served.id, "object": "model", "created": begun, "owned_by": "wellread"}
    if served.streaming:
        card["max_model_len"] = served.streaming.window
    return card


def head_of(kind: str, served: Served) -> dict[str, Any]:
    """What every answer, and every part of one, begins with."""
    short = {"text_completion": "cmpl"}.get(kind, "chatcmpl")
    return {"id": f"{short}-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": served.id,
            "system_fingerprint": f"wellread-{version('wellread')}"}  # fmt: skip


def report(error: BaseException) -> None:
    """Log what is no fault of a client's, with where it happened."""
    if failure_of(error).status >= 500:
        _log.error("a text could not be written", exc_info=error)
