"""Whether a subject declines what the documents do not answer, and only that."""

from __future__ import annotations

from wellread.metrics.replies import answerable, mean_of, replies_row, unanswerable
from wellread.types import Evidence, Measurement, Reply


def refusal_rate(evidence: Evidence) -> list[Measurement]:
    """Share of the unanswerable questions that are refused; `refusal_rate_near_miss`: of those in the documents' own words."""
    replies = unanswerable(evidence)
    near = [each for each in replies if each.question.near_miss]
    rows = [replies_row(evidence, "refusal_rate", replies, mean_of(refused))]
    return [*rows, replies_row(evidence, "refusal_rate_near_miss", near, mean_of(refused))] if near else rows


def wrong_refusal_rate(evidence: Evidence) -> list[Measurement]:
    """Share of the answerable questions that are refused."""
    return [replies_row(evidence, "wrong_refusal_rate", answerable(evidence), mean_of(refused), better="lower")]


def refused(reply: Reply) -> float:
    return float(reply.refused)
