"""How far answers mean the same as the expected ones, by a model that reads both at once."""

from __future__ import annotations

from wellread.errors import ModelError
from wellread.metrics.answers import answers_of, parts_asked, scored_row, told, unasked
from wellread.metrics.recall_embedding import references
from wellread.types import Evidence, Measurement


def recall_cross_encoder(evidence: Evidence) -> list[Measurement]:
    """Mean score of answers beside the best fitting of their expected answers; n counts the questions.

    The scale is the cross-encoder's own (0 to 1 for models of similarity), so that only numbers of the same one compare.
    Raises ModelError where there is none, MissingPackage without sentence-transformers.
    """
    name = "recall_cross_encoder"
    if not evidence.answers:
        return unasked(evidence, name, "score")
    if evidence.cross_encoder is None:
        raise ModelError("no cross-encoder was named; set `answers.cross_encoder` to a name or a folder.")
    rows = []
    for part in parts_asked(evidence):
        answers = [each for each in answers_of(evidence, part) if references(each)]
        pairs = [(text, each.text) for each in answers for text in references(each)]
        if not pairs:
            continue
        scores = iter(evidence.cross_encoder.score_pairs(pairs))
        best = [max(float(next(scores)) for _ in references(each)) for each in answers]
        note = f"by {evidence.cross_encoder.name}"
        rows.append(scored_row(evidence, name, part, answers, told(answers, best), unit="score", note=note))
    return rows or unasked(evidence, name, "score")
