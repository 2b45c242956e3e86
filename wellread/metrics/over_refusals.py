"""Whether a model refuses terms that do exist."""

from __future__ import annotations

from wellread.metrics.answers import REAL, answers_of, parts_asked, scored_row, unasked
from wellread.metrics.refusals import refuses
from wellread.types import Answer, Evidence, Measurement

INSIDE = tuple(kind for kind in REAL if kind != "outside")


def over_refusal_rate(evidence: Evidence) -> list[Measurement]:
    """Share of real terms' questions that are refused; n counts the questions.

    Beside all of them, `over_refusal_rate_glossary` (terms that were taught) and `over_refusal_rate_outside` (real terms of
    the world, which a model that has learned to refuse may lose). Terms of the glossary that training never named do not
    count: there refusing is right.
    """
    name, rows = "over_refusal_rate", []
    for part in parts_asked(evidence):
        inside = answers_of(evidence, part, INSIDE)
        outside = [each for taught in (True, False) for each in answers_of(evidence, part, ("outside",), taught=taught)]
        for kind, answers in (("", [*inside, *outside]), ("_glossary", inside), ("_outside", outside)):
            if answers:
                rows.append(scored_row(evidence, name + kind, part, answers, refused, better="lower"))
    return rows or unasked(evidence, name)


def refused(answer: Answer) -> float:
    return float(refuses(answer.text, answer.question.term))
