"""`wellread compare --questions`: models asked the same gold questions, with paired differences to the first and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wellread.errors import CorpusError
from wellread.gathering import SILENT, Watch, watched
from wellread.gold_asking import as_answers, replies
from wellread.metrics import find, measure
from wellread.metrics.intervals import difference
from wellread.questions import REPLIED, Answering
from wellread.reports.comparison import Compared, Comparison
from wellread.reports.fair import order_verdict
from wellread.reports.rows import finite
from wellread.retrieval.gold import read_gold
from wellread.similarity import open_embedder
from wellread.types import (
    Corpus,
    Embedder,
    Evidence,
    GoldQuestion,
    Judge,
    LanguageModel,
    Measurement,
    PairScorer,
    Reply,
)

NEARNESS = "recall_embedding"
WHOLE = (*REPLIED[:2], NEARNESS, *REPLIED[2:])
"""What is measured where nothing else is asked for."""


def compare_answers(
    names: Sequence[str], files: Sequence[Path], *, opened: Callable[[str], LanguageModel], metrics: Sequence[str] = (),
    settings: Answering | None = None, offline: bool = False, watch: Watch = SILENT,
) -> tuple[Comparison, dict[str, list[Reply]]]:  # fmt: skip
    """Every model on all gold questions of the files, greedily, alike; each with its paired difference to the first, and
    every pair among them for the verdict, which is the first note. The replies by the label of who gave them.

    Raises CorpusError where two questions share an id, UnknownName for a metric.
    """
    find(metrics)
    settings = settings or Answering(max_tokens=64)
    questions = gold_questions(files)
    embedder = open_embedder(settings.embedder, offline=offline) if NEARNESS in (metrics or WHOLE) else None
    said: dict[str, list[Reply]] = {}
    rows: dict[str, list[Measurement]] = {}
    paths: dict[str, str] = {}
    for name in names:
        label = name if name not in said else f"{name} ({len(said) + 1})"
        watch.say(f"asking {name} {len(questions)} questions")
        said[label], paths[label] = replies(watched(opened(name), watch), questions, settings), name
        rows[label] = measured(label, said[label], metrics or WHOLE, embedder=embedder)
    first, *others = said
    pairs = [
        gap
        for place, one in enumerate(said)
        for other in [*said][:place]
        for gap in differences(rows[one], rows[other])
    ]
    verdict = order_verdict([*(row for several in rows.values() for row in several), *pairs], [*said])
    compared = [
        Compared(label, paths[label], tuple(map(finite, rows[label])),
                 differences=() if label == first else tuple(differences(rows[label], rows[first])))
        for label in (first, *others)
    ]  # fmt: skip
    return Comparison(tuple(compared), verdict=verdict), said


def gold_questions(files: Sequence[Path]) -> list[GoldQuestion]:
    """The questions of all files. Raises CorpusError where two share an id: replies are kept by it."""
    questions = [question for path in files for question in read_gold(path)]
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise CorpusError(
                f"two gold questions have the id {question.id!r}: answers are kept by it; give each its own."
            )
        seen.add(question.id)
    return questions


def measured(
    subject: str, found: Sequence[Reply], metrics: Sequence[str], *, embedder: Embedder | None = None,
    cross_encoder: PairScorer | None = None, judge: Judge | None = None, seed: int = 0,
) -> list[Measurement]:  # fmt: skip
    """A subject's replies by these metrics; what reads answers is given those to answerable questions."""
    gathered = Evidence(subject, Corpus((), {}), replies=found, answers=as_answers(found), embedder=embedder,
                        cross_encoder=cross_encoder, judge=judge, seed=seed)  # fmt: skip
    return measure(gathered, metrics)


def differences(rows: Sequence[Measurement], others: Sequence[Measurement], *, seed: int = 0) -> list[Measurement]:
    """The rows less those of another subject, paired by question, wherever both were measured."""
    beside = {(row.name, row.split, row.unit): row for row in others if row.value is not None}
    return [
        difference(row, beside[key], seed=seed)
        for row in rows
        if (key := (row.name, row.split, row.unit)) in beside and row.value is not None
    ]
