"""Places in a library in, stretches of text out: what a drawn window is tokenised from, read forwards, once."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from wellread.tokens.library import Measured, Shard, Text, texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_WORD = re.compile(rb"\s(?=\S)")
_BETWEEN = re.compile(r"(?<=[a-zß-öø-ÿа-яα-ω]) (?=[a-zß-öø-ÿа-яα-ω])")
"""A space between two small letters: a word ends there for every splitting rule."""
_NEAR = 256
"""Bytes within which a word is looked for; in a text without spaces any character is a beginning."""


Place = tuple[int, int]
"""(number of the text in a stretch, UTF-8 bytes of it before the place)"""


class Piece(NamedTuple):
    text: str
    opens: bool
    """Whether it begins its document."""
    closes: bool
    """Whether it ends it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a window begins, and the documents it may need: the rest of the first, then those after it."""

    texts: tuple[Text, ...]
    offset: int
    """UTF-8 bytes of the first document before the window; 0 where it begins with the document."""
    keep_space: bool
    """Whether a word is tokenised with the space before it."""

    def pieces(self, size: int, begin: Place | None = None) -> tuple[list[Piece], Place | None]:
        """Text of at most about `size` bytes from `begin` (else the window's beginning) on, and where it goes on.

        It ends between two words, where tokenizers part their tokens, so that the tokens of both sides, joined, are
        those of the whole; None where there is no such place near. Behind the last text it goes on at (their number, 0).
        """
        found: list[Piece] = []
        number, offset = begin or (0, self.offset)
        while number < len(self.texts) and size > 0:
            text = self.texts[number]
            data = text.read(offset, size)
            opens, closes = offset == 0, offset + len(data) >= text.size
            whole = _decoded(data)
            if not closes:
                cut = max((word.start() for word in _BETWEEN.finditer(whole, max(0, len(whole) - _NEAR))), default=0)
                found.append(Piece(_tidy(whole[:cut] if cut else whole, opens), opens, False))
                after = offset + len(whole[:cut].encode()) + (not self.keep_space)
                return found, (number, after) if cut else None
            found.append(Piece(_tidy(whole, opens), opens, True))
            size -= len(data)
            number, offset = number + 1, 0
        return found, (number, offset)


class Reader:
    """The texts of all shards one after the other, from some place on. Places count over the whole library."""

    def __init__(self, shards: Sequence[Shard], measured: Sequence[Measured], column: str, start: int) -> None:
        self._shards, self._measured, self._column = shards, measured, column
        self._ahead: deque[tuple[int, Text]] = deque()
        """(place of its shard's beginning, text)"""
        self._coming = self._texts(start)

    def _texts(self, start: int) -> Iterator[tuple[int, Text]]:
        before = 0
        for number, (shard, measured) in enumerate(zip(self._shards, self._measured, strict=True)):
            if before + measured.size > start:
                for text in texts(number, shard, measured, self._column, max(0, start - before)):
                    yield before, text
            before += measured.size

    def stretch(self, place: int, size: int, *, keep_space: bool) -> Stretch | None:
        """The stretch at a place, not before the one asked for last, of documents that hold `size` bytes if there are.

        It begins at a document's beginning or at a word's; None behind the last text. `keep_space`: with the white
        space before the word.
        """
        while self._ahead and self._end(0) <= place:
            self._ahead.popleft()
        found: list[Text] = []
        offset = held = number = 0
        while held < size:
            if number == len(self._ahead):
                coming = next(self._coming, None)
                if coming is None:
                    break
                self._ahead.append(coming)
                if self._end(number) <= place:
                    self._ahead.pop()
                    continue
            before, text = self._ahead[number]
            number += 1
            if not text.size:
                continue
            if not found:
                share = max(0, place - before - text.begin) / (text.end - text.begin)
                offset = _opening(text, int(share * text.size), keep_space)
                if offset >= text.size:
                    place = before + text.end
                    continue
                held -= offset
            found.append(text)
            held += text.size
        return Stretch(tuple(found), offset, keep_space) if found else None

    def _end(self, number: int) -> int:
        before, text = self._ahead[number]
        return before + text.end


def keeps_space(tokenizer: Tokenizer) -> bool:
    """Whether a word inside a text has the tokens that it has alone with the space before it (GPT-2's rule), rather
    than those that it has alone (tokenizers that put a space before every text by themselves)."""
    whole, spaced, bare = (
        tokenizer.encode(text, add_special_tokens=False).ids for text in ("the lamp went out", " went out", "went out")
    )
    return whole[-len(spaced) :] == spaced or whole[-len(bare) :] != bare


def _opening(text: Text, offset: int, keep_space: bool) -> int:
    """Where to begin at or after a byte of a text: at its beginning, or at a word."""
    if offset <= 0:
        return 0
    data = text.read(offset, _NEAR)
    found = _WORD.search(data)
    if found:
        return offset + (found.start() if keep_space else found.end())
    skipped = next((at for at, byte in enumerate(data) if byte & 0xC0 != 0x80), len(data))
    return offset + skipped


def _decoded(data: bytes) -> str:
    """UTF-8 as text, without half a character at its end."""
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def _tidy(text: str, opens: bool) -> str:
    """The text with line ends of one character, and without a byte-order mark."""
    if opens:
        text = text.removeprefix("\ufeff")
    return text.replace("\r\n", "\n") if "\r" in text else text
