"""Documents in, their token ids out, a stretch at a time: bounded memory, native threads."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wellread.errors import CorpusError, ModelError
from wellread.tokens.pieces import Cut, pieces, safe_cut
from wellread.types import Document

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BATCH = 1 << 20
"""Characters that are tokenised at once."""
ROW = 4_000_000
"""Tokens in the longest row."""

Ids = npt.NDArray[np.int32]


def open_tokenizer(folder: Path) -> tuple[Tokenizer, str]:
    """The tokenizer of a folder, set to treat text as text, and a hash that names it."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the tokenizer {path} ({error.strerror}); save the base's there") from None
    try:
        tokenizer = Tokenizer.from_buffer(content)
    except ValueError as error:
        raise ModelError(f"{path} is not a tokenizer of the tokenizers library: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer, hashlib.sha256(content).hexdigest()


@dataclass(slots=True)
class Tally:
    """What is counted and hashed while documents pass; equal digests mean equal input."""

    digest: Any
    documents: int = 0
    tokens: int = 0
    bytes: int = 0
    _size: int = field(default=0)

    def begin(self, document: Document) -> None:
        name = document.id.encode()
        self.digest.update(b"%d " % len(name) + name)
        self.documents += 1
        self._size = 0

    def add(self, piece: str, name: str) -> None:
        try:
            content = piece.encode()
        except UnicodeEncodeError as error:
            raise CorpusError(f"{name}: the text holds half a character ({error.reason}); save it as UTF-8") from None
        self.digest.update(content)
        self._size += len(content)
        self.bytes += len(content)

    def finish(self) -> None:
        self.digest.update(b" %d " % self._size)


def rows_of(
    documents: Iterable[Document], tokenizer: Tokenizer, ends: tuple[int, int], tally: Tally
) -> Iterator[tuple[str, int, Ids]]:
    """(document id, piece number, ids): a row for each document, more for one of over ROW tokens."""
    start, end = (np.array([token], np.int32) for token in ends)
    parts: list[Ids] = [start]
    size, number = 1, 0
    for name, ids, last in _encoded(_strings(documents, safe_cut(tokenizer), tally), tokenizer):
        if parts and size + len(ids) >= ROW:
            yield name, number, np.concatenate(parts)
            parts, size, number = [], 0, number + 1
        parts.append(ids)
        size += len(ids)
        if last:
            yield name, number, np.concatenate([*parts, end])
            parts, size, number = [start], 1, 0


def _strings(documents: Iterable[Document], cut: Cut | None, tally: Tally) -> Iterator[tuple[str, str, bool]]:
    """(document id, piece of its text, whether it is the last); a document without text is one empty piece."""
    for document in documents:
        tally.begin(document)
        waiting = ""
        for piece in pieces(document.text, cut):
            if waiting:
                yield document.id, waiting, False
            waiting = piece
            tally.add(piece, document.id)
        tally.finish()
        yield document.id, waiting, True


def _encoded(strings: Iterator[tuple[str, str, bool]], tokenizer: Tokenizer) -> Iterator[tuple[str, Ids, bool]]:
    """Ids for every string, in order; one batch is being tokenised, by native threads, while the one before is read."""

    def encode(batch: list[tuple[str, str, bool]]) -> Any:
        return tokenizer.encode_batch_fast([text for _, text, _ in batch], add_special_tokens=False)

    with ThreadPoolExecutor(1) as pool:
        ahead: deque[tuple[list[tuple[str, str, bool]], Future[Any]]] = deque()
        for batch in _batches(strings):
            ahead.append((batch, pool.submit(encode, batch)))
            if len(ahead) > 1:
                yield from _read(*ahead.popleft())
        while ahead:
            yield from _read(*ahead.popleft())


def _read(batch: list[tuple[str, str, bool]], encoding: Future[Any]) -> Iterator[tuple[str, Ids, bool]]:
    for (name, _, last), encoded in zip(batch, encoding.result(), strict=True):
        yield name, np.array(encoded.ids, np.int32), last


def _batches(strings: Iterator[tuple[str, str, bool]]) -> Iterator[list[tuple[str, str, bool]]]:
    batch: list[tuple[str, str, bool]] = []
    size = 0
    for string in strings:
        batch.append(string)
        size += len(string[1])
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
