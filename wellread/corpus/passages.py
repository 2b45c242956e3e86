"""A text without chapters, cut into contiguous passages at paragraph ends."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

WORDS = 1500
"""Words of a passage, where the text is long enough for thirty of them."""
LEAST_WORDS = 100
PASSAGES = 30
_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*(?=\S)")
_SENTENCE = re.compile(r"(?:(?<=[.!?…])[\"'”’»)\]]*\s+|(?<=[。！？])|\n)(?=\S)")
_WORD = re.compile(r"\s+(?=\S)")


def words_in(text: str) -> int:
    """Words, counted by the spaces between; in a script without spaces, one for every two characters."""
    words = len(text.split())
    return words if 20 * words >= len(text) else len(text) // 2


def passage_words(total: int) -> int:
    """Words of a passage for a text of so many: 1,500, less where that would make fewer than thirty passages."""
    return max(LEAST_WORDS, min(WORDS, total // PASSAGES))


def cut(text: str, words: int, *, breaks: Sequence[int] = ()) -> list[tuple[int, int]]:
    """The passages of a text as (start, end), each of about `words` words; together they cover it without a gap.

    A passage ends where a paragraph does, at one of `breaks` (offsets where a wider gap stands) if one is near; a
    paragraph far longer than a passage is cut at a sentence's end, one without sentences at a space or anywhere.
    """
    count = max(1, round(words_in(text) / words))
    target = len(text) / count
    ends = _places(text, target)
    cuts = [0]
    for number in range(1, count):
        ideal = number * target
        within = slice(bisect_left(breaks, ideal - target / 3), bisect_right(breaks, ideal + target / 3))
        near = [place for place in breaks[within] if place > cuts[-1]]
        after = bisect_left(ends, ideal)
        chosen = min(near or ends[max(0, after - 1) : after + 1], key=lambda place: abs(place - ideal), default=0)
        if chosen - cuts[-1] >= target / 4 and len(text) - chosen >= target / 4:
            cuts.append(chosen)
    return list(zip(cuts, [*cuts[1:], len(text)], strict=True))


def _places(text: str, target: float) -> list[int]:
    """Where a passage may begin, in order: at paragraphs; inside those longer than a passage at sentences, words."""
    places = [found.end() for found in _PARAGRAPH.finditer(text)]
    for finer in (_SENTENCE, _WORD, None):
        added: list[int] = []
        for start, end in zip([0, *places], [*places, len(text)], strict=True):
            if end - start <= 1.5 * target:
                continue
            step = max(1, int(target))
            if finer is None:
                added += range(start + step, end, step)
            else:
                added += [found.end() for found in finer.finditer(text, start, end)]
        places = sorted({*places, *added} - {0, len(text)})
    return places
