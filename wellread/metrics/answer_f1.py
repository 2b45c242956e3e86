"""How many words answers to gold questions share with the right ones."""

from __future__ import annotations

from wellread.metrics.answer_match import f1
from wellread.metrics.replies import answerable, mean_of, replies_row
from wellread.types import Evidence, Measurement, Reply


def answer_f1(evidence: Evidence) -> list[Measurement]:
    """Mean over answerable questions of the F1 of words, each with the right answer that it comes nearest to; a refusal
    counts 0."""
    replies = answerable(evidence)
    cut = sum(each.cut for each in replies)
    note = f"{cut} answers were cut at the longest length" if cut else ""
    return [replies_row(evidence, "answer_f1", replies, mean_of(_f1), unit="F1", note=note)]


def _f1(reply: Reply) -> float:
    return 0.0 if reply.refused else f1(reply.text, reply.question.answers, reply.question.language)
