"""Replies to gold questions scored one by one in, Measurements out: one tally a question, so that subjects pair by question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wellread.metrics.intervals import with_interval
from wellread.metrics.tallies import ratio
from wellread.types import Better, Evidence, Measurement, Reply, Tally

QUESTIONS = "questions"
SPLIT = "held_out"
UNASKED = "no gold questions were asked: `wellread compare --questions`, or a recipe with `fight`, asks them"

Scored = Callable[[Reply], tuple[float, float]]
"""Numerator and denominator of one reply."""


def answerable(evidence: Evidence) -> list[Reply]:
    """The replies to questions that the documents answer."""
    return [each for each in evidence.replies if each.question.answers]


def unanswerable(evidence: Evidence) -> list[Reply]:
    return [each for each in evidence.replies if not each.question.answered]


def replies_row(
    evidence: Evidence, name: str, replies: Sequence[Reply], score: Scored, *, unit: str = "share",
    better: Better = "higher", note: str = "",
) -> Measurement:  # fmt: skip
    """The ratio of what `score` gives of all replies; n counts the questions."""
    tallies = tuple(Tally(each.question.id, *score(each)) for each in replies)
    if not replies:
        why = "there was no such question" if evidence.replies else UNASKED
        return Measurement(name, None, unit, evidence.subject, SPLIT, better=better, note=why)
    if not any(each.denominator for each in tallies):
        why = note or "there was nothing to count"
        return Measurement(name, None, unit, evidence.subject, SPLIT, len(replies), better=better, note=why)
    return with_interval(
        Measurement(name, ratio(tallies), unit, evidence.subject, SPLIT, len(replies), better=better, note=note,
                    interval_over=QUESTIONS, tallies=tallies),
        seed=evidence.seed, trials=(len(replies), QUESTIONS),
    )  # fmt: skip


def mean_of(value: Callable[[Reply], float]) -> Scored:
    """Every reply counts alike."""
    return lambda reply: (value(reply), 1.0)
