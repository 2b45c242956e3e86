"""A text with form feeds and the same text cleaned in, where each page begins in the cleaned one out."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict

WORD = re.compile(r"\w+")
RUN = 4
"""Words by which a page's beginning is found again."""
KEPT = 0.7
"""Of a page's words at least so many are left by cleaning, heads, numbers and hyphens aside."""
REACH = 400
"""So many words beyond the least place a page's beginning is looked for, beside the length of the page before, and of those
of which nothing was found."""
GOES_ON = 40
"""So many of a page's next words are looked at,"""
HALF = 0.5
"""and this share of as many runs must follow in the text: the line of a table of contents stands at its chapter again, where
another page begins."""
SEVERAL = 20
"""At most so many places are compared."""


def page_starts(paged: str, cleaned: str) -> tuple[int, ...]:
    """Characters of the cleaned text before each page, in order; empty where the text has one page.

    Cleaning takes out running heads and page numbers, joins broken words and moves nothing: a page begins at its first
    four words that are still there in a row, and after which it goes on. One of which nothing is found begins where the
    next one does.
    """
    pages = paged.split("\f")
    if len(pages) == 1:
        return ()
    found = [(word[0].casefold(), word.start()) for word in WORD.finditer(cleaned)]
    words = [word for word, _ in found]
    runs: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at in range(len(words) - RUN + 1):
        runs[tuple(words[at : at + RUN])].append(at)
    starts: list[int | None] = []
    least = before = 0
    for page in pages:
        own = [word.casefold() for word in WORD.findall(page)]
        first, place = found_again(own, words, runs, (least, least + 2 * before + REACH))
        starts.append(found[place][1] if place is not None else None)
        if place is None:
            before += len(own)  # or one that is lost would take all that follow with it
        else:
            least, before = place + int(KEPT * (len(own) - first)), len(own)
    least, settled = len(cleaned), []
    for start in reversed(starts):
        least = least if start is None else min(start, least)
        settled.append(least)
    return tuple(reversed(settled))


def found_again(
    own: list[str], words: list[str], runs: dict[tuple[str, ...], list[int]], reach: tuple[int, int]
) -> tuple[int, int | None]:
    """The first run of a page's words that stands in the text within `reach`, and goes on there as on the page: its place in
    the page, and there. Of several such places the one where it goes on longest: heads of tables are repeated."""
    least, most = reach
    enough = int(HALF * (min(GOES_ON, len(own)) - RUN + 1))
    for first in range(len(own) - RUN + 1):
        next_words = own[first : first + GOES_ON]
        places = runs.get(tuple(next_words[:RUN]), [])
        several = places[bisect_left(places, least) : bisect_right(places, most)][:SEVERAL]
        place = max(several, key=lambda each: same(next_words, words[each : each + GOES_ON]), default=None)
        if place is not None and following(next_words, runs, place) >= enough:
            return first, place
    return 0, None


def same(some: list[str], others: list[str]) -> int:
    """With how many same words two lists begin."""
    pairs = zip(some, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(some), len(others)))


def following(own: list[str], runs: dict[tuple[str, ...], list[int]], place: int) -> int:
    """How many runs of these words stand in the text after a place, within a little more than their length."""
    several = [tuple(own[at : at + RUN]) for at in range(len(own) - RUN + 1)]
    end = place + len(own) + RUN

    def follows(run: tuple[str, ...]) -> bool:
        places = runs.get(run, [])
        at = bisect_left(places, place)
        return at < len(places) and places[at] < end

    return sum(map(follows, several))
