"""Kept scores and the book in, what every model knows of each chapter out: its numbers, and its text ready to be shaded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wellread.errors import StorageError
from wellread.reports import surprise
from wellread.reports.passages import chapter_names
from wellread.reports.reading import Chapter
from wellread.scorefile import BookScores, Tokens


@dataclass(frozen=True, slots=True)
class Subject:
    """One model of the path: how the page calls it, and its scores."""

    title: str
    """Before, After, After STAGE, The model."""
    scores: BookScores


@dataclass(frozen=True, slots=True)
class Figures:
    """What one model knows of some text: counts, so that chapters add up."""

    bits: float = 0.0
    scored_bytes: int = 0
    spans: int = 0
    recited: int = 0
    """Spans that greedy decoding writes."""
    sure: int = 0
    """Spans with a chance of at least 1/2."""

    @property
    def bits_per_byte(self) -> float | None:
        return self.bits / self.scored_bytes if self.scored_bytes else None

    @property
    def recited_share(self) -> float | None:
        return self.recited / self.spans if self.spans else None

    @property
    def sure_share(self) -> float | None:
        return self.sure / self.spans if self.spans else None

    def __add__(self, other: Figures) -> Figures:
        return Figures(self.bits + other.bits, self.scored_bytes + other.scored_bytes, self.spans + other.spans,
                       self.recited + other.recited, self.sure + other.sure)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """One chapter as the models know it."""

    number: int
    name: str
    part: str
    """train, validation or held_out; empty where no split was recorded."""
    characters: int
    words: int
    scored_words: int
    """From its beginning on, by whichever model scored most."""
    figures: tuple[Figures, ...]
    """In the order of the subjects."""
    otherwise: bool
    """Whether some model scored it with more or fewer words before each than the rest of the book."""


@dataclass(frozen=True, slots=True)
class Shaded:
    """A chapter's text with its shades."""

    text: str
    digits: tuple[str, ...]
    """For each subject, a digit of `surprise.DIGITS` for each word that it scored."""
    marks: tuple[tuple[int, ...], ...]
    """For each subject, the recited words, as `surprise.marks` gives them."""


def in_long_windows(subjects: Sequence[Subject]) -> bool:
    """Whether the whole window's scores are there for all that the first and the last model scored at all.

    Quick measuring scores the training part for recitation only, with few words before each. Chapters compare only when
    they are scored alike, so the page then takes the scores with few words wherever it can.
    """
    ends = (subjects[0].scores, subjects[-1].scores)
    return all(set(scores.short) <= set(scores.long) for scores in ends)


def know(
    rows: Iterable[Mapping[str, Any]], chapters: Sequence[Chapter], subjects: Sequence[Subject]
) -> Iterator[tuple[Known, Shaded]]:
    """Every chapter in the order of the book; `rows` are those of documents.jsonl, as `chapters` were made of."""
    names = chapter_names(chapters)
    long = in_long_windows(subjects)
    for number, (row, chapter) in enumerate(zip(rows, chapters, strict=True), 1):
        text: str = row["text"]
        ends = surprise.unit_ends(text)
        found = [_subject(text, ends, chapter.id, subject.scores, long) for subject in subjects]
        known = Known(
            number, names[chapter.id], chapter.part, chapter.characters, len(ends),
            max(len(digits) for digits, _, _, _ in found), tuple(figures for _, _, figures, _ in found),
            any(otherwise for _, _, _, otherwise in found),
        )  # fmt: skip
        yield known, Shaded(text, tuple(each[0] for each in found), tuple(tuple(each[1]) for each in found))


def _subject(
    text: str, ends: surprise.Bytes, document: str, scores: BookScores, long: bool
) -> tuple[str, list[int], Figures, bool]:
    """Digits, marks and figures of one model, and whether it scored the chapter otherwise than wanted.

    Raises StorageError for scores that go beyond the text.
    """
    wanted, other = (scores.long, scores.short) if long else (scores.short, scores.long)
    tokens = wanted.get(document) or other.get(document)
    if tokens is None or not len(tokens.ends):
        return "", [], Figures(), False
    if int(tokens.ends[-1]) > len(text.encode()):
        raise StorageError(f"the scores kept of {document} are of another text: delete scores.npz in the run's stages, and "
                           "`wellread report --reading` makes them anew.")  # fmt: skip
    spans = scores.spans.get(document)
    counted = Figures() if spans is None else Figures(
        spans=len(spans.begins), recited=int(spans.greedy.sum()), sure=int((spans.logprobs >= math.log(surprise.SURE)).sum())
    )  # fmt: skip
    digits = surprise.digits(surprise.surprise(text, ends, tokens))
    marked = [] if spans is None else surprise.marks(ends, spans)
    return digits, marked, counted + _cost(tokens), document not in wanted


def _cost(tokens: Tokens) -> Figures:
    return Figures(bits=float(tokens.logprobs.sum(dtype=float)) / -math.log(2), scored_bytes=int(tokens.ends[-1]))
