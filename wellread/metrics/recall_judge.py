"""Whether a judge who reads an answer beside the expected one finds it right."""

from __future__ import annotations

from collections.abc import Sequence

from wellread.errors import ModelError
from wellread.metrics.answers import answers_of, parts_asked, scored_row, told, unasked
from wellread.metrics.recall_embedding import references
from wellread.metrics.recall_exact import exact
from wellread.metrics.scores import notes
from wellread.showing import visible
from wellread.types import Answer, Evidence, Grade, Measurement

GRADES = "grades"
"""Where the grades are kept in the evidence's cache, by question id, for the table of answers."""
SHOWN = 80
"""Characters of what was no verdict that the note repeats."""


def recall_judge(evidence: Evidence) -> list[Measurement]:
    """Share of answers that the judge finds right, among those on which it gave a verdict that can be read.

    n counts these; the note says who judged, how many verdicts could not be had or read (they count neither way), and how often
    the judge agrees with `recall_exact`. Raises ModelError where there is no judge, or it cannot be asked.
    """
    if not evidence.answers:
        return unasked(evidence, "recall_judge")
    if evidence.judge is None:
        raise ModelError("no judge was named; set `answers.judge` in a recipe, or `compare --judge`, to a MODEL, such as "
                         "http://localhost:8080/v1#name.")  # fmt: skip
    rows = []
    for part in parts_asked(evidence):
        answers = [each for each in answers_of(evidence, part) if references(each)]
        if not answers:
            continue
        grades = evidence.judge.grade(answers)
        kept = evidence.cache.setdefault((evidence.subject, GRADES), {})
        kept |= {each.question.id: grade for each, grade in zip(answers, grades, strict=True)}
        note = notes(f"judged by {evidence.judge.name}", _agreement(answers, grades))
        rows.append(
            scored_row(evidence, "recall_judge", part, answers, told(answers, map(_value, grades)), note=note,
                       uncounted=f"verdicts could not be had or read{_such_as(grades)}")
        )  # fmt: skip
    return rows or unasked(evidence, "recall_judge")


def _such_as(grades: Sequence[Grade]) -> str:
    """The first of what came in place of a verdict."""
    first = next((" ".join(visible(each.reason).split()) for each in grades if each.right is None), "")
    return f" (such as: {first[:SHOWN]})" if first else ""


def _value(grade: Grade) -> float | None:
    return None if grade.right is None else float(grade.right)


def _agreement(answers: Sequence[Answer], grades: Sequence[Grade]) -> str:
    """How often judge and exact recall say the same."""
    both = [
        (grade.right, value >= 0.5)
        for grade, value in zip(grades, map(exact, answers), strict=True)
        if grade.right is not None and value is not None
    ]
    if not both:
        return ""
    same = sum(one == other for one, other in both)
    return f"agrees with recall_exact on {same} of {len(both)}"
