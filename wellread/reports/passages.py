"""Samples in, pieces of text out: what was copied from the book is underlined and leads to its place there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from wellread.matching import words
from wellread.reports.reading import Chapter, Milestone, Spoken, file_name
from wellread.reports.verdict import UNDERLINED_WORDS
from wellread.reports.wording import count
from wellread.types import Match

CONTEXT = 220
"""Characters of the book shown before and after a copied run."""
Key: TypeAlias = tuple[str, int, int]
"""Document, offset and words of a copied run."""
LONGEST_LETTERS = 60
"""Characters of the book that one word and what follows it may take, at most, when the end of a run is sought."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sample of one kind: of the prompt or of the model's own words."""

    text: str
    prompt: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pieces that are copied from one place, or from none."""

    pieces: tuple[Piece, ...]
    place: Place | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the book a copied run stands, with what stands around it."""

    anchor: str
    words: int
    chapter: str
    """The heading as the reader knows it."""
    document: str
    offset: int
    """Characters from the beginning of the chapter."""
    spot: str
    """The same place in the reading view: what follows the `#`."""
    before: str
    copied: str
    after: str

    @property
    def depth(self) -> int:
        """1 to 3: how deep a colour the run deserves, a step for each doubling of its words."""
        return sum(self.words >= UNDERLINED_WORDS * times for times in (1, 2, 4))

    @property
    def told(self) -> str:
        return f"{self.words} words in a row from {self.chapter}, character {self.offset:,}"


@dataclass(frozen=True, slots=True)
class Passage:
    """One sample, ready to print."""

    stretches: tuple[Stretch, ...]
    finish: str
    places: tuple[Place, ...]
    longest: str
    """Of one that copied nothing worth underlining, the words of its longest shared run; empty where unknown."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """What one subject made of an opening line; None where it was not sampled."""

    title: str
    """Before, After; After and the stage's name where there are several."""
    passage: Passage | None


@dataclass(frozen=True, slots=True)
class Chorus:
    """The same prompt and seed, continued by every subject in the order of the path."""

    prompt: str
    seed: int
    settings: str
    spoke: tuple[Spoke, ...]

    @property
    def ends(self) -> tuple[Spoke, ...]:
        """The first and the last subject: before and after."""
        return (self.spoke[0], self.spoke[-1]) if len(self.spoke) > 1 else self.spoke

    @property
    def between(self) -> tuple[Spoke, ...]:
        return self.spoke[1:-1]


def find_places(spoken: Sequence[Spoken], chapters: Sequence[Chapter], texts: Mapping[str, str]) -> dict[Key, Place]:
    """Every place that samples copied from: the same run has the same place, whoever copied it.

    `texts` holds the text of each document that a match names; without it a place shows no context.
    """
    names = chapter_names(chapters)
    numbers = {chapter.id: number for number, chapter in enumerate(chapters, 1)}
    found: dict[Key, Place] = {}
    for each in spoken:
        for match in copied(each):
            if key(match) not in found:
                chapter = names.get(match.document) or match.section or match.document
                around = _around(match, each.text[match.start : match.end], texts.get(match.document))
                spot = f"chapter-{numbers[match.document]}-at-{match.offset}" if match.document in numbers else ""
                found[key(match)] = Place(
                    f"place-{len(found) + 1}", match.words, chapter, match.document, match.offset, spot, *around
                )
    return found


def key(match: Match) -> Key:
    return match.document, match.offset, match.words


def copied(spoken: Spoken) -> list[Match]:
    """The matches worth underlining: long enough, and not the prompt's alone."""
    border = len(spoken.sample.prompt)
    return [match for match in spoken.matches if match.words >= UNDERLINED_WORDS and match.end > border]


def _around(match: Match, run: str, text: str | None) -> tuple[str, str, str]:
    """What stands in the book before a run, the run as the book spells it, and what stands after it."""
    if text is None:
        return "", run, ""
    length = len(words(run))
    there = words(text[match.offset : match.offset + length * LONGEST_LETTERS])[:length]
    end = match.offset + (there[-1][2] if there else len(run))
    return _tail(text[: match.offset]), text[match.offset : end], _head(text[end:])


def by_chapter(places: Mapping[Key, Place], chapters: Sequence[Chapter]) -> list[tuple[str, list[Place]]]:
    """Chapters in the order of the book, each with its places, the longest run first."""
    order = {chapter.id: number for number, chapter in enumerate(chapters)}
    seen = sorted({place.document for place in places.values()}, key=lambda id: (order.get(id, len(order)), id))
    grouped = [[place for place in places.values() if place.document == id] for id in seen]
    return [(group[0].chapter, sorted(group, key=lambda place: -place.words)) for group in grouped]


def chapter_names(chapters: Sequence[Chapter]) -> dict[str, str]:
    """Document id to a name a reader knows: its heading, else its number; with its file where there are several."""
    several = len({chapter.source for chapter in chapters}) > 1
    names = {}
    for number, chapter in enumerate(chapters, 1):
        name = chapter.section or f"part {number}"
        names[chapter.id] = f"{name} ({file_name(chapter.source)})" if several else name
    return names


def choruses(milestones: Sequence[Milestone], places: Mapping[Key, Place]) -> list[Chorus]:
    """Samples of every subject side by side, in the order of the prompts and seeds."""
    titles = [title_of(one, len(milestones)) for one in milestones]
    said = [{(each.sample.prompt, each.sample.seed): each for each in one.spoken} for one in milestones]
    found = []
    for prompt, seed in dict.fromkeys(key for each in said for key in each):
        voices = [each.get((prompt, seed)) for each in said]
        settings = next(_settings(spoken) for spoken in voices if spoken is not None)
        passages = [None if spoken is None else passage(spoken, places) for spoken in voices]
        spoke = tuple(map(Spoke, titles, passages))
        found.append(Chorus(prompt, seed, settings, spoke))
    return found


def title_of(one: Milestone, of: int) -> str:
    """A subject's place on the path of so many."""
    if one.stage is None:
        return "Before"
    return "The model" if of == 1 else "After" if of == 2 else f"After {one.stage.name}"


def _settings(spoken: Spoken) -> str:
    settings = spoken.sample.settings
    told = [f"temperature {settings.temperature:g}" if settings.temperature else "greedy", f"top-p {settings.top_p:g}"]
    told += [f"top-k {settings.top_k}"] if settings.top_k else []
    told += [f"min-p {settings.min_p:g}"] if settings.min_p else []
    told += [f"repetition penalty {settings.repetition_penalty:g}"] if settings.repetition_penalty != 1 else []
    return ", ".join([*told, f"at most {settings.max_tokens} tokens"])


def passage(spoken: Spoken, places: Mapping[Key, Place]) -> Passage:
    """A sample cut where copying begins and ends, and where the prompt does."""
    text, border = spoken.text, len(spoken.sample.prompt)
    stretches = []
    for start, end, match in _spans(len(text), copied(spoken)):
        place = None if match is None else places[key(match)]
        cuts = [start, border, end] if start < border < end else [start, end]
        pieces = tuple(Piece(text[a:b], b <= border) for a, b in pairwise(cuts))
        stretches.append(Stretch(pieces, place))
    found = dict.fromkeys(stretch.place for stretch in stretches if stretch.place is not None)
    longest = "" if found or spoken.longest is None else count(spoken.longest.words, "word")
    return Passage(tuple(stretches), spoken.sample.finish, tuple(found), longest)


def _spans(length: int, matches: Sequence[Match]) -> Iterator[tuple[int, int, Match | None]]:
    """Cover 0..length without overlap; where two matches overlap, the one of more words has the characters."""
    bounds = sorted({0, length, *(place for match in matches for place in (match.start, match.end) if place <= length)})
    last: tuple[int, int, Match | None] | None = None
    for start, end in pairwise(bounds):
        over = [match for match in matches if match.start <= start and end <= match.end]
        best = max(over, key=lambda match: match.words, default=None)
        if last is not None and last[2] == best:
            last = (last[0], end, best)
            continue
        if last is not None:
            yield last
        last = (start, end, best)
    if last is not None:
        yield last


def _tail(text: str) -> str:
    """The last characters before a run, from a word's beginning where words are parted by spaces."""
    if len(text) <= CONTEXT:
        return text
    cut = text[-CONTEXT:]
    return "… " + (cut.partition(" ")[2] or cut)


def _head(text: str) -> str:
    """The first characters after a run, to a word's end."""
    if len(text) <= CONTEXT:
        return text
    cut = text[:CONTEXT]
    return (cut.rpartition(" ")[0] or cut) + " …"
