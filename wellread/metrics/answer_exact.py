"""Whether answers to gold questions are exactly right, or hold the right words."""

from __future__ import annotations

from wellread.metrics.answer_match import contains, exact
from wellread.metrics.replies import answerable, mean_of, replies_row
from wellread.types import Evidence, Measurement, Reply


def answer_exact(evidence: Evidence) -> list[Measurement]:
    """Share of answerable questions whose answer is one of the right ones, word for word after normalising.

    Beside it `answer_exact_within`: the share in whose answer the words of a right one stand, whatever is said around
    them. A refusal is wrong.
    """
    replies = answerable(evidence)
    return [
        replies_row(evidence, "answer_exact", replies, mean_of(_exact)),
        replies_row(evidence, "answer_exact_within", replies, mean_of(_within)),
    ]


def _exact(reply: Reply) -> float:
    return 0.0 if reply.refused else exact(reply.text, reply.question.answers, reply.question.language)


def _within(reply: Reply) -> float:
    return 0.0 if reply.refused else contains(reply.text, reply.question.answers, reply.question.language)
