"""How near answers come in meaning to the expected ones, by the cosine of their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wellread.errors import ModelError
from wellread.metrics.answers import answers_of, parts_asked, scored_row, told, unasked
from wellread.types import Answer, Embedder, Evidence, Measurement


def recall_embedding(evidence: Evidence) -> list[Measurement]:
    """Mean cosine between an answer and the nearest of its expected answers; n counts the questions.

    The note says what the same answers come to beside the expected answers of other terms: the floor, which differs much
    from embedder to embedder. `recall_embedding_nearest` is the share of answers that are nearer to their own expected
    answers than to those of any other term asked about in the same direction. An answer that echoes its question is near
    to what it names: read both beside `recall_exact`. Raises ModelError without an embedder.
    """
    if not evidence.answers:
        return unasked(evidence, "recall_embedding", "cosine")
    if evidence.embedder is None:
        raise ModelError("no embedder was given: name one in `answers.embedder`.")
    rows = []
    for part in parts_asked(evidence):
        answers = [each for each in answers_of(evidence, part) if references(each)]
        if not answers:
            continue
        own, other, nearest = _nearness(evidence.embedder, answers)
        floor = f", {np.nanmean(other):.2f} beside other terms' answers" if np.isfinite(other).any() else ""
        note = f"by {evidence.embedder.name}{floor}"
        rows += [
            scored_row(evidence, "recall_embedding", part, answers, told(answers, own), unit="cosine", note=note),
            scored_row(evidence, "recall_embedding_nearest", part, answers, told(answers, nearest),
                       note=f"by {evidence.embedder.name}"),
        ]  # fmt: skip
    return rows or unasked(evidence, "recall_embedding", "cosine")


def references(answer: Answer) -> tuple[str, ...]:
    """What a right answer to the same question would say: the expected phrases, or the key facts as one text."""
    facts = "; ".join(fact.partition("|")[0].strip() for fact in answer.question.facts)
    return answer.question.expected or ((facts,) if facts else ())


def _nearness(
    embedder: Embedder, answers: Sequence[Answer]
) -> tuple[list[float], NDArray[np.float64], list[float | None]]:
    """Of every answer its cosine to its own references; the mean of those to other terms'; whether its own is nearest."""
    texts = list(
        dict.fromkeys([*(each.text for each in answers), *(text for each in answers for text in references(each))])
    )
    place = {text: number for number, text in enumerate(texts)}
    vectors = np.asarray(embedder.embed(texts), np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    said = unit[[place[each.text] for each in answers]]
    # (answers, answers): how near answer i comes to the references of question j
    near = np.stack([(said @ unit[[place[text] for text in references(each)]].T).max(1) for each in answers], axis=1)
    terms = np.array([each.question.term or each.question.id for each in answers])
    kinds = np.array([each.question.kind for each in answers])
    others = (terms[:, None] != terms) & (kinds[:, None] == kinds)
    own = np.diag(near)
    best = np.where(others, near, -np.inf).max(1)
    beside = np.where(others, near, np.nan)
    floor = np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan for row in beside])
    nearest = [float(mine > rival) if np.isfinite(rival) else None for mine, rival in zip(own, best, strict=True)]
    return [float(each) for each in own], floor, nearest
