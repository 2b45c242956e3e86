"""`wellread compare --questions`: models asked the same gold questions, with paired differences to the first and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wellread.errors import CorpusError
from wellread.fight.gold_asking import as_answers, replies
from wellread.fight.parting import parting
from wellread.gathering import SILENT, Watch, watched
from wellread.metrics import find, measure
from wellread.metrics.intervals import difference
from wellread.metrics.recall_judge import GRADES
from wellread.models import read_name
from wellread.recipe import Recipe, Stage, lineage, parse_recipe
from wellread.recipe.questions import FOUND, REPLIED, Answering
from wellread.reports.comparison import Compared, Comparison
from wellread.reports.fair import order_verdict
from wellread.reports.rows import finite
from wellread.retrieval.gold import read_gold
from wellread.retrieval.rag import RetrievalModel
from wellread.retrieval.refusing import question_mark
from wellread.retrieval.thresholds import DEFAULTS, FITTED_ON
from wellread.runs import Run, step_costs, training_costs
from wellread.similarity import open_embedder
from wellread.texts import library_path
from wellread.types import (
    Corpus,
    Embedder,
    Evidence,
    GoldQuestion,
    Grade,
    Judge,
    LanguageModel,
    Measurement,
    PairScorer,
    Reply,
    Retriever,
)

NEARNESS = "recall_embedding"
WHOLE = (*REPLIED[:2], NEARNESS, *REPLIED[2:])
"""What is measured where nothing else is asked for; of a model with a store how well that finds gold passages, too."""
JUDGED = "recall_judge"
REFUSALS = ("refusal_rate", "refusal_rate_near_miss", "wrong_refusal_rate")


def compare_answers(
    names: Sequence[str], files: Sequence[Path], *, opened: Callable[[str], LanguageModel], metrics: Sequence[str] = (),
    settings: Answering | None = None, judge: Judge | None = None, offline: bool = False, watch: Watch = SILENT,
) -> tuple[Comparison, dict[str, list[Reply]]]:  # fmt: skip
    """Every model on all gold questions of the files, greedily, alike; each with its paired difference to the first, and
    every pair among them for the verdict; a run's with what preparing it cost; and the questions where they part. The replies by
    the label of who gave them. A `judge` marks the answers, too. Refusals of a subject that was calibrated on some of these very
    questions are marked, in its rows and in the notes.

    Raises CorpusError where two questions share an id, UnknownName for a metric.
    """
    find(metrics)
    settings = settings or Answering(max_tokens=64)
    questions = gold_questions(files)
    usual = (*WHOLE, JUDGED) if judge else WHOLE
    embedder = open_embedder(settings.embedder, offline=offline) if NEARNESS in (metrics or usual) else None
    asks_for_passages = any(each.passages for each in questions)
    said: dict[str, list[Reply]] = {}
    rows: dict[str, list[Measurement]] = {}
    paths: dict[str, str] = {}
    marks: dict[str, dict[str, Grade]] = {}
    notes: list[str] = []
    for name in names:
        label = name if name not in said else f"{name} ({len(said) + 1})"
        watch.say(f"asking {name} {len(questions)} questions")
        model = opened(name)
        said[label], paths[label] = replies(watched(model, watch), questions, settings), name
        store = model.retriever if isinstance(model, RetrievalModel) else None
        wanted = metrics or ((*usual, *FOUND) if store and asks_for_passages else usual)
        kept: dict[Any, Any] = {}
        rows[label] = measured(
            label, said[label], wanted, embedder=embedder, judge=judge, retriever=store, gold=questions, cache=kept
        )
        marks[label] = kept.get((label, GRADES), {})
        if seen := seen_before(model, questions):
            rows[label] = marked(rows[label], seen)
            notes.append(f"{label}: {seen}")
        del model  # or the next would be opened beside it
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
                 differences=() if label == first else tuple(differences(rows[label], rows[first])), **costs_of(paths[label]))
        for label in (first, *others)
    ]  # fmt: skip
    apart = parting(said, marks, judge=judge.name if judge and any(marks.values()) else "")
    return Comparison(tuple(compared), tuple(notes), verdict, apart), said


def costs_of(name: str) -> dict[str, Any]:
    """What it cost until a MODEL could be asked, where it is a run; nothing of any other."""
    named = read_name(name)
    if named.run is None:
        return {}
    recipe = parse_recipe(named.run.recipe.read_text(encoding="utf-8"), source=str(named.run.recipe))
    own = bool(named.store) and Path(named.store).resolve().parent == named.run.path.resolve()
    return prepared(named.run, recipe, Path(named.place).parent.name.partition("-")[2], searched=own)


def prepared(run: Run, recipe: Recipe, name: str, *, searched: bool = False) -> dict[str, Any]:
    """Seconds, tokens and the most memory of a stage with all that led to it: training, and in a fair fight writing what is
    taught; where passages are read in it indexing and laying these, where the run's store is `searched` indexing. Nothing where
    a stage has no log."""
    way = {name, *lineage(recipe.stages).get(name, ())}
    stages = [(number, stage) for number, stage in enumerate(recipe.stages, 1) if stage.name in way]
    costs = training_costs([run.stage(number, stage.name).path / "log.jsonl" for number, stage in stages])
    if not costs or recipe.fight is None:
        return costs
    reads = any(reads_passages(stage) for _, stage in stages)
    further = ("index", "lay") if reads else ("index",) if searched else ()
    seconds, memory = step_costs(run, ("write", *further))
    memory = max(memory, costs["memory_bytes"] or 0)
    return {**costs, "seconds": costs["seconds"] + seconds, "memory_bytes": memory or None}


def reads_passages(stage: Stage) -> bool:
    """Whether a stage learns with passages in view, and is asked so."""
    return stage.examples is not None and stage.examples.passages


def seen_before(model: LanguageModel, questions: Sequence[GoldQuestion]) -> str:
    """Why the refusals of a model say too much good of it: it learned when to refuse from some of these questions."""
    refuses = model.refuses if isinstance(model, RetrievalModel) else None
    if refuses is None:
        return ""
    known = set(refuses.questions)
    if refuses in DEFAULTS.values():
        known = {question_mark(each.question) for each in read_gold(Path(library_path(FITTED_ON)))}
    elif not known:
        return "on which questions it was calibrated was not kept, perhaps on these: index --calibrate again"
    count = sum(question_mark(each.question) in known for each in questions)
    if not count:
        return ""
    return f"when to refuse was calibrated on {count} of these {len(questions)} questions, which flatters its refusals"


def marked(rows: Sequence[Measurement], why: str) -> list[Measurement]:
    """The rows, those of refusals with this beside their own notes."""
    return [
        replace(row, note="; ".join(filter(None, (row.note, why)))) if row.name in REFUSALS else row for row in rows
    ]


def gold_questions(files: Sequence[Path]) -> list[GoldQuestion]:
    """The questions of all files, or `library:NAME`. Raises CorpusError where two share an id: replies are kept by it."""
    questions = [question for path in files for question in read_gold(Path(library_path(str(path))))]
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
    cross_encoder: PairScorer | None = None, judge: Judge | None = None, retriever: Retriever | None = None,
    gold: Sequence[GoldQuestion] = (), seed: int = 0, cache: dict[Any, Any] | None = None,
) -> list[Measurement]:  # fmt: skip
    """A subject's replies by these metrics, and its retriever by those of retrieval, on `gold`; what reads answers is given
    those to answerable questions. A judge's grades stay in `cache`."""
    gathered = Evidence(subject, Corpus((), {}), replies=found, answers=as_answers(found), embedder=embedder,
                        cross_encoder=cross_encoder, judge=judge, retriever=retriever, gold=gold, seed=seed,
                        cache={} if cache is None else cache)  # fmt: skip
    return measure(gathered, metrics)


def differences(rows: Sequence[Measurement], others: Sequence[Measurement], *, seed: int = 0) -> list[Measurement]:
    """The rows less those of another subject, paired by question, wherever both were measured."""
    beside = {(row.name, row.split, row.unit): row for row in others if row.value is not None}
    return [
        difference(row, beside[key], seed=seed)
        for row in rows
        if (key := (row.name, row.split, row.unit)) in beside and row.value is not None
    ]
