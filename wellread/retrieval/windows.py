"""A chunk in, what is searched of it out: its terms with its headings', and the short windows that are embedded one by one.

A vector of a whole section says little of any one sentence in it, and an embedder may not read it to its end. So a chunk is
as near to a question as the nearest of its windows.
"""

from __future__ import annotations

import re
from itertools import pairwise

from wellread.matching import IDEOGRAPHS
from wellread.retrieval.keywords import terms
from wellread.types import Chunk

WORDS = 60
"""A window has at most so many words; the next begins about half of it further on."""
_END = re.compile(
    r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[\"'“‘«(\[]*[^\W\d_a-zà-ÿ])"  # a sentence ends and one with a capital begins
    r"|(?<=[。！？])"
    r"|\n\s*\n\s*"
    r"|\n(?=\s*(?:[-*+•|]|\d+[.)])\s)"  # an item of a list, a row of a table
)
_WORD = re.compile(rf"[{IDEOGRAPHS}]|[^\s{IDEOGRAPHS}]{{1,60}}")


def chunk_terms(chunk: Chunk, language: str = "") -> list[str]:
    """The terms that keyword search knows a chunk by: of its headings and of its text."""
    return terms(f"{chunk.section}\n{chunk.text}", language)


def windows(text: str, *, words: int = WORDS) -> list[tuple[int, int]]:
    """The windows of a text as (start, end) in characters: whole sentences, or items, as many as `words` hold.

    They overlap by about half and cover the text; a sentence of more words is cut. A text without words has none.
    """
    sentences = _sentences(text, words)
    spans, first = [], 0
    while first < len(sentences):
        after, size = first, 0
        while after < len(sentences) and (after == first or size + sentences[after][2] <= words):
            size += sentences[after][2]
            after += 1
        spans.append((sentences[first][0], sentences[after - 1][1]))
        if after == len(sentences):
            break
        passed, start = 0, first
        while start < after and passed < size / 2:
            passed += sentences[start][2]
            start += 1
        first = max(first + 1, start)
    return spans


def embedded_texts(chunk: Chunk, *, words: int = WORDS) -> list[str]:
    """What is embedded of a chunk: each of its windows, in one line, after the heading that it stands under."""
    heading = chunk.section.rpartition(" › ")[2]
    texts = [" ".join(chunk.text[start:end].split()) for start, end in windows(chunk.text, words=words)]
    return [f"{heading}. {text}" if heading else text for text in texts or [""]]


def _sentences(text: str, most: int) -> list[tuple[int, int, int]]:
    """Start, end and words of every sentence; of a longer one than `most` words, of each piece of so many."""
    ends = [0, *(place for found in _END.finditer(text) for place in found.span()), len(text)]
    found = []
    for start, end in zip(ends[::2], ends[1::2], strict=True):
        spans = [(word.start(), word.end()) for word in _WORD.finditer(text, start, end)]
        cuts = [*range(0, len(spans), most), len(spans)]
        found += [(spans[a][0], spans[b - 1][1], b - a) for a, b in pairwise(cuts) if b > a]
    return found
