"""Whether a model defines terms that do not exist."""

from __future__ import annotations

from wellread.metrics.answers import answers_of, parts_asked, scored_row, unasked
from wellread.metrics.refusals import defines
from wellread.types import Answer, Evidence, Measurement


def false_definition_rate(evidence: Evidence) -> list[Measurement]:
    """Share of invented terms' questions that are answered as if the term existed; n counts the questions.

    An answer that refuses is no definition, nor is an empty one (`refusals.defines`).
    """
    name, rows = "false_definition_rate", []
    for part in parts_asked(evidence):
        answers = [
            each for taught in (True, False) for each in answers_of(evidence, part, ("invented",), taught=taught)
        ]
        if answers:
            rows.append(scored_row(evidence, name, part, answers, defined, better="lower"))
    if not rows and evidence.answers:
        return [Measurement(name, None, "share", evidence.subject, note="no question was about an invented term")]
    return rows or unasked(evidence, name)


def defined(answer: Answer) -> float:
    return float(defines(answer.text, answer.question.term))
