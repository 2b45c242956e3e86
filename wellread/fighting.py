"""A recipe with `fight` in, its measurements out: base, retrieval, tuning and both, asked the same gold questions alike.

Everything is kept in the run folder and passed over when the run goes on: the store, what was written about the texts
(`synthesis/`), every subject's replies (`answers/`, and together in answers.csv), and what preparing took.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wellread.asking import Keys, open_judge
from wellread.comparing_answers import NEARNESS, WHOLE, differences, gold_questions, measured
from wellread.corpus.ingest import read_documents, write_corpus
from wellread.corpus.reading import load
from wellread.errors import ModelError, UsageError
from wellread.gathering import Watch, watched
from wellread.indexing import index_texts
from wellread.lessons import (
    CLOSED,
    OPEN,
    chats_of,
    closed_chats,
    language,
    lesson_corpus,
    open_chats,
    write_chats,
    written_items,
)
from wellread.metrics import measure
from wellread.models import open_model
from wellread.questions import ANSWERED, REPLIED, Fight
from wellread.recipe import Recipe, Stage
from wellread.replying import TOGETHER, below, read_replies, replies, write_replies, write_replies_table
from wellread.reports.fair import Sides
from wellread.retrieval.prompt import build_prompt
from wellread.retrieval.rag import with_retrieval
from wellread.retrieval.refusing import LEAST, fit_refusal, refused_unseen, signs
from wellread.retrieval.store import open_store
from wellread.runs import Run
from wellread.settings import CorpusSettings
from wellread.similarity import open_cross_encoder, open_embedder
from wellread.storage import read_json, read_rows, write_json, write_rows
from wellread.teaching import train_stage
from wellread.texts import found
from wellread.training import processes
from wellread.training.estimate import most_memory
from wellread.types import Chunk, Corpus, Document, Evidence, GoldQuestion, LanguageModel, Measurement, Reply, Retriever

RETRIEVAL = "retrieval"
"""Subject of what is measured of the search alone."""
FOUND = ("retrieval_recall", "retrieval_mrr")
GIBIBYTE = 2**30


@dataclass(frozen=True, slots=True)
class Fought:
    """What all sides share."""

    run: Run
    recipe: Recipe
    settings: Fight
    gold: tuple[GoldQuestion, ...]
    documents: tuple[Document, ...]
    """The texts in sections, as their loaders give them."""
    tongue: str
    offline: bool
    watch: Watch

    @property
    def base(self) -> str:
        return str(self.recipe.base)


def fight(
    this: Run, recipe: Recipe, paths: Sequence[Path], *, mark: str, offline: bool, keys: Keys, watch: Watch
) -> list[Measurement]:
    """Measurements of every side, of retrieval alone, and the paired differences of each two sides. Raises UsageError
    for what the user can mend."""
    all_sides = _begun(this, recipe, paths, offline=offline, watch=watch)
    store = _store(all_sides, paths)
    items = _timed(all_sides, "write", lambda: written_items(
        all_sides.documents, all_sides.gold, all_sides.settings, this.synthesis, seed=recipe.seed,
        key=keys(all_sides.settings.writer), say=watch.say,
    ))  # fmt: skip
    said = _untaught(all_sides, store)
    for number, stage in enumerate(recipe.stages, 1):
        seen = _passages(stage)
        path = this.synthesis / (OPEN if seen else CLOSED)
        if not path.is_file():
            rows = _timed(
                all_sides,
                "lay" if seen else "chat",
                lambda seen=seen, stage=stage: _lessons(all_sides, items, store, stage, seen),
            )
            write_chats(path, rows)
        said[stage.name] = _taught(all_sides, (number, stage), store if seen else None, mark=mark)
    refused = _refused(all_sides, store)
    said = {name: below(found, refused) if refused and _retrieves(found) else found for name, found in said.items()}
    write_replies_table(this.path / "answers.csv", said)
    return [*_measured(all_sides, said, keys), *_search_alone(all_sides, store)]


def sides_of(recipe: Recipe) -> Sides:
    """The subjects by their parts in the fight: the first stage of either kind, and what the base does."""
    base = str(recipe.base)
    tuned = next((stage.name for stage in recipe.stages if not _passages(stage)), "")
    both = next((stage.name for stage in recipe.stages if _passages(stage)), "")
    whole = f"{base}+text" if recipe.fight is not None and recipe.fight.whole else ""
    return Sides(base, f"{base}+{RETRIEVAL}", tuned, both, whole)


def sections_of(paths: Sequence[Path]) -> list[Document]:
    """The texts as their loaders give them, one document a section."""
    documents, skipped = load(list(paths), strict=False)
    if skipped:
        raise UsageError(f"{skipped[0].source}: {skipped[0].reason}")
    return list(documents)


def _begun(this: Run, recipe: Recipe, paths: Sequence[Path], *, offline: bool, watch: Watch) -> Fought:
    assert recipe.fight is not None, "a recipe with `fight` comes here"
    if processes.world() > 1:
        raise UsageError("a fair fight trains one side after another: start it in one process, without torchrun.")
    strange = [name for name in recipe.measure.metrics if name not in (*REPLIED, *ANSWERED, *FOUND)]
    if strange:
        raise UsageError(
            f"measure.metrics: {strange[0]} is not of answers; there are {', '.join((*REPLIED, *ANSWERED, *FOUND))}."
        )
    gold = gold_questions(found(recipe.questions))
    if not (this.corpus / "split.json").is_file():
        watch.say("reading " + ", ".join(path.name for path in paths))
        documents, cleaning, skipped = read_documents(paths, CorpusSettings())
        ids = tuple(document.id for document in documents)
        write_corpus(Corpus(tuple(documents), {"train": ids, "validation": (), "held_out": ()}, tuple(cleaning), tuple(skipped)),
                     this.corpus)  # fmt: skip
    write_rows(this.questions / "gold.jsonl", map(asdict, gold))
    documents = sections_of(paths)
    settings = recipe.fight
    tongue = language(documents) if settings.language == "auto" else settings.language
    return Fought(this, recipe, settings, tuple(gold), tuple(documents), tongue, offline, watch)


def _timed(all_sides: Fought, step: str, work: Callable[[], Any]) -> Any:
    """What a step gives; what it took is kept, as it took when it was done and not passed over."""
    path = all_sides.run.path / "preparation.json"
    begun = time.perf_counter()
    result = work()
    kept = read_json(path, optional=True) or {}
    seconds = time.perf_counter() - begun
    if step not in kept or kept[step]["seconds"] < seconds:
        write_json(path, {**kept, step: {"seconds": seconds, "bytes": most_memory()}})
    return result


def _store(all_sides: Fought, paths: Sequence[Path]) -> Any:
    place = all_sides.run.path / "store"
    settings = all_sides.settings

    def build() -> Any:
        index_texts(
            paths,
            place,
            chunker=settings.chunker,
            size=settings.size,
            embedder=settings.embedder,
            say=all_sides.watch.say,
        )
        return open_store(place)

    return _timed(all_sides, "index", build)


def _lessons(all_sides: Fought, items: Sequence[Any], store: Retriever, stage: Stage, seen: bool) -> list[Document]:
    """What a stage reads."""
    if not seen:
        return closed_chats(items)
    model = open_model(all_sides.base, offline=all_sides.offline)
    return open_chats(
        items, store, all_sides.settings, count=_counter(model), tongue=all_sides.tongue, seed=all_sides.recipe.seed,
        budget=stage.windows.length - all_sides.recipe.answers.max_tokens,
    )  # fmt: skip


def _counter(model: Any) -> Callable[[str], int]:
    """How many tokens a user's turn of this text takes, with the frame around it."""
    return lambda text: int(model.count([{"role": "user", "content": text}]))


def _kept(all_sides: Fought, subject: str, ask: Callable[[], list[Reply]]) -> list[Reply]:
    """A subject's replies, asked for once."""
    path = all_sides.run.path / "answers" / f"{subject}.jsonl"
    if not path.is_file():
        all_sides.watch.say(f"asking {subject} {len(all_sides.gold)} questions")
        write_replies(path, ask())
    return read_replies(path, all_sides.gold)


def _untaught(all_sides: Fought, store: Retriever) -> dict[str, list[Reply]]:
    """The replies of the base: alone, with retrieval, and with the whole text where that has room."""
    recipe, sides = all_sides.recipe, sides_of(all_sides.recipe)
    opened: list[LanguageModel] = []

    def base() -> LanguageModel:
        if not opened:
            opened.append(watched(open_model(all_sides.base, offline=all_sides.offline), all_sides.watch))
        return opened[0]

    said = {
        sides.base: _kept(all_sides, "base", lambda: replies(base(), all_sides.gold, recipe.answers)),
        sides.retrieval: _kept(all_sides, "base+retrieval", lambda: _with_passages(all_sides, base(), store)),
    }
    if sides.whole:
        why = all_sides.run.path / "answers" / "base+text.txt"
        if not why.is_file():
            try:
                said[sides.whole] = _kept(all_sides, "base+text", lambda: _with_whole(all_sides, base()))
            except ModelError as error:
                why.write_text(str(error), encoding="utf-8")
    return said


def _with_passages(all_sides: Fought, model: LanguageModel, store: Retriever) -> list[Reply]:
    retrieving = with_retrieval(model, store, k=all_sides.settings.passages, language=all_sides.tongue)
    return replies(retrieving, all_sides.gold, all_sides.recipe.answers)


def _with_whole(all_sides: Fought, model: Any) -> list[Reply]:
    """Replies with all texts laid before the model as one source. Raises ModelError where they do not fit its window."""
    text = "\n\n".join(document.text for document in all_sides.documents)
    whole = Chunk("text", 0, len(text), text, all_sides.documents[0].source)
    prompts = [
        build_prompt(each.question, [whole], count=len, budget=10**12, language=all_sides.tongue).messages
        for each in all_sides.gold
    ]
    needed = max(map(model.count, prompts)) + all_sides.recipe.answers.max_tokens
    if needed > model.window:
        try:
            model = open_model(all_sides.base, offline=all_sides.offline, window=needed)
        except ModelError as error:
            raise ModelError(f"the text and a question take {needed:,} tokens: {error}") from None
    return replies(model, all_sides.gold, all_sides.recipe.answers, prompts=prompts, at_once=max(1, TOGETHER // needed))


def _taught(all_sides: Fought, numbered: tuple[int, Stage], store: Retriever | None, *, mark: str) -> list[Reply]:
    """Train one stage, on its own lessons; then its replies, with retrieval where it has learned with passages in view."""
    this, recipe, (number, stage) = all_sides.run, all_sides.recipe, numbered
    folder = this.stage(number, stage.name)
    if folder.checkpoint.is_dir():
        shutil.rmtree(folder.path / "resume", ignore_errors=True)  # left by a kill just after the checkpoint was saved
    else:
        chats = chats_of(this.synthesis / (CLOSED if store is None else OPEN))
        corpus = lesson_corpus(chats, recipe.corpus.validation, seed=recipe.seed)
        train_stage(this, recipe, corpus, numbered, mark=mark, offline=all_sides.offline, watch=all_sides.watch)

    def ask() -> list[Reply]:
        model = watched(open_model(str(folder.checkpoint), offline=all_sides.offline), all_sides.watch)
        return (
            replies(model, all_sides.gold, recipe.answers) if store is None else _with_passages(all_sides, model, store)
        )

    return _kept(all_sides, stage.name, ask)


def _refused(all_sides: Fought, store: Any) -> list[bool]:
    """Of every question whether retrieval refuses it, by signs weighed without it; empty where nothing is refused, or too
    few questions of either kind are there to learn it from."""
    answered = [bool(each.answers) for each in all_sides.gold]
    if not all_sides.settings.threshold or min(sum(answered), len(answered) - sum(answered)) < LEAST:
        return []
    path = all_sides.run.path / "refusal.json"
    if not path.is_file():
        seen = [
            signs(each.question, store.retrieve(each.question, all_sides.settings.passages), store)
            for each in all_sides.gold
        ]
        fitted = fit_refusal(seen, answered, embedder=store.embedder_name, seed=all_sides.recipe.seed)
        unseen = refused_unseen(seen, answered, seed=all_sides.recipe.seed)
        write_json(path, {"refused": unseen, "rating": asdict(fitted.rating) if fitted.rating else None})
    return [bool(each) for each in read_json(path)["refused"]]


def _measured(all_sides: Fought, said: dict[str, list[Reply]], keys: Keys) -> list[Measurement]:
    recipe, sides = all_sides.recipe, sides_of(all_sides.recipe)
    answers = recipe.answers
    names = [name for name in recipe.measure.metrics or WHOLE if name not in FOUND]
    judge = open_judge(answers.judge, offline=all_sides.offline, keys=keys) if answers.judge else None
    cross = open_cross_encoder(answers.cross_encoder, offline=all_sides.offline) if answers.cross_encoder else None
    embedder = open_embedder(answers.embedder, offline=all_sides.offline) if NEARNESS in names else None
    by_subject: dict[str, list[Measurement]] = {}
    for subject, several in said.items():
        by_subject[subject] = [
            *measured(subject, several, names, embedder=embedder, cross_encoder=cross, judge=judge, seed=recipe.seed),
            *_prepared(all_sides, subject),
        ]  # fmt: skip
    why = all_sides.run.path / "answers" / "base+text.txt"
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


def _prepared(all_sides: Fought, subject: str) -> list[Measurement]:
    """What it took before the first question: indexing, writing, laying passages, training."""
    this, recipe, sides = all_sides.run, all_sides.recipe, sides_of(all_sides.recipe)
    steps = read_json(this.path / "preparation.json", optional=True) or {}
    stage = next((numbered for numbered in enumerate(recipe.stages, 1) if numbered[1].name == subject), None)
    wanted = {sides.retrieval: ("index",)}.get(subject, ())
    if stage is not None:
        wanted = ("index", "write", "lay") if _passages(stage[1]) else ("write", "chat")
    seconds = sum(steps[step]["seconds"] for step in wanted if step in steps)
    most = [steps[step]["bytes"] for step in wanted if step in steps]
    if stage is not None:
        log = read_rows(this.stage(stage[0], subject).path / "log.jsonl")
        seconds += float(log[-1].get("elapsed_seconds", 0.0)) if log else 0.0
        most += [int(row["memory_bytes"]) for row in log if row.get("memory_bytes")]
    told = Measurement("preparation_seconds", seconds, "seconds", subject, better="lower")
    if not most:
        return [told]
    return [told, Measurement("preparation_memory", max(most) / GIBIBYTE, "GiB", subject, better="lower")]


def _search_alone(all_sides: Fought, store: Retriever) -> list[Measurement]:
    """How well the search finds gold passages, and how well its signs tell what can be answered."""
    asked = [each for each in all_sides.gold if each.passages]
    gathered = Evidence(RETRIEVAL, Corpus((), {}), gold=asked, retriever=store, seed=all_sides.recipe.seed)
    rows = measure(gathered, FOUND)
    path = all_sides.run.path / "refusal.json"
    rating = read_json(path)["rating"] if path.is_file() else None
    if rating:
        rows.append(Measurement("refusal_auc", rating["auc"], "AUC", RETRIEVAL, "held_out", rating["answerable"] + rating["unanswerable"],
                                rating["auc_low"], rating["auc_high"], "higher", interval_over="questions"))  # fmt: skip
    return rows


def _passages(stage: Stage) -> bool:
    return stage.examples is not None and stage.examples.passages


def _retrieves(found: Sequence[Reply]) -> bool:
    return any(reply.sources is not None for reply in found)
