"""Whether answers hold the expected expansion, term or key facts: no model judges."""

from __future__ import annotations

from wellread.metrics.answers import RECALL, answers_of, parts_asked, scored_row, unasked
from wellread.metrics.phrases import can_judge, fact_stands_in, stands_in
from wellread.metrics.refusals import refuses
from wellread.types import Answer, Evidence, Measurement


def recall_exact(evidence: Evidence) -> list[Measurement]:
    """Share of answers that hold what was expected; n counts the questions.

    An answer holds it where one of the expected phrases stands in it (`phrases.stands_in`) and it does not refuse. An
    answer to a question about a definition holds it where every key fact stands in it, if the question lists any
    (`phrases.fact_stands_in`). A question that names its own answer is left out: one that has every right answer in it, or asks
    backwards for a term with the term's own name in its words. So is a key fact that the question's own words hold.

    Beside all kinds together, `recall_exact_forward`, `_reverse`, `_context` and `_definition`; and `recall_exact_untaught`:
    the same of terms that training never named, which shows what guessing and the base come to.
    """
    rows = []
    for part in parts_asked(evidence):
        kinds = [kind for kind in RECALL if answers_of(evidence, part, (kind,))]
        if kinds:
            rows.append(scored_row(evidence, "recall_exact", part, answers_of(evidence, part), exact))
        rows += [
            scored_row(evidence, f"recall_exact_{kind}", part, answers_of(evidence, part, (kind,)), exact)
            for kind in kinds
        ]
        untaught = answers_of(evidence, part, taught=False)
        if untaught:
            rows.append(scored_row(evidence, "recall_exact_untaught", part, untaught, exact))
    return rows or unasked(evidence, "recall_exact")


def exact(answer: Answer) -> float | None:
    """1 for a right answer, 0 for a wrong one; None where nothing can be held against it."""
    question = answer.question
    asked = f"{question.prompt} {question.term}"
    judging = question.facts if question.kind == "definition" or not question.expected else ()
    facts = [fact for fact in judging if can_judge(fact, asked)]
    wanted = [phrase for phrase in question.expected if not stands_in(phrase, question.prompt)]
    named = question.kind == "reverse" and stands_in(question.term, question.prompt)
    if not facts and (named or not wanted):
        return None
    if refuses(answer.text, question.term):
        return 0.0
    if facts:
        return float(all(fact_stands_in(fact, answer.text, asked) for fact in facts))
    return float(any(stands_in(phrase, answer.text) for phrase in wanted))
