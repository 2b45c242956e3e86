"""Printed lines with their boxes in, text out: where a page's columns, lines and paragraphs begin."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

ENDING = re.compile(r"""[.!?…:;][»”"’')\]\d⁰¹²³⁴-⁹]*$""")


class Line(NamedTuple):
    """A printed line and its box, in points from the page's lower left corner."""

    text: str
    left: float
    right: float
    bottom: float
    top: float

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 1.0)


def continues(before: Line, after: Line) -> bool:
    """Whether two pieces stand side by side on one printed line: a raised digit, or what follows it."""
    height = max(before.height, after.height)
    level = abs((before.top + before.bottom) - (after.top + after.bottom)) < 0.9 * height
    return level and -0.2 * height < after.left - before.right < 0.6 * height


def rejoined(before: Line, after: Line) -> Line:
    gap = " " if after.left - before.right > 0.2 * max(before.height, after.height) else ""
    tall = before if before.height >= after.height else after
    return Line(before.text + gap + after.text, before.left, after.right, tall.bottom, tall.top)


def arranged(lines: list[Line]) -> str:
    """The lines of a page, a blank one where a paragraph begins: after a gap, or at an indent after a full stop."""
    pitches = [a.bottom - b.bottom for a, b in pairwise(lines) if below(a, b)]
    # On a page of a few lines the median may be a gap itself; no text is set wider than at twice its height.
    widest = 2.2 * statistics.median([line.height for line in lines]) if lines else 0.0
    pitch = min(statistics.median(pitches), widest) if pitches else 0.0
    parts: list[str] = []
    for column in columns(lines):
        margin, width = margin_of(column), max(line.right for line in column)
        parts.extend(("\n" if parts else "", column[0].text))
        for before, after in pairwise(column):
            gap = before.bottom - after.bottom > 1.3 * max(pitch, min(before.height, after.height))
            parts.extend(("\n\n" if gap or indented(before, after, margin, width) else "\n", after.text))
    return "".join(parts)


def below(before: Line, after: Line) -> bool:
    """Whether a line stands under the one before it, in the same column."""
    return before.bottom > after.bottom and after.left < before.right and before.left < after.right


def columns(lines: list[Line]) -> Iterator[list[Line]]:
    """The lines in runs that go down the page."""
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or not below(lines[number - 1], lines[number]):
            if lines[start:number]:
                yield lines[start:number]
            start = number


def margin_of(column: list[Line]) -> float:
    """Where the lines of a column begin: the leftmost edge that a good part of them share."""
    edges = sorted(line.left for line in column)
    shared = (edge for n, edge in enumerate(edges) if sum(e < edge + 2 for e in edges[n : n + 40]) * 7 >= len(edges))
    return next(shared, edges[0])


def indented(before: Line, after: Line, margin: float, width: float) -> bool:
    """Whether a line opens a paragraph by its indent: the one before must look like the end of one."""
    if not 0.7 * after.height < after.left - margin < 5 * after.height:
        return False
    if ENDING.search(before.text):
        return True
    same = abs(before.left - after.left) < 2  # verse, or the second line of a list item: no paragraph of its own
    return not same and before.right < width - 3 * before.height
