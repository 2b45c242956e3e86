"""How a source's lines are laid out: wrapped or not, at which width, what opens a paragraph. Measured, not assumed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

LONG = 100
"""A line longer than this is a paragraph, or wrapped at an unusual width; verse, lists and addresses are shorter."""
_TERMINAL = re.compile(r"[.!?…:][\"'”’»)\]_*]*$|[”»\"]$|[*_—–-]\s*[”»\"]$")
_DASH = re.compile(r"(?:—|–|―|--+)\s?(?=[^\W\d_a-zà-ÿ]|[«\"“'‘…(_\d])|-\s(?=[^\W\d_a-zà-ÿ]|[«\"“…])")
_ANY_DASH = re.compile(r"[—–―]|--?\s?\S")
_TABULAR = re.compile(r"\S(?:\s{3,}|\t)\S|^\|")
_CODE = frozenset("{}=<>\\|$")
_ITEM = re.compile(r"(?:[*•·‣▪◦]|\d{1,3}[.)]|\(?[a-z]\)|[-–—])\s+\S")


class Layout(NamedTuple):
    wrapped: bool = False
    """Paragraphs run over several lines of about one width."""
    full: int = 10**9
    """A line is full, so that its text goes on, where the next word would have made it at least this long."""
    spaced: bool = True
    """Blank lines stand between paragraphs."""
    lined: bool = False
    """Every line is a paragraph, without blank lines between."""
    gap: int = 1
    """Blank lines that ordinarily stand between two paragraphs; more are a break."""
    indent: int = 0
    """Spaces that open a paragraph's first line; 0 where paragraphs open without."""
    dashes: bool = False
    """A dash at the beginning of a line opens a speaker's turn."""
    tight: bool = False
    """Dashes stand without spaces around them."""


def measure(lines: Sequence[str]) -> Layout:
    """The layout of a source's lines."""
    filled = [line for line in lines if line.strip()]
    pairs = [(a, b) for a, b in pairwise(lines) if a.strip() and b.strip() and indent_of(b) <= indent_of(a)]
    if not pairs:
        return Layout()
    wrapped, full = _width(pairs, [len(line.strip()) for line in filled])
    blank = len(lines) - len(filled)
    gaps = Counter(sum(1 for _ in run) for empty, run in groupby(lines, key=lambda line: not line.strip()) if empty)
    long = sum(len(line) > LONG for line in filled)
    closed = sum(ends_sentence(a) for a, _ in pairs)
    dense = blank <= 0.2 * len(lines) and len(pairs) >= 0.4 * len(filled)
    lined = not wrapped and dense and long >= 0.08 * len(filled) and closed >= 0.5 * len(pairs)
    spaced = blank >= 0.04 * len(lines) and not lined
    return Layout(
        wrapped,
        full,
        spaced,
        lined,
        gaps.most_common(1)[0][0] if gaps and spaced else 0,
        _paragraph_indent(lines) if wrapped else 0,
        _dash_habit(lines),
        _tight_dashes(filled),
    )


def _width(pairs: Sequence[tuple[str, str]], all_lengths: Sequence[int]) -> tuple[bool, int]:
    """Whether the lines are wrapped, and from which length on a line is full.

    Told by pairs of lines that surely belong together: no sentence ends the first, a small letter begins the second. In
    wrapped prose they are about half of all pairs, and all of nearly one width, which few lines exceed (or three in four of
    the very width, where cells of tables stand among them); in verse they are neither, and where many lines are longer,
    these are the paragraphs.
    """
    sure = [(len(a), reach(a, b)) for a, b in pairs if continues(a, b)]
    if len(sure) < 0.25 * len(pairs) or len(pairs) < 0.25 * len(all_lengths):
        return False, 10**9
    lengths = sorted(length for length, _ in sure)
    reaches = sorted(each for _, each in sure)
    widest = lengths[int(0.9 * (len(lengths) - 1))]
    tenth, quarter = (reaches[int(share * (len(reaches) - 1))] for share in (0.1, 0.25))
    if not 28 <= widest <= 200 or (tenth < 0.72 * widest and quarter < 0.9 * widest):
        return False, 10**9
    if sum(length > 1.4 * widest for length in all_lengths) > 0.1 * len(all_lengths):
        return False, 10**9
    return True, max(reaches[int(0.03 * (len(reaches) - 1))], int(0.75 * widest))


def reach(line: str, following: str) -> int:
    """How long the line would be with the next line's first word."""
    return len(line.strip()) + 1 + len(following.split(None, 1)[0])


def indent_of(line: str) -> int:
    """Spaces at the beginning; a tab counts four."""
    if not line[:1].isspace():
        return 0
    return len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())


def ends_sentence(line: str) -> bool:
    """Whether the line's end may end a paragraph: a full stop, a colon, a closing quotation mark."""
    return bool(_TERMINAL.search(line.rstrip()[-8:]))


def continues(line: str, following: str) -> bool:
    """Whether the following line surely goes on with the sentence."""
    return following.lstrip()[:1].islower() and not ends_sentence(line)


def speaks(line: str) -> bool:
    """Whether the line opens with a dash before a capital, a quotation mark or a number: a speaker's turn."""
    return bool(_DASH.match(line.lstrip()))


def is_tabular(line: str) -> bool:
    """Whether the line has columns: a tab or three spaces inside, or a bar before."""
    return ("\t" in line or "   " in line or "|" in line) and bool(_TABULAR.search(line.strip()))


def is_code(lines: Sequence[str]) -> bool:
    """Whether many of the lines have the marks of a listing rather than of prose; items of a list end in semicolons, too."""
    marked = sum(
        (line.rstrip()[-1:] == ";" and not is_item(line)) or line.lstrip()[:1] == "#" or not _CODE.isdisjoint(line)
        for line in lines
    )
    return marked >= 0.4 * len(lines)


def is_item(line: str) -> bool:
    """Whether the line opens with a bullet, a number or a letter of a list."""
    return bool(_ITEM.match(line.lstrip()))


def blocks(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines with text, each with the number of blank lines before it."""
    before = 0
    for empty, run in groupby(lines, key=lambda line: not line.strip()):
        group = list(run)
        if empty:
            before = len(group)
        else:
            yield before, group
            before = 0


def _paragraph_indent(lines: Sequence[str]) -> int:
    """The indentation that opens paragraphs where blank lines do not: an indented line between two that are not."""
    opens: Counter[int] = Counter()
    flush = 0
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        if not (before.strip() and line.strip() and after.strip()):
            continue
        depth = indent_of(line)
        flush += depth == 0
        if 0 < depth <= 10 and indent_of(before) < depth and indent_of(after) < depth and ends_sentence(before):
            opens[depth] += 1
    if not opens:
        return 0
    depth, times = opens.most_common(1)[0]
    return depth if times >= 3 and times >= 0.03 * (flush + times) else 0


def _dash_habit(lines: Sequence[str]) -> bool:
    """Whether most lines that begin with a dash begin a turn: after a sentence's end, before a capital."""
    turns = others = 0
    before = ""
    for line in lines:
        start = line.lstrip()
        if start[:1] in {"—", "–", "―", "-"} and _ANY_DASH.match(start):
            if speaks(start) and (not before.strip() or ends_sentence(before) or speaks(before)):
                turns += 1
            else:
                others += 1
        before = line
    return turns >= 2 and turns > others


def _tight_dashes(lines: Sequence[str]) -> bool:
    tight = loose = 0
    for line in lines:
        if "--" in line or "—" in line:
            tight += len(re.findall(r"\w[,;.!?]?(?:--|—)\w", line))
            loose += len(re.findall(r"\S\s(?:--|—)\s\S", line))
    return tight > loose
