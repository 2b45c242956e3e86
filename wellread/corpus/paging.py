"""A text with form feeds and the same text cleaned in, where each page begins in the cleaned one out."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict

WORD = re.compile(r"\w+")
RUN = 4
"""Words by which a page's beginning is found again."""
KEPT = 0.7
"""Of a page's words at least so many are left by cleaning, heads, numbers and hyphens aside."""
REACH = 400
"""So many words beyond the least place a page's beginning is looked for, beside the length of the page before."""
GOES_ON = 40
"""So many of a page's next words are looked at, and half of their runs must follow in the text: the line of a table of
contents stands at its chapter again, where another page begins."""


def page_starts(paged: str, cleaned: str) -> tuple[int, ...]:
    """Characters of the cleaned text before each page, in order; empty where the text has one page.

    Cleaning takes out running heads and page numbers, joins broken words and moves nothing: a page begins at its first
    four words that are still there in a row, and after which it goes on. One of which nothing is found begins where the
    next one does.
    """
    pages = paged.split("\f")
    if len(pages) == 1:
        return ()
    words = [(found[0].casefold(), found.start()) for found in WORD.finditer(cleaned)]
    runs: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at in range(len(words) - RUN + 1):
        runs[tuple(word for word, _ in words[at : at + RUN])].append(at)
    starts: list[int | None] = []
    least = before = 0
    for page in pages:
        own = [found.casefold() for found in WORD.findall(page)]
        first, place = found_again(own, runs, least, least + 2 * before + REACH)
        starts.append(words[place][1] if place is not None else None)
        if place is not None:
            least = place + int(KEPT * (len(own) - first))
            before = len(own)
    following, settled = len(cleaned), []
    for start in reversed(starts):
        following = following if start is None else min(start, following)
        settled.append(following)
    return tuple(reversed(settled))


def found_again(
    own: list[str], runs: dict[tuple[str, ...], list[int]], least: int, most: int
) -> tuple[int, int | None]:
    """The first run of a page's words that stands in the text from `least` to `most`: its place in the page, and there."""
    for first in range(len(own) - RUN + 1):
        places = runs.get(tuple(own[first : first + RUN]), [])
        at = bisect_left(places, least)
        if at < len(places) and places[at] <= most and goes_on(own[first : first + GOES_ON], runs, places[at]):
            return first, places[at]
    return 0, None


def goes_on(own: list[str], runs: dict[tuple[str, ...], list[int]], place: int) -> bool:
    """Whether half of the runs of these words stand in the text within the same length after a place, and half again."""
    several = [tuple(own[at : at + RUN]) for at in range(len(own) - RUN + 1)]
    end = place + len(own) * 3 // 2

    def follows(run: tuple[str, ...]) -> bool:
        places = runs.get(run, [])
        at = bisect_left(places, place)
        return at < len(places) and places[at] < end

    return 2 * sum(map(follows, several)) >= len(several)
