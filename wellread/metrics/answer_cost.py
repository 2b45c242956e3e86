"""What an answer takes: seconds on this machine, and tokens read and written."""

from __future__ import annotations

from wellread.metrics.replies import mean_of, replies_row
from wellread.types import Evidence, Measurement, Reply

UNCOUNTED = "its tokens were not counted"


def seconds_per_answer(evidence: Evidence) -> list[Measurement]:
    """Mean seconds of all replies, retrieval included; questions asked together share their time evenly."""
    return [
        replies_row(evidence, "seconds_per_answer", evidence.replies, mean_of(_seconds), unit="seconds", better="lower")
    ]


def tokens_per_answer(evidence: Evidence) -> list[Measurement]:
    """Mean tokens of prompt and answer together; the note tells how many of these are the answer's."""
    replies = list(evidence.replies)
    if replies and not any(each.read or each.written for each in replies):
        return [
            Measurement(
                "tokens_per_answer", None, "tokens", evidence.subject, "held_out", better="lower", note=UNCOUNTED
            )
        ]
    written = sum(each.written for each in replies) / max(1, len(replies))
    note = f"{written:.1f} of them written" if replies else ""
    return [
        replies_row(evidence, "tokens_per_answer", replies, mean_of(_tokens), unit="tokens", better="lower", note=note)
    ]


def _seconds(reply: Reply) -> float:
    return reply.seconds


def _tokens(reply: Reply) -> float:
    return float(reply.read + reply.written)
