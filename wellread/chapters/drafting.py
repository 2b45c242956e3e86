"""A model at its desk in, the chapters it writes out: passage by passage, each after all that the window holds of what came before."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wellread.chapters.choosing import Yardstick, distinct, loop_start, spoken
from wellread.chapters.manner import SHOWN, Manner, letters, title_in
from wellread.matching import Index, words
from wellread.types import LanguageModel, Sample, Sampling

CHARACTERS_A_TOKEN = 8
"""More than any tokenizer has on average: so much of what came before is handed over, and the model takes what it can see."""
WINDOW = 8192
"""Tokens, of a model that does not say how many it sees."""
TOKENS_A_WORD = 2
MENDS = 4
"""How often a chapter that goes in circles is taken back to where they began."""
FIRMER = 0.1
"""Added to the repetition penalty for each time."""
LEAST_JUDGED = 60
"""Words before which nothing is called a circle."""
MOST_STOPS = 8
"""How often a model may stop, or say nothing, before its chapter is taken as finished."""
TITLE_TOKENS = 24
TITLE_TRIES = 4
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a writer has before it."""

    model: LanguageModel
    sampling: Sampling
    """`max_tokens` is the length of a passage."""
    manner: Manner
    measure: Yardstick
    index: Index
    best_of: int
    words: int
    """Of a chapter."""
    before: str
    """The last pages."""


@dataclass(frozen=True, slots=True)
class Chapter:
    label: str
    """Its heading in one line."""
    head: str
    """Its heading as the book would have it."""
    text: str
    distinct: float
    """Share of distinct 4-grams."""
    own_distinct: float
    """The same of as many words of the held-out chapters."""
    mended: int = 0
    """How often it was taken back to where it began to go in circles."""
    note: str = ""
    """What could not be mended."""


@dataclass(slots=True)
class Draft:
    """What is written so far: all that a resumed writer needs, and nothing else."""

    chapters: list[Chapter] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    """Of all headings so far, by their letters."""
    label: str = ""
    head: str = ""
    text: str = ""
    """Of the chapter that is open."""
    drawn: int = 0
    """Samples so far: the next seed is the first seed plus this."""
    mended: int = 0
    stops: int = 0

    @property
    def open_words(self) -> int:
        return len(self.text.split())

    @property
    def done(self) -> int:
        return self.open_words + sum(len(chapter.text.split()) for chapter in self.chapters)


def restored(kept: Mapping[str, Any]) -> Draft:
    """The draft that `asdict` made `kept` of. Raises TypeError, KeyError or AttributeError where it was none."""
    draft = Draft(**{**kept, "chapters": [Chapter(**each) for each in kept["chapters"]], "titles": [*kept["titles"]]})
    counts = (draft.done, draft.drawn, draft.mended, draft.stops)
    if any(type(each) is not int for each in counts) or not isinstance(draft.head, str):
        raise TypeError
    return draft


def draft_chapters(
    desk: Desk,
    draft: Draft,
    wanted: int,
    *,
    keep: Callable[[Draft], None] = lambda draft: None,
    told: Callable[[int, int], None] = lambda done, coming: None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Chapter]:
    """Go on with `draft` until it has `wanted` chapters; `keep` is given it after every passage."""
    begun = draft.done
    while len(draft.chapters) < wanted:
        if not draft.head:
            _open(desk, draft)
        while not _ended(desk, draft):
            told(draft.done - begun, min(desk.words - draft.open_words, desk.sampling.max_tokens // TOKENS_A_WORD))
            _passage(desk, draft)
            keep(draft)
        _close(desk, draft)
        keep(draft)
        last = draft.chapters[-1]
        say(f"{last.label}: {len(last.text.split()):,} words; distinct 4-grams {last.distinct:.3f}, the book's own "
            f"{last.own_distinct:.3f}{'; ' + last.note if last.note else ''}")  # fmt: skip
    return draft.chapters[:wanted]


def _open(desk: Desk, draft: Draft) -> None:
    """Head the next chapter: the number counted, the title, where the book gives one, asked of the model; the number alone where
    no title of several is in the book's manner."""
    step, manner = len(draft.chapters) + 1, desk.manner
    title = ""
    if manner.titled:
        # headings are alike: a penalty on what was said before would drive the model out of their manner
        settings = replace(desk.sampling, max_tokens=TITLE_TOKENS, n=1, repetition_penalty=1.0)
        before = [*manner.shown, *(chapter.head for chapter in draft.chapters)][-SHOWN:]
        shown = "\n\n".join([*before, manner.beginning(step)])
        taken = {*manner.titles, *draft.titles}
        for _ in range(TITLE_TRIES):
            [sample] = desk.model.generate([shown], replace(settings, seed=desk.sampling.seed + draft.drawn))
            draft.drawn += 1
            title = title_in(sample.completion, manner.longest)
            if title and manner.takes(title) and known(title, desk.index) and letters(title) not in taken:
                draft.titles.append(letters(title))
                break
            title = ""
    head = manner.head(step, title)
    draft.head, draft.label, draft.text, draft.mended, draft.stops = head.text, head.label, "", 0, 0


def known(title: str, index: Index) -> bool:
    """Whether every word of a title stands in what was read, with or without an `s` at its end: a small model makes up words, and
    a heading has nothing beside it that would say what they mean."""
    return all(any(map(index.knows, (word, word.removesuffix("s"), f"{word}s"))) for word in spoken(title))


def _context(desk: Desk, draft: Draft) -> str:
    """What came before, as long as the window could be."""
    written = [f"{chapter.head}\n\n{chapter.text}" for chapter in draft.chapters]
    whole = "\n\n".join([desk.before, *written, draft.head, draft.text])
    window = getattr(desk.model, "window", None)
    return whole[-CHARACTERS_A_TOKEN * (window if isinstance(window, int) else WINDOW) :]


def _passage(desk: Desk, draft: Draft) -> None:
    """Add the best of the candidates to the chapter, or take it back to where it began to go in circles."""
    asked = desk.sampling
    if asked.no_recite:
        draft.text = joinable(draft.text, desk.index, asked.no_recite)  # one taken back may end in the book's words
    before = len(spoken(draft.text))
    left = max(desk.words - draft.open_words, 1)
    settings = replace(
        asked, n=desk.best_of, seed=asked.seed + draft.drawn,
        max_tokens=min(asked.max_tokens, TOKENS_A_WORD * left + 16),
        repetition_penalty=asked.repetition_penalty + FIRMER * draft.mended,
        no_recite=still_allowed(draft.text, desk.index, asked.no_recite),
    )  # fmt: skip
    samples = desk.model.generate([_context(desk, draft)], settings)
    draft.drawn += desk.best_of
    candidates = [_tidied(sample, desk.manner) for sample in samples]
    said = spoken(draft.text)
    text, ended = candidates[desk.measure.choose(said, [spoken(each) for each, _ in candidates])]
    if draft.text[-1:].isalnum() and text[:1].isalnum():
        text = " " + text  # passages end with whole words, and so the guard has counted this one
    draft.text = draft.text + text if draft.text else text.lstrip()
    if asked.no_recite:
        draft.text = joinable(draft.text, desk.index, asked.no_recite)
    if _circles(desk, draft):
        return
    if ended or len(spoken(draft.text)) <= before:
        draft.stops += 1
        if draft.text and not draft.text.endswith("\n\n"):
            draft.text = draft.text.rstrip() + "\n\n"


def _tidied(sample: Sample, manner: Manner) -> tuple[str, bool]:
    """Whole words, up to where the model would begin another chapter; and whether it meant to end there."""
    text, place = sample.completion, 0
    for line in text.split("\n")[:-1] if sample.finish == "length" else text.split("\n"):
        if manner.heads(line.strip()):
            return text[:place].rstrip(), True
        place += len(line) + 1
    if sample.finish == "stop":
        return text.rstrip(), True
    whole = re.match(r".*\S(?=\s)", text, re.DOTALL)
    return (whole[0], False) if whole else (text + " ", False)


def _circles(desk: Desk, draft: Draft) -> bool:
    """Whether the chapter went in circles and was taken back."""
    found = words(draft.text)
    said = [word for word, _, _ in found]
    if len(said) < LEAST_JUDGED or draft.mended >= MENDS or distinct(said) >= desk.measure.least_distinct(len(said)):
        return False
    place = loop_start(said)
    if place >= len(found):
        return False
    draft.text = draft.text[: found[place][1]].rstrip()
    draft.mended += 1
    return True


def _ended(desk: Desk, draft: Draft) -> bool:
    """Long enough; or the model ended it where at least half is there; or it has nothing more to say."""
    if draft.open_words >= desk.words or draft.stops >= MOST_STOPS:
        return True
    return bool(draft.stops) and 2 * draft.open_words >= desk.words


def _close(desk: Desk, draft: Draft) -> None:
    """End the chapter with a sentence, and say how it came out."""
    text = closed(_to_a_sentence(draft.text.strip(), desk.words))
    said = spoken(text)
    share, own = distinct(said), desk.measure.own_distinct(len(said))
    notes = []
    if share < desk.measure.least_distinct(len(said)):
        notes.append(f"it goes in circles: distinct 4-grams {share:.3f}, at least "
                     f"{desk.measure.least_distinct(len(said)):.3f} wanted, after {draft.mended} tries to mend it")  # fmt: skip
    if len(text.split()) < desk.words // 2:
        notes.append(f"the model ended it after {len(text.split()):,} of {desk.words:,} words")
    draft.chapters.append(Chapter(draft.label, draft.head, text, share, own, draft.mended, "; ".join(notes)))
    draft.label = draft.head = draft.text = ""


def _to_a_sentence(text: str, wanted: int) -> str:
    """The text up to the end of the sentence that ends nearest to `wanted` words, if one does from half of them on."""
    ends = [(abs(len(text[: end.end()].split()) - wanted), end.end()) for end in _SENTENCE_END.finditer(text)]
    near = [(off, end) for off, end in ends if 2 * off <= wanted]
    return text[: min(near)[1]] if near else text


def closed(text: str) -> str:
    """The text with the mark that ends a speech, where its last paragraph leaves one open."""
    last = text.rpartition("\n")[2]
    for opens, closes in (("“", "”"), ("«", "\N{NO-BREAK SPACE}»")):
        if last.rfind(opens) > last.rfind(closes[-1]):
            return text + closes
    place = last.rfind('"')
    before, after = last[place - 1 : place] if place > 0 else " ", last[place + 1 : place + 2]
    return text + '"' if place >= 0 and before in " (—–-" and after.strip() else text


def trailing_run(text: str, index: Index, most: int) -> int:
    """How many of a text's last words, `most` at the most, stand in the book one after another."""
    last = spoken(text[-40 * most :])[-most:]
    for length in range(len(last), 0, -1):
        if index.holds(last[-length:]):
            return length
    return 0


def still_allowed(text: str, index: Index, most: int) -> int:
    """How many words of the book a passage after `text` may begin with; 0 only where there is no guard (`most` is 0).

    Raises ValueError for a text that leaves none, which the guard would take for no guard at all: see `joinable`.
    """
    left = most - trailing_run(text, index, most) if most else 0
    if most and left < 1:
        raise ValueError(f"the text ends in {most} words of the book, and no more may follow; make it joinable first")
    return left


def joinable(text: str, index: Index, most: int) -> str:
    """The text without its last words, where these stand in the book for more than half of `most` in a row.

    So the next passage may begin with the rest of `most`, and no run across the seam is longer.
    """
    while text and trailing_run(text, index, most) > most // 2:
        text = text.rstrip()
        cut = max(text.rfind(" "), text.rfind("\n"))
        text = text[:cut].rstrip() if cut > 0 else ""
    return text
