"""A document's text in, its chunks out: by tokens, by heading or by paragraph, each with its characters, section and page.

Tokens are counted as words and marks, which is close to what an embedder's tokenizer makes of prose (about a quarter
more); a Han or kana character is a word of its own, and of a run without blanks every sixty characters are one. A chunk
begins and ends at what can be seen, never in white space, and `text[start:end]` is its text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wellread.errors import UsageError
from wellread.matching import IDEOGRAPHS
from wellread.registry import resolve
from wellread.types import Chunk

CHUNKERS: Mapping[str, str] = MappingProxyType({
    "tokens": "wellread.retrieval.chunking:by_tokens",
    "headings": "wellread.retrieval.chunking:by_headings",
    "paragraphs": "wellread.retrieval.chunking:by_paragraphs",
})  # fmt: skip
"""Name -> `(Outline, Chunking) -> spans`; other packages add theirs through the entry-point group `wellread.chunkers`."""
ABOUT: Mapping[str, str] = MappingProxyType({
    "tokens": "Windows of equal length, wherever paragraphs end.",
    "headings": "A section each; one that is too long is cut where paragraphs end.",
    "paragraphs": "Neighbouring paragraphs of a section, as many as fit.",
})  # fmt: skip
TOKEN = re.compile(rf"[{IDEOGRAPHS}]|[^\W{IDEOGRAPHS}]{{1,60}}|[^\w\s]")
PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？])|\n")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Outline:
    """A document's text, with where its sections and pages begin."""

    document: str
    text: str
    source: str = ""
    sections: tuple[tuple[int, str], ...] = ()
    """Where each begins, in order, and its headings, the outermost first, joined by " › "."""
    pages: tuple[int, ...] = ()
    """Where each begins, in order; empty where the source has none."""


@dataclass(frozen=True, slots=True)
class Chunking:
    """How documents are cut: a store keeps to one way."""

    chunker: str = "paragraphs"
    size: int = 180
    """Tokens of a chunk at most."""
    overlap: int = 0
    """Tokens that a chunk repeats of the one before, where it goes on in the middle of a section."""

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.overlap < self.size:
            raise UsageError(
                f"chunks of {self.size} tokens that overlap by {self.overlap}: the size must be at least 1, and the "
                "overlap less than the size."
            )


def chunks_of(outline: Outline, how: Chunking) -> list[Chunk]:
    """The chunks of one document, in order, none of them empty. Raises UnknownName for a chunker there is not."""
    cut = resolve("chunkers", CHUNKERS, how.chunker)
    chunks = []
    for begin, stop in cut(outline, how):
        start, end = seen(outline.text, begin, stop)
        if start < end:
            page = max(1, bisect_right(outline.pages, start)) if outline.pages else None
            chunks.append(Chunk(
                outline.document, start, end, outline.text[start:end], outline.source, section_at(outline, start), page,
                overleaf=outline.pages[page : bisect_left(outline.pages, end)] if page else (),
            ))  # fmt: skip
    return chunks


def section_at(outline: Outline, place: int) -> str:
    """The headings that a place stands under; from a heading with nothing below it on to the next."""
    number = bisect_right(outline.sections, place, key=lambda section: section[0]) - 1
    while 0 <= number < len(outline.sections) - 1 and bare(outline, number):
        number += 1
    return outline.sections[number][1] if number >= 0 else ""


def bare(outline: Outline, number: int) -> bool:
    """Whether a section, which is not the last, is its heading and nothing else."""
    (start, name), (end, _) = outline.sections[number], outline.sections[number + 1]
    return name.endswith(outline.text[start:end].strip())


def by_tokens(outline: Outline, how: Chunking) -> Iterator[Span]:
    """Windows of `size` tokens over the whole text, each repeating `overlap` tokens of the one before."""
    yield from windows(outline.text, 0, len(outline.text), how)


def by_headings(outline: Outline, how: Chunking) -> Iterator[Span]:
    """Whole sections; one of more than `size` tokens as by paragraphs."""
    for start, end in sections(outline):
        if tokens(outline.text, start, end) <= how.size:
            yield start, end
        else:
            yield from packed(outline.text, start, end, how)


def by_paragraphs(outline: Outline, how: Chunking) -> Iterator[Span]:
    """Paragraphs of one section together, up to `size` tokens; a longer one is cut where sentences end."""
    for start, end in sections(outline):
        yield from packed(outline.text, start, end, how)


def sections(outline: Outline) -> Iterator[Span]:
    """The stretches between headings, with what stands before the first; a heading with nothing below it goes with the next."""
    starts = [0] if not outline.sections or outline.sections[0][0] > 0 else []
    starts += [
        start for number, (start, _) in enumerate(outline.sections) if number == 0 or not bare(outline, number - 1)
    ]
    yield from zip(starts, [*starts[1:], len(outline.text)], strict=True)


def packed(text: str, start: int, end: int, how: Chunking) -> Iterator[Span]:
    """Pieces that end where paragraphs do, or sentences, joined while they stay within `size` tokens.

    With an overlap, a chunk also holds the last whole pieces of the one before that fit into `overlap` tokens.
    """
    held: list[tuple[int, int, int]] = []
    for piece in pieces(text, start, end, how):
        if held and sum(count for _, _, count in held) + piece[2] > how.size:
            yield held[0][0], held[-1][1]
            while held and (sum(count for _, _, count in held) > how.overlap
                            or sum(count for _, _, count in held) + piece[2] > how.size):  # fmt: skip
                held.pop(0)
        held.append(piece)
    if held:
        yield held[0][0], held[-1][1]


def pieces(text: str, start: int, end: int, how: Chunking) -> Iterator[tuple[int, int, int]]:
    """Paragraphs with their tokens; of one that is too long its sentences, and of a sentence too long its windows."""
    for paragraph in between(PARAGRAPH, text, start, end):
        count = tokens(text, *paragraph)
        if count <= how.size:
            yield (*paragraph, count)
            continue
        for sentence in between(SENTENCE, text, *paragraph):
            count = tokens(text, *sentence)
            if count <= how.size:
                yield (*sentence, count)
            else:
                for window in windows(text, *sentence, how):
                    yield (*window, tokens(text, *window))


def between(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Span]:
    """The stretches between matches; together with the matches they cover start to end."""
    for found in pattern.finditer(text, start, end):
        if found.end() > start:
            yield start, found.end()
            start = found.end()
    if start < end:
        yield start, end


def windows(text: str, start: int, end: int, how: Chunking) -> Iterator[Span]:
    spans = [found.span() for found in TOKEN.finditer(text, start, end)]
    for first in range(0, max(1, len(spans) - how.overlap), how.size - how.overlap):
        inside = spans[first : first + how.size]
        if inside:
            yield inside[0][0], inside[-1][1]


def tokens(text: str, start: int, end: int) -> int:
    return sum(1 for _ in TOKEN.finditer(text, start, end))


def seen(text: str, start: int, end: int) -> Span:
    """The span without the white space at its ends."""
    inside = text[start:end]
    return start + len(inside) - len(inside.lstrip()), start + len(inside.rstrip())
