"""A model behind any OpenAI-style `/chat/completions`, as a LanguageModel: it writes; what it foresees it does not say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from wellread.errors import ModelError, RunError
from wellread.generation.calling import Halted, Limits, Line, Refused
from wellread.generation.replies import Replies, Reply
from wellread.types import Prompt, Sample, Sampling, Scored, last_words

SCHEMES = ("http://", "https://")
PATH = "/chat/completions"
ANOTHER = 7919
"""What is added to the seed where a reply is asked for again, since it was no use."""
BYTES_PER_TOKEN = 4
"""Of English text, roughly; for estimates."""

Accept = Callable[[str], object]
"""Raises ValueError, with the reason, for a reply that is no use."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What asking would cost."""

    calls: int
    kept: int
    """Replies that are there already."""
    tokens_in: int
    """Estimated from the bytes of what is asked."""
    tokens_out: int
    """At most."""


class EndpointModel:
    """The model that `name` spells, `http(s)://host/v1#model`. `key` goes to that server alone, and into no file.

    `cache` is a folder in which replies are kept by what was asked. Each sample is a call of its own, with its own
    seed; a prompt that is a text, not a chat, is asked as a user's turn. Filters that are switched off are not sent:
    `top_k`, `min_p` and `repetition_penalty` are no part of every server's language. A setting that the server refuses
    by name is left out, and `note` says so. Raises ModelError for a name that is no endpoint.
    """

    def __init__(self, name: str, *, key: str = "", cache: Path | None = None, limits: Limits | None = None) -> None:
        self._base, self._model = address(name)
        self.name = f"{self._base}#{self._model}"
        self.tokenizer_name = f"unknown, at {self._base}"
        self.limits = limits or Limits()
        self._line = Line(self._base, key, self.limits)
        self._replies = Replies(cache)
        self._refused: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def note(self) -> str:
        """What the server would not take, for everyone who reads a number of this model."""
        return "; ".join(self._refused.values())

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, schema: Mapping[str, Any] | None = None
    ) -> list[Sample]:
        """See `LanguageModel.generate`; with `schema`, text that a server which can do so forces into this JSON Schema.

        Raises RunError where a call failed for good: what the others brought is kept in the cache, if there is one; and
        ModelError for `no_recite`.
        """
        if sampling.no_recite:
            raise ModelError(f"{self.name}: the guard needs every token as it is drawn, which a chat endpoint does not give: "
                             "write with a model on this machine, or leave --no-recite away.")  # fmt: skip
        asked = [(prompt, seed) for prompt in prompts for seed in range(sampling.seed, sampling.seed + sampling.n)]
        replies = self._all([(prompt, replace(sampling, seed=seed, n=1)) for prompt, seed in asked], schema, None)
        failed = [reply for reply in replies if isinstance(reply, RunError)]
        if failed:
            raise RunError(f"{self.name}: {len(failed)} of {len(replies)} calls failed: {failed[0]}.")
        return [
            Sample(last_words(prompt), reply.text, sampling, seed, self.name, _finish(reply),
                   tokens_read=reply.tokens_in, tokens_written=reply.tokens_out)
            for (prompt, seed), reply in zip(asked, replies, strict=True)
            if isinstance(reply, Reply)
        ]  # fmt: skip

    def replies(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        *,
        schema: Mapping[str, Any] | None = None,
        accept: Accept | None = None,
    ) -> list[str | RunError]:
        """A text for each prompt, or why there is none. One that `accept` raises ValueError for is asked for again,
        `limits.rewrites` times, and is not kept. Raises ModelError where no call can succeed."""
        found = self._all([(prompt, sampling) for prompt in prompts], schema, accept)
        return [reply.text if isinstance(reply, Reply) else reply for reply in found]

    def foreseen(
        self, prompts: Sequence[Prompt], sampling: Sampling, *, schema: Mapping[str, Any] | None = None
    ) -> Foreseen:
        """What `replies` would cost; calls nobody."""
        bodies = [self._body(prompt, sampling, schema) for prompt in prompts]
        missing = [body for body in bodies if self._replies.read(self._replies.path(self._base, body)) is None]
        size = sum(len(str(body["messages"]).encode()) + len(str(schema or "")) for body in missing)
        return Foreseen(
            len(missing), len(bodies) - len(missing), size // BYTES_PER_TOKEN, len(missing) * sampling.max_tokens
        )

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """Raises ModelError: chat completions tell no probabilities of a prompt's tokens."""
        raise ModelError(
            f"{self.name}: an endpoint writes and cannot score, as it tells no probabilities of a text; "
            "name a folder, a .gguf file or a hub id to measure with."
        )

    def _all(
        self, asked: Sequence[tuple[Prompt, Sampling]], schema: Mapping[str, Any] | None, accept: Accept | None
    ) -> list[Reply | RunError]:
        """Every reply in the order of what was asked, several calls at a time."""
        stop = threading.Event()

        def one(prompt: Prompt, sampling: Sampling) -> Reply | RunError:
            try:
                return self._one(self._body(prompt, sampling, schema), accept, stop)
            except Halted as error:
                stop.set()
                return error
            except RunError as error:
                return error
            except BaseException:
                stop.set()
                raise

        with ThreadPoolExecutor(self.limits.concurrency, thread_name_prefix="endpoint") as pool:
            futures = [pool.submit(one, prompt, sampling) for prompt, sampling in asked]
            try:
                return [future.result() for future in futures]
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, body: dict[str, Any], accept: Accept | None, stop: threading.Event) -> Reply:
        path = self._replies.path(self._base, body)
        kept = self._replies.read(path)
        if kept is not None and not _useless(kept.text, accept):
            return kept
        reason = ""
        for number in range(1 + self.limits.rewrites):
            found = self._taken({**body, "seed": body["seed"] + ANOTHER * number}, stop)
            usage = found.get("usage") if isinstance(found.get("usage"), dict) else {}
            choice = found["choices"][0]
            reply = Reply(
                choice["message"]["content"], str(choice.get("finish_reason") or "stop"),
                _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"),
            )  # fmt: skip
            reason = _useless(reply.text, accept)
            if not reason:
                self._replies.keep(path, self._base, body, reply)
                return reply
            if reply.finish == "length":
                reason += ", cut off at the limit of tokens"
        raise RunError(f"{reason} ({1 + self.limits.rewrites} replies)")

    def _taken(self, body: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
        """The completion of a request in words that this server takes: what it refuses by name is left out."""
        while True:
            sent = self._spoken(body)
            try:
                return self._line.post(sent, stop)
            except Refused as error:
                named = _named(sent, error.said)
                if not named:
                    raise
                with self._lock:
                    self._refused.setdefault(named, f"{named} is not taken by the server ({error})")

    def _spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request without what the server has refused."""
        sent = {key: value for key, value in body.items() if key not in self._refused}
        if "max_tokens" in self._refused and "max_completion_tokens" not in self._refused:
            sent["max_completion_tokens"] = body["max_tokens"]
        return sent

    def _body(self, prompt: Prompt, sampling: Sampling, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        said = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(each) for each in prompt]
        body: dict[str, Any] = {
            "model": self._model,
            "messages": said,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
            "stream": False,
        }
        if sampling.top_p < 1:
            body["top_p"] = sampling.top_p
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        if sampling.min_p:
            body["min_p"] = sampling.min_p
        if sampling.repetition_penalty != 1:  # vLLM's name for it, and llama.cpp's
            body["repetition_penalty"] = body["repeat_penalty"] = sampling.repetition_penalty
        if schema is not None:
            wanted = {"name": "reply", "schema": dict(schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body


def is_endpoint(name: str) -> bool:
    return name.startswith(SCHEMES)


def address(name: str) -> tuple[str, str]:
    """The base URL, up to and without `/chat/completions`, and the model of `http(s)://host/v1#model`. Raises ModelError."""
    base, _, model = name.partition("#")
    base = base.rstrip("/").removesuffix(PATH).rstrip("/")
    try:
        parts = urlsplit(base)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ModelError(f"{base}: not an address ({error}); an endpoint is spelt http://host:port/v1#model.") from None
    if parts.username is not None or parts.password is not None or parts.query:
        raise ModelError(
            f"{parts.scheme}://{host}: a key does not go into an address; give it with --key-file or WELLREAD_API_KEY."
        )
    if not is_endpoint(name) or not host or not model.strip():
        raise ModelError(f"{name}: an endpoint is spelt http://host:port/v1#model; name the model behind `#`.")
    return base, model.strip()


def _finish(reply: Reply) -> Literal["stop", "length"]:
    return "length" if reply.finish == "length" else "stop"


def _named(sent: Mapping[str, Any], said: str) -> str:
    """The setting of a request that a server's complaint names; the schema where it complains of a grammar."""
    optional = ("max_completion_tokens", "max_tokens", "response_format", "seed", "temperature", "top_p", "top_k", "min_p",
                "repetition_penalty", "repeat_penalty", "stream")  # fmt: skip
    lower = said.lower()
    if "response_format" in sent and any(word in lower for word in ("response_format", "schema", "grammar", "json")):
        return "response_format"
    if "max_tokens" in sent and "max_completion_tokens" in lower:
        return "max_tokens"
    return next((name for name in optional if name in sent and name in lower), "")


def _useless(text: str, accept: Accept | None) -> str:
    """Why a reply is no use to whoever asked, or nothing."""
    if accept is None:
        return ""
    try:
        accept(text)
    except ValueError as error:
        return str(error) or type(error).__name__
    return ""


def _count(usage: Any, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
