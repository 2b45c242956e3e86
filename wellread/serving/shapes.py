"""What clients get, in OpenAI's shapes: choices and their parts, probabilities, usage, citations, vectors."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any
from urllib.parse import quote

from wellread.retrieval.citing import cite
from wellread.retrieval.prompt import declines
from wellread.streaming import Finish, Token
from wellread.types import Chunk

_NUMBER = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class Delta:
    """What one choice is added."""

    choice: int
    text: str
    tokens: tuple[tuple[int, Token], ...] = ()
    """Those whose text this is, each with the character of the choice's text that it begins at."""
    finish: Finish | None = None
    sources: tuple[Chunk, ...] = ()
    question: str = ""
    """What the sources were looked up for."""


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    completion: int

    def as_json(self) -> dict[str, int]:
        return {"prompt_tokens": self.prompt, "completion_tokens": self.completion,
                "total_tokens": self.prompt + self.completion}  # fmt: skip


def joined(deltas: Sequence[Delta]) -> Delta:
    """The parts of one choice as one."""
    tokens = tuple(token for delta in deltas for token in delta.tokens)
    last = deltas[-1]
    return Delta(last.choice, "".join(delta.text for delta in deltas), tokens, last.finish, last.sources, last.question)


def completion_choice(delta: Delta, with_logprobs: bool) -> dict[str, Any]:
    """A choice of `/v1/completions`, whole or a part of it."""
    found: dict[str, Any] = {"index": delta.choice, "text": delta.text, "finish_reason": delta.finish, "logprobs": None}
    if with_logprobs:
        found["logprobs"] = {
            "tokens": [_text(token.piece) for _, token in delta.tokens],
            "token_logprobs": [token.logprob for _, token in delta.tokens],
            "top_logprobs": [{_text(piece): value for piece, value in token.likeliest} for _, token in delta.tokens],
            "text_offset": [start for start, _ in delta.tokens],
        }
    return found | _sourced(delta.sources)


def chat_choice(delta: Delta, with_logprobs: bool) -> dict[str, Any]:
    """A choice of `/v1/chat/completions`, whole."""
    message: dict[str, Any] = {"role": "assistant", "content": delta.text, "refusal": None}
    if delta.sources:
        message |= {"annotations": citations(delta.text, delta.sources, delta.question)}
    found = {"index": delta.choice, "message": message, "finish_reason": delta.finish}
    return found | {"logprobs": _chat_logprobs(delta) if with_logprobs else None} | _sourced(delta.sources)


def chat_part(delta: Delta, with_logprobs: bool, so_far: str) -> dict[str, Any]:
    """A part of a choice of `/v1/chat/completions`, after the text so far; citations come with the last."""
    added: dict[str, Any] = {"content": delta.text} if delta.text else {}
    if delta.sources:
        added["annotations"] = citations(so_far + delta.text, delta.sources, delta.question)
    found = {"index": delta.choice, "delta": added, "finish_reason": delta.finish}
    return found | {"logprobs": _chat_logprobs(delta) if with_logprobs else None} | _sourced(delta.sources)


def citations(text: str, sources: Sequence[Chunk], question: str = "") -> list[dict[str, Any]]:
    """OpenAI's `url_citation` for every `[1]` of an answer that names a source: where the mark stands, and what it means; and for
    every sentence that names none, or one with which it shares no word, and whose words another has: where the sentence stands.
    Those say `by_words`.

    The address names the source's file with the characters of the passage, as RFC 5147 does: `handbook.md#char=120,480`.
    """
    found = [
        _citation(sources[number - 1], mark.start(), mark.end())
        for mark in _NUMBER.finditer(text)
        if 1 <= (number := int(mark[1])) <= len(sources)
    ]
    if not declines(text):
        found += [
            _citation(each.chunk, sentence.start, sentence.end, by_words=True)
            for sentence in cite(text, sources, question=question).sentences
            for each in sentence.citations
            if each.by_words
        ]
    return sorted(found, key=lambda each: each["url_citation"]["start_index"])


def _citation(source: Chunk, start: int, end: int, *, by_words: bool = False) -> dict[str, Any]:
    return {"type": "url_citation", "by_words": by_words, "url_citation": {
        "start_index": start, "end_index": end, "title": source.section or _told(source),
        "url": f"{quote(_told(source))}#char={source.start},{source.end}",
    }}  # fmt: skip


def _sourced(sources: Sequence[Chunk]) -> dict[str, Any]:
    """Every passage that was laid before the model, by its number: this house's own field."""
    if not sources:
        return {}
    return {"sources": [
        {"number": number, "document": each.document, "source": _told(each), "section": each.section, "page": each.page,
         "start": each.start, "end": each.end, "text": each.text, "score": each.score}
        for number, each in enumerate(sources, 1)
    ]}  # fmt: skip


def _told(source: Chunk) -> str:
    """A passage's file as clients are told it: of one that was indexed by its whole path the document's name, since where
    files lie on this machine is nobody's business."""
    for name in (source.source, source.document):
        if name and not PureWindowsPath(name).anchor:  # whole paths of either kind
            return name
    return PureWindowsPath(source.source or source.document).name


def _chat_logprobs(delta: Delta) -> dict[str, Any]:
    return {"refusal": None, "content": [
        {**_entry(token.piece, token.logprob or 0.0),
         "top_logprobs": [_entry(piece, value) for piece, value in token.likeliest]}
        for _, token in delta.tokens
    ]}  # fmt: skip


def _entry(piece: bytes, logprob: float) -> dict[str, Any]:
    return {"token": _text(piece), "logprob": max(logprob, -9999.0), "bytes": list(piece)}


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "replace")


def embedding(place: int, vector: Any, *, packed: bool) -> dict[str, Any]:
    """One vector, as numbers or as base64 of little-endian 32-bit floats."""
    numbers: Any = base64.b64encode(vector.astype("<f4").tobytes()).decode() if packed else vector.tolist()
    return {"object": "embedding", "index": place, "embedding": numbers}
