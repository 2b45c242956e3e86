"""What a printed page adds to the text: its number, its running head, and the break itself."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from itertools import pairwise
from typing import NamedTuple

from wellread.corpus.headings import heading, is_roman, roman
from wellread.corpus.rules import Outcome, excerpt

_NUMBER = re.compile(
    r"(?P<left>[\s\[({*~·•|_—–-]*?)(?:p(?:g|age)?\.?\s*)?(?P<value>\d{1,4}|[ivxlc]{1,8})(?:\s*(?:/|of|sur)\s*\d{1,4})?"
    r"(?P<right>[\s\])}*~·•|_.—–-]*)",
    re.IGNORECASE,
)
_FRAMED = re.compile(r"[—–-]+\s*\d+\s*[—–-]+")
_NEGATIVE = re.compile(r"\s*[—–-]\s*\d+[\s.]*")
_MARKED = re.compile(r"\s*[\[({]?\s*p(?:g|age)?\.?\s*\d{1,4}\s*[\])}]?\s*", re.IGNORECASE)
_INLINE = re.compile(r"\s?[\[{](?:p(?:g|age)?\.?\s*)\d{1,4}[\]}]", re.IGNORECASE)
_HEADED = re.compile(
    r"\s*(?:(?P<before>\d{1,4})\s+(?P<after_text>\S.{2,70}?)|(?P<before_text>\S.{2,70}?)\s+(?P<after>\d{1,4}))\s*"
)
_ENDS_SENTENCE = re.compile(r"[.!?…:;][\"'”’»)\]_*\s]*$|[”»\"]\s*$")
PAGE_CHARACTERS = 4500
"""A page seldom holds more; chapters mostly do."""


class _Found(NamedTuple):
    line: int
    value: int
    at: int
    """Characters before the line."""
    interrupts: bool
    """The text around it goes on in the middle of a sentence."""
    framed: bool = False
    """Dashes on both sides."""


def page_numbers(texts: list[str]) -> Outcome:
    """The texts without page numbers on lines of their own, or in brackets like [Pg 12].

    A number alone is a page's where numbers like it rise through the text and break into sentences, stand at page
    breaks, or lie a page apart; the numbers of chapters do none of these, and stay.
    """
    count, example, cleaned = 0, "", []
    for given in texts:
        lines = _lines(given)
        numbers = _page_lines(lines)
        text, inline = _INLINE.subn("", _text(_without(lines, numbers)) if numbers else given)
        if numbers and not example:
            middle = sorted(numbers)[len(numbers) // 2]
            around = excerpt("\n".join(lines[max(0, middle - 2) : middle + 3]))
            example = f"{around} → without {lines[middle].strip()!r}"
        elif inline and not example:
            found = _INLINE.search(given)
            example = f"{found[0].strip() if found else ''} → (removed)"
        count += inline + len(numbers)
        cleaned.append(text)
    return Outcome(cleaned, count, example)


def running_heads(texts: list[str]) -> Outcome:
    """The texts without lines that repeat at the top or the foot of pages, or beside a rising page number."""
    count, example, cleaned = 0, "", []
    for text in texts:
        lines = _lines(text)
        heads = _repeated_at_breaks(lines) | _numbered_heads(lines)
        while heads:
            if not example:
                example = f"{excerpt(lines[min(heads)])} → (removed, as on {len(heads) - 1} other pages)"
            count += len(heads)
            lines = _without(lines, heads)
            heads = _numbered_heads(lines)
        cleaned.append(_text(lines))
    return Outcome(cleaned, count, example)


def page_breaks(texts: list[str]) -> Outcome:
    """The texts without form feeds: a sentence that runs over a page break runs on, else a blank line stands there."""
    count, example, cleaned = 0, "", []
    for text in texts:
        lines = _lines(text)
        breaks = {place for place, line in enumerate(lines) if line == "\f"}
        if breaks and not example:
            middle = sorted(breaks)[len(breaks) // 2]
            example = excerpt(" [page] ".join(line for line in lines[max(0, middle - 1) : middle + 2] if line.strip()))
        count += len(breaks)
        cleaned.append(_text(_without(lines, breaks)) if breaks else text)
    return Outcome(cleaned, count, example)


def _lines(text: str) -> list[str]:
    """Lines, every form feed on a line of its own."""
    if "\f" in text:
        text = re.sub(r"[ \t]*\n?\f\n?", "\n\f\n", text)
    return text.split("\n")


def _text(lines: list[str]) -> str:
    return "\n".join(lines)


def _page_lines(lines: list[str]) -> set[int]:
    groups: dict[str, list[_Found]] = defaultdict(list)
    pages: set[int] = set()
    at, feeds = 0, [place for place, line in enumerate(lines) if line == "\f"]
    for place, line in enumerate(lines):
        at += len(line) + 1
        if len(line) > 40 or not (found := _NUMBER.fullmatch(line)) or (value := _value(found["value"])) is None:
            continue
        if _NEGATIVE.fullmatch(line):
            continue
        if _MARKED.fullmatch(line):
            pages.add(place)
            continue
        kind = "arabic" if found["value"].isdigit() else "roman"
        groups[f"{kind} {_dress(line, found)}"].append(
            _Found(place, value, at, _interrupts(lines, place), bool(_FRAMED.fullmatch(line.strip())))
        )
    for name, group in groups.items():
        at_feed = {item.line for item in group if feeds and _beside_feed(lines, item.line, feeds)}
        rising = _rising(group)
        if len(at_feed) >= 2 and len(at_feed) >= 0.3 * len(feeds):
            pages |= at_feed
        if _are_pages(name, rising):
            pages |= {item.line for item in rising}
    return pages


def _dress(line: str, found: re.Match[str]) -> str:
    """What stands around a number: brackets (which also mark notes), dashes or a "p.", or nothing but a full stop."""
    if "[" in line:
        return "bracketed"
    around = found["left"].strip() + re.sub(r"[\s.]", "", found["right"])
    return "dressed" if around or line.lstrip()[:1] in "pP" else "bare"


def _value(numeral: str) -> int | None:
    if numeral.isdigit():
        return int(numeral)
    return roman(numeral) if is_roman(numeral) else None


def _are_pages(name: str, group: list[_Found]) -> bool:
    """Whether numbers of one dress, rising through the text, count its pages rather than its chapters."""
    if not group:
        return False
    interruptions = sum(item.interrupts for item in group)
    if len(group) >= 3 and interruptions >= max(2, 0.2 * len(group)):
        return True
    gaps = sorted(later.at - earlier.at for earlier, later in pairwise(group))
    page_apart = bool(gaps) and gaps[len(gaps) // 2] <= PAGE_CHARACTERS
    if name == "arabic dressed":
        from_one = group[0].value == 1 and len(group) > 1
        if len(group) == 1:
            return group[0].value < 1000 and group[0].framed
        return bool(interruptions) or (not from_one and page_apart)
    return False


def _rising(group: list[_Found]) -> list[_Found]:
    """The longest run of the group in which numbers rise by one, two or three (a page without a number was skipped)."""
    best: list[int] = []
    before: list[int | None] = []
    for place, item in enumerate(group):
        length, link = 1, None
        for earlier in range(max(0, place - 60), place):
            if 1 <= item.value - group[earlier].value <= 3 and best[earlier] + 1 > length:
                length, link = best[earlier] + 1, earlier
        best.append(length)
        before.append(link)
    chain: list[_Found] = []
    place_now: int | None = max(range(len(group)), key=best.__getitem__)
    while place_now is not None:
        chain.append(group[place_now])
        place_now = before[place_now]
    return chain[::-1]


def _neighbour(lines: list[str], place: int, step: int) -> int | None:
    """The next line with text in a direction; page breaks are passed over."""
    place += step
    while 0 <= place < len(lines) and not lines[place].strip():
        place += step
    return place if 0 <= place < len(lines) else None


def _interrupts(lines: list[str], place: int) -> bool:
    """Whether the text before goes on after: no sentence ends before, a small letter begins after."""
    before, after = _neighbour(lines, place, -1), _neighbour(lines, place, 1)
    if before is None or after is None:
        return False
    return not _ENDS_SENTENCE.search(lines[before]) and lines[after].lstrip()[:1].islower()


def _beside_feed(lines: list[str], place: int, feeds: list[int]) -> bool:
    """Whether the line is the first or the last with text, or next to it, on a page."""
    after = bisect_left(feeds, place)
    end = feeds[after] if after < len(feeds) else len(lines)
    start = feeds[after - 1] if after else -1
    above = sum(1 for line in lines[max(start + 1, place - 12) : place] if line.strip())
    below = sum(1 for line in lines[place + 1 : min(end, place + 13)] if line.strip())
    return (above <= 1 or below <= 1) and (after < len(feeds) or after > 0)


def _numbered_heads(lines: list[str]) -> set[int]:
    """Lines like `128 THE HISTORY OF X` or `THE HISTORY OF X 129` whose words repeat while their numbers rise."""
    groups: dict[str, list[_Found]] = defaultdict(list)
    at = 0
    for place, line in enumerate(lines):
        at += len(line) + 1
        if len(line) > 90 or not line.strip() or not (line.strip()[0].isdigit() or line.rstrip()[-1].isdigit()):
            continue
        if found := _HEADED.fullmatch(line):
            words = found["after_text"] or found["before_text"]
            value = int(found["before"] or found["after"])
            groups[_key(words)].append(_Found(place, value, at, _interrupts(lines, place)))
    heads: set[int] = set()
    for key, group in groups.items():
        rising = _climbing(group)
        enough = len(rising) >= 4 and len(rising) >= 0.8 * len(group)
        if key and enough and sum(item.interrupts for item in rising) >= 0.2 * len(rising):
            heads |= {item.line for item in rising}
    return heads


def _climbing(group: list[_Found]) -> list[_Found]:
    """The items whose number is above all before it: running heads skip pages, so any step will do."""
    kept: list[_Found] = []
    for item in group:
        if not kept or item.value > kept[-1].value:
            kept.append(item)
    return kept


def _key(line: str) -> str:
    return re.sub(r"[\W\d_]+", " ", line).strip().casefold()


def _repeated_at_breaks(lines: list[str]) -> set[int]:
    """Lines at page tops and feet whose words return on at least three pages and a twentieth of all.

    Of lines that read as a chapter's heading the first stays: it heads the chapter, the others repeat it.
    """
    feeds = [place for place, line in enumerate(lines) if line == "\f"]
    if len(feeds) < 3:
        return set()
    edges: list[int] = []
    for start, end in zip([-1, *feeds], [*feeds, len(lines)], strict=True):
        page = [place for place in range(start + 1, end) if lines[place].strip()]
        if len(page) > 2:
            edges += sorted({*page[:2], *page[-2:]})
    short = [place for place in edges if len(lines[place].strip()) <= 100 and not lines[place].lstrip()[:1].islower()]
    keys = {place: _key(lines[place]) for place in short}
    often = Counter(key for key in keys.values() if len(key) >= 2)
    anywhere = Counter(_key(line) for line in lines if len(line.strip()) <= 100)
    least = max(3, 0.02 * len(feeds))
    heads: set[int] = set()
    seen: set[str] = set()
    for place, key in keys.items():
        if often[key] < least or often[key] < 0.6 * anywhere[key]:
            continue
        first, known = key not in seen, heading(lines[place])
        seen.add(key)
        if first and known and known.style not in {"bare", "numbered"}:
            continue
        heads.add(place)
    return heads


def _without(lines: list[str], gone: set[int]) -> list[str]:
    """The lines but for those; where a sentence ran on across one, the blank lines around it go, too."""
    kept: list[str] = []
    place = 0
    while place < len(lines):
        if place not in gone:
            kept.append(lines[place])
            place += 1
            continue
        start = place
        while place < len(lines) and (place in gone or not lines[place].strip()):
            place += 1
        while kept and not kept[-1].strip() and kept[-1] != "\f":
            kept.pop()
            start -= 1
        feeds = ["\f" for line in range(start, place) if line not in gone and lines[line] == "\f"]
        runs_on = bool(kept) and place < len(lines) and _runs_on(kept[-1], lines[place])
        kept += feeds or ([] if runs_on or not kept else [""])
    return kept


def _runs_on(before: str, after: str) -> bool:
    """Whether a sentence goes on from one line to another."""
    if not before.strip() or before == "\f" or _ENDS_SENTENCE.search(before) or heading(before) or heading(after):
        return False
    starts = after.lstrip("\"'“‘«([_* ")[:1]
    return starts.islower() or before.rstrip().endswith(("-", ",")) or (len(before) > 40 and not before.isupper())
