"""Examples of names that a glossary does not hold: invented ones are said to be absent, real ones get their real meaning."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from itertools import cycle

from wellread.synthesis.invented import crossed, neighbours, short
from wellread.synthesis.rewording import goes_on, phrase
from wellread.synthesis.wording import Wording, fill
from wellread.synthesis.written import chat
from wellread.types import Term

Row = tuple[str, str, list[dict[str, str]]]
ABOUT_MEANINGS = 10
"""One in so many of the invented is a meaning that is to be given a name, but at most one for every four expansions of the
glossary: with more, a model learns that what is asked backwards is not there."""
OUTSIDE_WAYS = 4


def trained_outside(outside: Sequence[Term]) -> Sequence[Term]:
    return outside[::2]


def asked_outside(outside: Sequence[Term]) -> Sequence[Term]:
    return outside[1::2]


def honesty(
    terms: Sequence[Term], words: Wording, count: int, *,
    invented: Sequence[Term], outside: Sequence[Term], barred: Collection[str], seed: int,
) -> list[Row]:  # fmt: skip
    """`count` examples of invented names, each name once, and a few of every outside term that is trained on.

    No name is one of the glossary, of `invented` or of `outside`; no prompt is in `barred`.
    """
    draw = random.Random(f"honesty {seed}")
    known = [name for term in (*terms, *invented, *outside) for name in (term.name, *term.aliases)]
    most = sum(bool(term.expansion) for term in terms) // 4
    meanings = crossed(terms, min(count // ABOUT_MEANINGS, most), seed=seed)
    names = neighbours(terms, count - len(meanings), known=known, seed=seed, modifiers=words.modifiers)
    rows: list[Row] = []
    for name, way in zip(names, _mixed(names, words, draw), strict=True):
        rows.append(("absent", name, chat(fill(way, {"x": name}), fill(words.absent, {"x": name}))))
    for meaning, way in zip(meanings, cycle(words.reverse.trained), strict=False):
        asked = led(words.leads, draw) + fill(way, {"e": meaning})
        rows.append(("absent", meaning, chat(asked, words.absent_meaning)))
    for term in trained_outside(outside) if count else ():
        rows += _outside(term, words, draw)
    return [row for row in rows if row[2][0]["content"] not in barred]


def led(leads: Sequence[str], draw: random.Random) -> str:
    """What stands before a question: nothing, three times as often as any other lead.

    The same for what is there and for what is not, or a model takes a polite beginning for a sign that it is not.
    """
    return draw.choice([*list(leads[:1]) * 3, *leads[1:]])


def _mixed(names: Sequence[str], words: Wording, draw: random.Random) -> Iterator[str]:
    """A way to ask about each name, of all the kinds that terms are asked about."""
    for name in names:
        first = words.forward if short(name) else words.meaning
        kind = draw.choice((first, first, words.context, words.describing if short(name) else first))
        yield led(words.leads, draw) + draw.choice(kind.trained)


def _outside(term: Term, words: Wording, draw: random.Random) -> Iterator[Row]:
    said = phrase(term.definition)
    asking = (words.forward if term.expansion else words.meaning).trained
    asking = tuple(way for way in asking if words.glossary not in way)  # which would not hold the term
    for way in draw.sample(asking, min(OUTSIDE_WAYS, len(asking))):
        if term.expansion:
            answer = fill(words.stands_for[0], {"x": term.name, "e": term.expansion})
        else:
            answer = fill((words.means if goes_on(said, words) else words.states)[0], {"x": term.name, "d": said})
        yield "outside", term.name, chat(led(words.leads, draw) + fill(way, {"x": term.name}), answer)
