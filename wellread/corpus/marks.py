"""Where the chapters of a plain text begin, by evidence: numbers in sequence, lines that stand apart, even spacing."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from wellread.corpus.headings import Heading, heading, is_capitals, is_roman
from wellread.corpus.passages import words_in

_LABEL_EDGES = " \t_*#=-–—[]"


class Mark(NamedTuple):
    """A heading: where it begins, how high it stands (1 above 2), and what it says."""

    start: int
    rank: int
    title: str
    alone: bool = False
    """It belongs to the whole book, like a preface, and not to the part before it."""


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str
    known: Heading | None
    apart: bool
    """Blank lines or other headings on both sides."""
    wide: bool
    """More space before it than between paragraphs."""
    words: int
    """Words of the text before it."""


_Style = list[_Line]


def find_marks(text: str, breaks: Sequence[int] = ()) -> list[Mark]:
    """The headings that divide a text into chapters, with those above them (parts, books); empty where it has none.

    `breaks` are offsets where the source left a wider gap. The lowest rank are the chapters. What counts: a style of
    heading ("Chapter 1", "II", "3. Loomings") whose numbers follow each other, that covers most of the text, and whose
    pieces have the size of chapters; failing that, short lines apart, in capitals or after a wider gap; failing that,
    the gaps themselves, if they are evenly spread.
    """
    lines, total = _lines(text, set(breaks))
    styles = _numbered_styles(lines, total)
    main = _main(styles, total)
    if main is None:
        return _unnumbered(lines, total, breaks, text)
    name, chapters = main
    uppers = _uppers({key: style for key, style in styles.items() if key != name}, chapters)
    specials = _specials(lines, chapters, uppers)
    return _ranked(lines, chapters, uppers, specials)


def _lines(text: str, breaks: set[int]) -> tuple[list[_Line], int]:
    """Every line with text that is short enough for a heading, with its surroundings; and all words of the text."""
    found: list[_Line] = []
    raw = text.split("\n")
    starts, words, at = [], [], 0
    count = 0
    for line in raw:
        starts.append(at)
        words.append(count)
        at += len(line) + 1
        count += words_in(line)
    known = [heading(line) if len(line) <= 200 else None for line in raw]
    empty = [not line.strip() for line in raw]
    for place, line in enumerate(raw):
        if empty[place] or len(line) > 200:
            continue
        before = place == 0 or empty[place - 1] or known[place - 1] is not None
        after = place + 1 == len(raw) or empty[place + 1] or known[place + 1] is not None
        found.append(
            _Line(starts[place], line.strip(), known[place], before and after, starts[place] in breaks, words[place])
        )
    return found, count


def _numbered_styles(lines: Sequence[_Line], total: int) -> dict[str, _Style]:
    """Styles of numbered headings that hold together as a sequence, by name."""
    groups: dict[str, _Style] = defaultdict(list)
    for line in lines:
        known = line.known
        if known is None or known.style == "special":
            continue
        if known.style in {"bare", "numbered"}:
            if line.apart and _well_formed(line):
                groups[f"{known.style} {known.numeral}"].append(line)
        elif line.apart or is_capitals(line.text) or not known.title:
            groups[known.style].append(line)
    for name, group in groups.items():
        if name.startswith(("bare", "numbered")):
            groups[name] = _chain(group)
    chained = dict(groups)
    _continue_each_other(chained)
    return {name: style for name, style in chained.items() if _holds(name, style, total)}


def _well_formed(line: _Line) -> bool:
    known = line.known
    if known is None or known.number is None:
        return False
    token = line.text.strip(" .:-–—_*[]()#§").split()[0].strip(".:)-–—")
    if known.numeral == "roman" and not is_roman(token):
        return False
    return known.style == "bare" or (len(line.text) <= 120 and not known.title.endswith((",", ";", ":")))


def _chain(group: _Style) -> _Style:
    """The longest run of the group in which each number is one above the one before, or begins again at one.

    One missing number is allowed for, and a beginning again only where the text has gone on to two at least.
    """
    best: list[float] = []
    link: list[int | None] = []
    numbers = [line.known.number if line.known and line.known.number is not None else -9 for line in group]
    for place, number in enumerate(numbers):
        score, before = (1.0, None) if number <= 2 else (0.5, None)
        for earlier in range(max(0, place - 300), place):
            step = number - numbers[earlier]
            gain = 1.0 if step == 1 else 0.3 if step == 2 else 0.9 if number == 1 and numbers[earlier] >= 2 else 0.0
            if gain and best[earlier] + gain > score:
                score, before = best[earlier] + gain, earlier
        best.append(score)
        link.append(before)
    chain: _Style = []
    place_now = max(range(len(group)), key=best.__getitem__, default=None)
    while place_now is not None:
        chain.append(group[place_now])
        place_now = link[place_now]
    return chain[::-1]


def _number(line: _Line) -> int:
    return line.known.number if line.known and line.known.number is not None else 0


def _continue_each_other(styles: dict[str, _Style]) -> None:
    """Join a style to one that it carries on: "ADVENTURE VI", then "VII. THE …"."""
    for name, style in list(styles.items()):
        if not style or _number(style[0]) <= 1:
            continue
        for other, earlier in styles.items():
            goes_on = bool(earlier) and _number(earlier[-1]) + 1 == _number(style[0])
            if other != name and goes_on and earlier[-1].start < style[0].start:
                styles[other] = earlier + style
                styles[name] = []
                break


def _holds(name: str, style: _Style, total: int) -> bool:
    """Whether a style is long enough, begins at its beginning, and does not crowd like the items of a list."""
    if not style:
        return False
    gaps = [later.words - earlier.words for earlier, later in pairwise(style)] + [total - style[-1].words]
    if name.startswith(("bare", "numbered")):
        return len(style) >= 3 and _number(style[0]) <= 2 and median(gaps) >= 150
    return median(gaps) >= 40


def _main(styles: dict[str, _Style], total: int) -> tuple[str, _Style] | None:
    """The style of the chapters: the one that covers the text in pieces of a chapter's size, the finest such."""
    fitting = []
    for name, style in styles.items():
        coarser = [other for other in styles.values() if len(other) < len(style)]
        spans = _spans(style, coarser, total)
        if len(style) >= 2 and sum(spans) >= 0.6 * total and median(spans) >= 150:
            fitting.append((name, style, median(spans)))
    if not fitting:
        return None
    fitting.sort(key=lambda each: -len(each[1]))
    for name, style, _ in fitting:
        if name == "chapter" and len(style) >= 8:
            return name, style
    name, style, _ = next((each for each in fitting if each[2] >= 500), fitting[0])
    return name, style


def _spans(style: _Style, others: Sequence[_Style], total: int) -> list[int]:
    """Words from each heading of a style to the next heading of it or of another."""
    stops = sorted({line.words for each in (style, *others) for line in each} | {total})
    return [stops[bisect_right(stops, line.words)] - line.words if line.words < total else 0 for line in style]


def _uppers(styles: dict[str, _Style], chapters: _Style) -> dict[str, _Style]:
    """Styles above the chapters: fewer headings, most of them with a chapter's heading soon after."""
    starts = [line.words for line in chapters]
    uppers: dict[str, _Style] = {}
    for name, style in styles.items():
        if len(style) >= len(chapters):
            continue
        near = [line for line in style if _next_within(starts, line.words, 300)]
        if len(near) >= 0.6 * len(style):
            uppers[name] = near
    return uppers


def _next_within(starts: Sequence[int], words: int, reach: int) -> bool:
    after = bisect_right(starts, words)
    return after < len(starts) and starts[after] - words <= reach


def _specials(lines: Sequence[_Line], chapters: _Style, uppers: dict[str, _Style]) -> _Style:
    """Prologues, prefaces, epilogues: apart, and in capitals, after a wider gap, or outside the numbered chapters."""
    numbered = sorted(line.words for style in (chapters, *uppers.values()) for line in style)
    first, last = numbered[0], chapters[-1].words
    return [
        line
        for line in lines
        if line.known
        and line.known.style == "special"
        and line.apart
        and (is_capitals(line.text) or line.wide or not first < line.words < last)
        and not _next_within(numbered, line.words - 7, 6)
    ]


def _ranked(lines: Sequence[_Line], chapters: _Style, uppers: dict[str, _Style], specials: _Style) -> list[Mark]:
    ordered = sorted(uppers.values(), key=lambda style: (len(style), style[0].start))
    lowest = len(ordered) + 1
    titled = _titles(lines, chapters)
    marks = [Mark(line.start, lowest, titled.get(line.start) or _label(line)) for line in chapters]
    for rank, style in enumerate(ordered, 1):
        titled = _titles(lines, style)
        marks += [Mark(line.start, rank, titled.get(line.start) or _label(line)) for line in style]
    known = {mark.start: mark for mark in marks}
    starts = sorted(known)
    for line in specials:
        if line.start in known:
            continue
        after = bisect_right(starts, line.start)
        following = known[starts[after]] if after < len(starts) else None
        chapter = next((each for each in chapters if following and each.start == following.start), None)
        if chapter and _number(chapter) == 1 and chapter.words - line.words <= 60 and line.start > chapters[0].start:
            marks.append(Mark(line.start, lowest - 1, _label(line)))
        else:
            inside = chapter is not None and line.start > starts[0]
            marks.append(Mark(line.start, lowest, _label(line), alone=not inside))
    return sorted(marks)


def _titles(lines: Sequence[_Line], style: _Style) -> dict[int, str]:
    """Labels that join a number to the title in the next line, where at least half of a style's headings have one."""
    places = {line.start: place for place, line in enumerate(lines)}
    found: dict[int, str] = {}
    for line in style:
        place = places[line.start] + 1
        following = lines[place] if place < len(lines) else None
        if following is None or following.words - line.words > 6 or not _is_title(following):
            continue
        if line.known and not line.known.title:
            found[line.start] = f"{_label(line)}: {_label(following)}"
    return found if len(found) >= 0.5 * len(style) else {}


def _is_title(line: _Line) -> bool:
    text = line.text
    if not line.apart or len(text) > 100 or len(text.split()) > 16:
        return False
    if line.known and line.known.style in {"chapter", "bare"}:
        return False
    if is_capitals(text):
        return True
    return text[:1].isupper() and not text.endswith((".", "!", "?", "…", ",", ";", ":", '"', "”", "»"))


def _label(line: _Line) -> str:
    label = line.text.replace("_", "").strip(_LABEL_EDGES)
    return (label[:-1] if label.endswith(".") and not label.endswith("..") else label) or line.text


def _unnumbered(lines: Sequence[_Line], total: int, breaks: Sequence[int], text: str) -> list[Mark]:
    """Chapters told without numbers: titles apart in capitals, titles after wider gaps, or the gaps alone."""
    short = [line for line in lines if line.apart and len(line.text) <= 60]
    capitals = [line for line in short if is_capitals(line.text) and sum(map(str.isalpha, line.text)) >= 3]
    after_gaps = [line for line in lines if line.apart and line.wide and _is_title(line)]
    specials = [line for line in lines if line.apart and line.known and line.known.style == "special"]
    for style in (capitals, after_gaps):
        if _evenly_spread(style, total):
            chosen = {line.start: line for line in (*style, *specials)}
            return [Mark(start, 1, _label(line)) for start, line in sorted(chosen.items())]
    gaps = [_Line(start, "", None, True, True, 0) for start in sorted({0, *breaks}) if start < len(text)]
    words = 0
    for place, line in enumerate(gaps):
        gaps[place] = replace(line, words=words)
        end = gaps[place + 1].start if place + 1 < len(gaps) else len(text)
        words += words_in(text[line.start : end])
    if _evenly_spread(gaps, total) and len(gaps) >= 8:
        return [Mark(line.start, 1, f"section {place}") for place, line in enumerate(gaps, 1)]
    return []


def _evenly_spread(style: Sequence[_Line], total: int) -> bool:
    """Whether at least four lines, most of them different, divide most of the text in pieces of a chapter's size."""
    if len(style) < 4 or (style[0].text and len({line.text for line in style}) < 0.8 * len(style)):
        return False
    spans = [later.words - earlier.words for earlier, later in pairwise(style)] + [total - style[-1].words]
    middle = median(spans)
    small = sum(span < 0.1 * middle for span in spans)
    return sum(spans) >= 0.6 * total and 300 <= middle <= 12_000 and small <= 0.2 * len(spans)
