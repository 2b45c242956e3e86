"""Answers in, the tables of terms out: what is known of each, worst first, what was invented or refused, and recall along training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wellread.reports.reading import Milestone
from wellread.reports.wording import percent

SHOWN = 12
"""Terms that stand open; the others are folded away."""
MOST = 400
"""Terms in the page at most; the whole is in answers.csv."""
EXCERPT = 200
"""Characters of an answer that are shown."""


@dataclass(frozen=True, slots=True)
class TermLine:
    """What is known of one term after training, beside before."""

    term: str
    right: str
    """`2 of 3`, or with key facts `1.5 of 3`."""
    before: str
    """Likewise; empty without a base."""
    question: str
    """The worst answered question, with what was expected and what was said; empty where all are right."""
    expected: str
    answer: str


@dataclass(frozen=True, slots=True)
class Slip:
    """A term that does not exist and was defined, or a real one that was refused."""

    term: str
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class HotTest:
    """Recall on a few validation questions, along the training of a stage."""

    stage: str
    points: tuple[tuple[str, str], ...]
    """Steps taken, and the share that was right."""


@dataclass(frozen=True, slots=True)
class Answered:
    terms: tuple[TermLine, ...]
    left_out: int
    invented: tuple[Slip, ...]
    refused: tuple[Slip, ...]
    hot: tuple[HotTest, ...]
    judge: str
    """How many answers a judge found wrong that hold what was expected, and the other way; empty without a judge."""


def answered(milestones: Sequence[Milestone]) -> Answered | None:
    """The tables of the last stage's answers to held-out questions; None where nothing was asked."""
    if not milestones:
        return None
    base = milestones[0] if milestones[0].stage is None else None
    rows = [row for row in milestones[-1].answers if row["part"] == "held_out"]
    earlier = {row["id"]: row for row in base.answers} if base else {}
    if not rows:
        return None
    lines = _terms([row for row in rows if row["exact"] is not None and row["taught"]], earlier)
    return Answered(
        tuple(lines[:MOST]), max(0, len(lines) - MOST), _slips(row for row in rows if row["defined"]),
        _slips(row for row in rows if row["refused"] and row["kind"] != "invented" and (row["taught"] or row["kind"] == "outside")),
        tuple(_hot(milestones)), _judged(rows),
    )  # fmt: skip


def _terms(rows: Iterable[Mapping[str, Any]], earlier: Mapping[str, Mapping[str, Any]]) -> list[TermLine]:
    """A line for every term, the one of which least is known first; of equals, in the order of the questions."""
    grouped: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["term"] or row["id"]].append(row)
    order = sorted(grouped, key=lambda term: sum(row["exact"] for row in grouped[term]) / len(grouped[term]))
    found = []
    for term in order:
        several = grouped[term]
        worst = min(several, key=lambda row: row["exact"])
        told = worst["exact"] < 1
        before = [earlier[row["id"]]["exact"] for row in several if row["id"] in earlier]
        found.append(TermLine(
            term, _of([row["exact"] for row in several]), _of(before) if before else "", worst["prompt"] if told else "",
            (" / ".join(worst["expected"]) or "; ".join(worst["facts"])) if told else "", _excerpt(worst["answer"]) if told else "",
        ))  # fmt: skip
    return found


def _of(scores: Sequence[float | None]) -> str:
    """`2 of 3`."""
    right = sum(score or 0.0 for score in scores)
    return f"{right:.0f} of {len(scores)}" if right == int(right) else f"{right:.1f} of {len(scores)}"


def _slips(rows: Iterable[Mapping[str, Any]]) -> tuple[Slip, ...]:
    return tuple(Slip(row["term"], row["prompt"], _excerpt(row["answer"])) for row in rows)


def _hot(milestones: Sequence[Milestone]) -> Iterable[HotTest]:
    for each in milestones:
        points = [
            (f"{row.step:,}", percent(row.recall)) for row in each.log if row.recall is not None and not row.average
        ]
        if points:
            yield HotTest(each.subject, tuple(points))


def _judged(rows: Sequence[Mapping[str, Any]]) -> str:
    both = [
        (row["judge"], row["exact"] >= 0.5) for row in rows if row["judge"] is not None and row["exact"] is not None
    ]
    if not both:
        return ""
    harder = sum(exact and not judge for judge, exact in both)
    milder = sum(judge and not exact for judge, exact in both)
    return (
        f"Of {len(both):,} answers the judge finds {harder:,} wrong that hold what was expected, and {milder:,} right that "
        "do not: look at these first in answers.csv."
    )


def _excerpt(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT else text[:EXCERPT].rsplit(" ", 1)[0] + " …"
