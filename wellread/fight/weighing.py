"""The replies of all sides in, their measurements out: with what preparing took, and how well the search does alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from wellread.asking import Keys, open_judge
from wellread.fight.comparing_answers import NEARNESS, REFUSALS, WHOLE, differences, measured, prepared
from wellread.fight.sides import Fought
from wellread.metrics import measure
from wellread.recipe.questions import FOUND
from wellread.reports.fair import RETRIEVAL
from wellread.reports.fight import sides_of
from wellread.retrieval.rag import FOUND as LOOKED_FOR
from wellread.retrieval.refusing import LEAST, REFUSAL, fit_refusal, refused_unseen, signs, write_refusal
from wellread.retrieval.reranking import open_cross_encoder
from wellread.runs import step_costs
from wellread.similarity import open_embedder
from wellread.storage import read_json, write_json
from wellread.types import Corpus, Evidence, Measurement, Reply, Retriever

GIBIBYTE = 2**30


def untried(fought: Fought) -> str:
    """Why it is not tried when to refuse, though the recipe wants it: too few questions of a kind; empty where it is."""
    answered = sum(each.answered for each in fought.gold)
    few = [f"{there} {kind} question{'s' * (there != 1)}" for there, kind in
           ((answered, "answered"), (len(fought.gold) - answered, "unanswered")) if there < LEAST]  # fmt: skip
    each = " of each" if len(few) > 1 else ""
    return f"not tried: {' and '.join(few)}, {LEAST}{each} needed" if fought.settings.threshold and few else ""


def refused_of(fought: Fought, store: Any) -> list[bool]:
    """Of every question whether retrieval refuses it, by signs weighed without it; empty where nothing is refused, or too
    few questions of either kind are there to learn it from."""
    answered = [each.answered for each in fought.gold]
    if not fought.settings.threshold or untried(fought):
        return []
    path = fought.run.path / "refusal.json"
    if not path.is_file():
        seen = [signs(each.question, store.retrieve(each.question, LOOKED_FOR), store) for each in fought.gold]
        fitted = fit_refusal(
            seen, answered, embedder=store.embedder_name, seed=fought.recipe.seed,
            questions=[each.question for each in fought.gold],
        )  # fmt: skip
        write_refusal(fought.run.path / "store" / REFUSAL, fitted)
        unseen = refused_unseen(seen, answered, seed=fought.recipe.seed)
        write_json(path, {"refused": unseen, "rating": asdict(fitted.rating) if fitted.rating else None})
    return [bool(each) for each in read_json(path)["refused"]]


def measured_sides(fought: Fought, said: dict[str, list[Reply]], keys: Keys) -> list[Measurement]:
    """Every side by every measure, and the differences of each two; where retrieval was to refuse and too few questions were
    there to learn when, the refusals of the sides that retrieve are not measured."""
    recipe, sides = fought.recipe, sides_of(fought.recipe)
    answers = recipe.answers
    names = [name for name in recipe.measure.metrics or WHOLE if name not in FOUND]
    judge = open_judge(answers.judge, offline=fought.offline, keys=keys) if answers.judge else None
    cross = open_cross_encoder(answers.cross_encoder, offline=fought.offline) if answers.cross_encoder else None
    embedder = open_embedder(answers.embedder, offline=fought.offline) if NEARNESS in names else None
    by_subject: dict[str, list[Measurement]] = {}
    few = untried(fought)
    for subject, several in said.items():
        rows = measured(subject, several, names, embedder=embedder, cross_encoder=cross, judge=judge, seed=recipe.seed)
        if few and retrieves(several):
            rows = [_unmeasured(row, few) if row.name in REFUSALS else row for row in rows]
        by_subject[subject] = [*rows, *_prepared(fought, subject)]
    why = fought.run.path / "answers" / "base+text.txt"
    if sides.whole and sides.whole not in said and why.is_file():
        reason = why.read_text(encoding="utf-8")
        by_subject[sides.whole] = [
            Measurement("answer_f1", None, "F1", sides.whole, "held_out", better="higher", note=reason)
        ]
    rows = [row for several in by_subject.values() for row in several]
    order = [*by_subject]
    for place, one in enumerate(order):
        for other in order[:place]:
            rows += differences(by_subject[one], by_subject[other], seed=recipe.seed)
    return rows


def retrieves(found: Sequence[Reply]) -> bool:
    return any(reply.sources is not None for reply in found)


def _unmeasured(row: Measurement, why: str) -> Measurement:
    return replace(row, value=None, low=None, high=None, note=why, tallies=())


def _prepared(fought: Fought, subject: str) -> list[Measurement]:
    """What it took before the first question: indexing, writing, laying passages, training."""
    this, recipe, sides = fought.run, fought.recipe, sides_of(fought.recipe)
    if any(stage.name == subject for stage in recipe.stages):
        costs = prepared(this, recipe, subject)
        if not costs:
            why = "the log of a stage that led to it is missing"
            return [Measurement("preparation_seconds", None, "seconds", subject, better="lower", note=why)]
        seconds, memory = costs["seconds"], costs["memory_bytes"]
    else:
        seconds, memory = step_costs(this, ("index",) if subject == sides.retrieval else ())
    told = Measurement("preparation_seconds", seconds, "seconds", subject, better="lower")
    if not memory:
        return [told]
    return [told, Measurement("preparation_memory", memory / GIBIBYTE, "GiB", subject, better="lower")]


def search_alone(fought: Fought, store: Retriever) -> list[Measurement]:
    """How well the search finds gold passages, and how well its signs tell what can be answered."""
    asked = [each for each in fought.gold if each.passages]
    gathered = Evidence(RETRIEVAL, Corpus((), {}), gold=asked, retriever=store, seed=fought.recipe.seed)
    rows = measure(gathered, FOUND)
    path = fought.run.path / "refusal.json"
    rating = read_json(path)["rating"] if path.is_file() else None
    if rating:
        rows.append(Measurement("refusal_auc", rating["auc"], "AUC", RETRIEVAL, "held_out", rating["answerable"] + rating["unanswerable"],
                                rating["auc_low"], rating["auc_high"], "higher", interval_over="questions"))  # fmt: skip
    elif few := untried(fought):
        rows.append(Measurement("refusal_auc", None, "AUC", RETRIEVAL, "held_out", better="higher", note=few))
    return rows
