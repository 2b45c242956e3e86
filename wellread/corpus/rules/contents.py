"""A table of contents: a list of lines, near the beginning or the end, that the headings of the book repeat."""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise
from typing import NamedTuple

from wellread.corpus.headings import heading, is_capitals
from wellread.corpus.rules import Outcome, excerpt

_TITLE = re.compile(
    r"[\W_]*(?:(?:the )?(?:table of )?contents|table(?: des (?:mati[èe]res|chapitres))?|sommaire|"
    r"inhalt(?:sverzeichnis)?|[íi]ndice|contenido|list of chapters)(?: of (?:the )?(?:book|volume)[\w ]*)?[\W_]*",
    re.IGNORECASE,
)
_PAGE = re.compile(r"(?:[\s.·…_-]{2,}|\s)(?:p(?:age|\.)?\s*)?(?:\d{1,4}|[ivxlc]{2,7})\s*$", re.IGNORECASE)
_LEADERS = re.compile(r"[.·…_ ]{4,}\s*\d{1,4}\s*$|\s{3,}\d{1,4}\s*$|\t\d{1,4}\s*$")
_LETTERS = re.compile(r"[\W_]+")
_LONGEST = 160
_ROUNDS = 6


class _Entries(NamedTuple):
    """Lines of a source that may be headings: places among all lines with text, keys, and what they name."""

    places: list[int]
    keys: list[str]
    names: list[str]

    def beyond(self, start: int, end: int, *, after: bool) -> tuple[set[str], str]:
        """What those after (or before) a table name: a set of whole names, and all of them as one searchable string."""
        place = bisect_left(self.places, end if after else start)
        chosen = slice(place, None) if after else slice(0, place)
        return {*self.keys[chosen], *self.names[chosen]}, " | ".join(self.keys[chosen])


def contents(texts: list[str]) -> Outcome:
    """The texts without their tables of contents; count: lines cut.

    A list counts as one where at least three short lines in a row name headings that follow in the source (or, at its
    end, went before), and these are most of its lines; without a title ("Contents", "Table des matières") it takes
    five, in the book's order. A table found may uncover another, so the search goes on until none is left.
    """
    count, example = 0, ""
    for _ in range(_ROUNDS):
        outcome = _without_tables(texts)
        if not outcome.count:
            break
        texts, count, example = outcome.texts, count + outcome.count, example or outcome.example
    return Outcome(texts, count, example)


def _without_tables(texts: list[str]) -> Outcome:
    all_lines = [text.split("\n") for text in texts]
    flat = [
        (document, place)
        for document, lines in enumerate(all_lines)
        for place, line in enumerate(lines)
        if line.strip()
    ]
    lines = [all_lines[document][place].strip() for document, place in flat]
    lists = _lists(lines)
    if not lists:
        return Outcome(texts)
    entries = _entries(all_lines)
    gone: set[tuple[int, int]] = set()
    example = ""
    for start, end, titled in lists:
        if end - start < 4:
            continue
        region = _table(lines, start, end, titled, entries)
        if region is None:
            continue
        if not example:
            example = f"{excerpt(chr(10).join(lines[slice(*region)]))} → (removed)"
        gone.update(flat[place] for place in range(*region))
    if not gone:
        return Outcome(texts)
    kept = [
        "\n".join(line for place, line in enumerate(lines) if (document, place) not in gone)
        for document, lines in enumerate(all_lines)
    ]
    return Outcome(kept, len(gone), example)


def _entries(all_lines: list[list[str]]) -> _Entries:
    """Lines that are short, and a heading, in capitals, or in a block of at most three lines."""
    found = _Entries([], [], [])
    at = 0
    for lines in all_lines:
        block: list[str] = []
        for line in [*lines, ""]:
            if line.strip():
                block.append(line.strip())
                continue
            few = len(block) <= 3 and all(len(each) <= _LONGEST for each in block)
            for each in block:
                known = heading(each) if len(each) <= _LONGEST else None
                if few or known or is_capitals(each):
                    key = _key(each)
                    found.places.append(at)
                    found.keys.append(key)
                    found.names.append(_key(known.title) if known and known.title else key)
                at += 1
            block = []
    return found


def _key(line: str) -> str:
    return _LETTERS.sub(" ", line).strip().casefold()


def _name(line: str) -> str:
    """What an entry names: its title without number and page, or, of a bare "Chapter I", all of it."""
    paged = line[-1:] in "0123456789ivxlcIVXLC" and (len(line.split()) > 2 or _LEADERS.search(line))
    text = _PAGE.sub("", line) if paged else line
    known = heading(text)
    return _key(known.title) if known and known.title else _key(text)


def _lists(lines: list[str]) -> list[tuple[int, int, bool]]:
    """Runs of short lines (start, end, titled) where a table may stand: after a title, or at the two ends."""
    edge = max(60, len(lines) // 50)
    found: list[tuple[int, int, bool]] = []
    for title in (place for place, line in enumerate(lines) if len(line) <= 60 and _TITLE.fullmatch(line)):
        if not found or title >= found[-1][1]:
            found.append((title, _end_of_run(lines, title), True))
    for start, stop in ((0, edge), (max(edge, len(lines) - edge), len(lines))):
        place = start
        while place < min(stop, len(lines)):
            end = _end_of_run(lines, place)
            if end - place >= 5 and not any(place < other_end and other < end for other, other_end, _ in found):
                found.append((place, end, False))
            place = end + 1
    return found


def _end_of_run(lines: list[str], start: int) -> int:
    """The first line from `start` on that is long or running text."""
    place = start
    while place < len(lines) and len(lines[place]) <= _LONGEST and not _is_prose(lines, place):
        place += 1
    return place


def _is_prose(lines: list[str], place: int) -> bool:
    """Whether a line is the middle of, or begins, three that go on in small letters: running text."""

    def goes_on(at: int) -> bool:
        return 0 <= at < len(lines) - 1 and len(lines[at]) > 45 and lines[at + 1][:1].islower()

    if goes_on(place):
        return goes_on(place + 1) or goes_on(place - 1)
    return goes_on(place - 1) and goes_on(place - 2)


def _table(lines: list[str], start: int, end: int, titled: bool, known: _Entries) -> tuple[int, int] | None:
    """The lines (from, to) of the table in a run of short lines, or None."""
    first = start + 1 if titled else start
    names = [_name(line) for line in lines[first:end]]
    entries = names[: _restart(lines[first:end], names, titled)]
    headings, as_text = known.beyond(start, first + len(entries), after=start < len(lines) // 2)
    hits = [
        (bool(name) and (name in headings or (len(name) >= 12 and name in as_text)))
        or (titled and bool(_LEADERS.search(line)))
        for name, line in zip(entries, lines[first:], strict=False)
    ]
    last = max((place for place, hit in enumerate(hits) if hit), default=-1)
    begin = 0
    if not titled:
        begin = next((place for place, hit in enumerate(hits) if hit and sum(hits[place : place + 5]) >= 4), last + 1)
    last, matched = _trim(hits, begin, last, sum(hits[begin : last + 1]))
    if matched < (3 if titled else 5) or matched < 0.6 * (last + 1 - begin):
        return None
    if not titled:
        region = lines[first + begin : first + last + 1]
        sentences = sum(line.endswith((".", "!", "?")) and not heading(line) for line in region)
        few = last + 1 - begin <= 0.25 * len(lines) and sentences <= 0.3 * matched
        if not few or not _in_order(entries[begin : last + 1], as_text):
            return None
    while last + 1 < len(entries) and _is_tail(lines[first + last], lines[first + last + 1], as_text):
        last += 1
    return (start if titled else first + begin, first + last + 1)


def _trim(hits: list[bool], begin: int, last: int, matched: int) -> tuple[int, int]:
    """The end of the table moved before the first gap of four lines that name nothing."""
    misses = 0
    for place in range(begin, last + 1):
        misses = 0 if hits[place] else misses + 1
        if misses == 4:
            return place - 4, sum(hits[begin : place - 3])
    return last, matched


def _restart(lines: list[str], names: list[str], titled: bool) -> int:
    """Where the first entries stand again at the end of a run of short lines: there the book itself begins.

    A bare number may stand there again in the next part of the same table, so only a first entry or a name can tell.
    """
    known = [heading(line) for line in lines]
    heads = [0] if titled and names else []
    heads += [at for at, found in enumerate(known) if len(names[at]) > 3 and (not found or found.title)][:8]
    heads += [at for at, found in enumerate(known) if found and found.number == 1][:1]
    keys = [_key(line) for line in lines]
    for head in heads:
        named = " " in names[head]
        for place in range(head + 3, len(names)):
            if keys[place] == keys[head] or (named and names[place] == names[head]):
                return place
    return len(names)


def _is_tail(entry: str, line: str, as_text: str) -> bool:
    """Whether a line is the rest of a title too long for one line."""
    name = heading(entry)
    whole = _key(f"{name.title if name and name.title else entry} {line}")
    return len(entry) > 40 and not heading(line) and whole in as_text.replace(" | ", " ")


def _in_order(names: list[str], as_text: str) -> bool:
    """Whether the headings that the entries name follow each other in the book as in the list."""
    places = [as_text.find(name) for name in names if len(name) >= 2]
    rises = sum(later > earlier for earlier, later in pairwise(places))
    return rises >= 0.7 * max(1, len(places) - 1)
