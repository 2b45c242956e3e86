"""Rows of JSONL, JSON or CSV in, one Document per example out: prompts with their completions, and chats.

A row has `prompt` and `completion` (texts, or lists of messages), or `messages`, a list of `{"role", "content"}`. What it
says stands word for word in `metadata["messages"]`, which training reads; the Document's text is a rendering of it for
people, for the split and for the measures. Examples are neither cleaned nor cut.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from wellread.corpus.encoding import contents, decode, tidy
from wellread.corpus.sections import slug
from wellread.errors import CorpusError
from wellread.types import Document

KIND = "example"
"""`metadata["kind"]` of an example."""
_WORD = re.compile(r"[^\W_]+")


class _BadRow(ValueError):
    """What is wrong with a row, in words that go after its place."""


def load(path: Path) -> Iterator[Document]:
    """One Document for every row; `metadata` has `kind`, `messages`, and `prompt` and `completion` where the row has.

    Raises CorpusError, with the line of the file, for the first row that is no example.
    """
    text = decode(contents(path)).lstrip("\ufeff")
    number = offset = 0
    for place, row in _told(path, _rows(path, text)):
        try:
            metadata = _metadata(row)
        except _BadRow as error:
            raise CorpusError(f"{path.as_posix()}, {place}: {error}") from None
        number += 1
        shown = tidy(_rendering(metadata))
        yield Document(f"{slug(path.stem)}-{number:04d}", shown, path.as_posix(), f"example {number}", offset, metadata)
        offset += len(shown) + 2
    if not number:
        raise CorpusError(f"{path.as_posix()}: no rows in it; an example has `prompt` and `completion`, or `messages`.")


def _told(path: Path, rows: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The rows; what is wrong with the file itself, as one line."""
    try:
        yield from rows
    except _BadRow as error:
        raise CorpusError(f"{path.as_posix()}, {error}") from None


def is_example(document: Document) -> bool:
    return document.metadata.get("kind") == KIND


def said(documents: Sequence[Document]) -> list[str]:
    """The texts by which documents are compared for near-duplicates: of an example, what was asked and answered.

    System messages, and the words with which all the prompts of a file begin or end, are no likeness of two rows.
    """
    texts = [document.text for document in documents]
    files: dict[str, list[int]] = defaultdict(list)
    for place, document in enumerate(documents):
        if is_example(document):
            files[document.source].append(place)
    for places in files.values():
        prompts = [_asked(documents[place]) for place in places]
        before = _shared(prompts)
        after = _shared([prompt[len(before) :][::-1] for prompt in prompts])
        for place, prompt in zip(places, prompts, strict=True):
            own = prompt[len(before) : len(prompt) - len(after)]
            texts[place] = f"{own}\n{_answered(documents[place])}"
    return texts


def asked_the_same(documents: Sequence[Document]) -> list[tuple[int, int]]:
    """Places of examples with the same prompt, spaces aside: each with the first of its like."""
    first: dict[str, int] = {}
    asked = ((place, " ".join(_asked(each).split())) for place, each in enumerate(documents) if is_example(each))
    return [(first[prompt], place) for place, prompt in asked if first.setdefault(prompt, place) != place]


def asked_alike(documents: Sequence[Document]) -> list[tuple[int, int]]:
    """Places of examples with the same prompt but for case, punctuation and spaces: each with the first of its like."""
    first: dict[tuple[str, ...], int] = {}
    alike = []
    for place, document in enumerate(documents):
        if is_example(document):
            words = tuple(_WORD.findall(_asked(document).casefold()))
            if words and first.setdefault(words, place) != place:
                alike.append((first[words], place))
    return alike


def _rows(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    """(where it stands, row); blank lines are passed over."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        yield from _of_csv(text)
    elif suffix == ".json":
        rows = _parsed(path, "", text)
        if not isinstance(rows, list):
            raise CorpusError(f"{path.as_posix()}: expected a list of rows, found {_kind(rows)}; or save it as JSONL.")
        yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"line {number}", _parsed(path, f", line {number}", line)


def _parsed(path: Path, place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = place or f", line {error.lineno}"
        raise CorpusError(f"{path.as_posix()}{where}: not valid JSON ({error.msg}, column {error.colno}).") from None


def _of_csv(text: str) -> Iterator[tuple[str, Any]]:
    """Rows by the names of the first line; fields are parted by commas, or by semicolons or tabs if these give more."""
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row in _read(reader):
        found: dict[str, Any] = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
        if str(found.get("messages") or "").lstrip().startswith("["):
            with suppress(json.JSONDecodeError):  # stays text, which is then refused with its place
                found["messages"] = json.loads(found["messages"])
        yield f"line {reader.line_num}", found


def _read(reader: csv.DictReader[str]) -> Iterator[dict[str, Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise _BadRow(f"line {reader.line_num}: {error}") from None


def _metadata(row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise _BadRow(f"expected an object with `prompt` and `completion`, or `messages`; found {_kind(row)}.")
    if row.get("messages") is not None:
        messages = _messages(row["messages"], "messages")
        metadata: dict[str, Any] = {"kind": KIND, "messages": messages}
    elif row.get("prompt") is not None and row.get("completion") is not None:
        prompt, completion = (
            [{"role": role, "content": row[name]}] if isinstance(row[name], str) else row[name]
            for name, role in (("prompt", "user"), ("completion", "assistant"))
        )
        messages = [*_messages(prompt, "prompt"), *_messages(completion, "completion")]
        metadata = {"kind": KIND, "messages": messages}
        if isinstance(row["prompt"], str) and isinstance(row["completion"], str):
            metadata |= {"prompt": row["prompt"], "completion": row["completion"]}
    else:
        named = ", ".join(map(str, row)) or "nothing"
        raise _BadRow(f"expected `prompt` and `completion`, or `messages`; found {named}.")
    answers = [n for n, message in enumerate(messages) if message["role"] == "assistant" and message["content"].strip()]
    if not answers or messages[0]["role"] == "assistant":
        raise _BadRow("an example begins with a prompt and has an answer (role assistant) that is not empty.")
    return metadata


def _messages(found: Any, name: str) -> list[dict[str, str]]:
    if not isinstance(found, list) or not found:
        raise _BadRow(f"`{name}` is a list of messages, or for prompts and completions a text; found {_kind(found)}.")
    messages = []
    for message in found:
        role = message.get("role") if isinstance(message, Mapping) else None
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list) and all(isinstance(each, Mapping) and "text" in each for each in content):
            content = "".join(str(each["text"]) for each in content)
        if not isinstance(role, str) or not role or not isinstance(content, str):
            raise _BadRow(f"a message in `{name}` has `role` and `content`, both texts; found {str(message)[:60]}.")
        messages.append({"role": role, "content": content})
    return messages


def _rendering(metadata: Mapping[str, Any]) -> str:
    """What a person reads: prompt and completion as they follow each other, a chat turn by turn."""
    if "prompt" in metadata:
        prompt, completion = metadata["prompt"], metadata["completion"]
        parted = "" if prompt[-1:].isspace() or completion[:1].isspace() else "\n"
        return f"{prompt}{parted}{completion}"
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in metadata["messages"])


def _asked(document: Document) -> str:
    return "\n".join(m["content"] for m in document.metadata["messages"] if m["role"] not in {"assistant", "system"})


def _answered(document: Document) -> str:
    return "\n".join(m["content"] for m in document.metadata["messages"] if m["role"] == "assistant")


def _shared(texts: Sequence[str]) -> str:
    """The whole words with which all of several texts begin."""
    if len(texts) < 2:
        return ""
    first, last = min(texts), max(texts)
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[: max(first.rfind(" ", 0, same), first.rfind("\n", 0, same)) + 1]


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:30]!r}"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "an object" if isinstance(value, dict) else repr(value)[:40]
