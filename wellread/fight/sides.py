"""What all sides of a fair fight share: texts in sections, gold questions, who stands for what, and what preparing took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wellread.corpus.cleaning import clean
from wellread.corpus.ingest import read_documents, write_corpus
from wellread.corpus.reading import load
from wellread.errors import UsageError
from wellread.fight.comparing_answers import gold_questions, reads_passages
from wellread.fight.lessons import closed_chats, language, lesson_corpus, open_chats
from wellread.gathering import Watch
from wellread.recipe import Recipe, Stage
from wellread.recipe.questions import ANSWERED, FOUND, REPLIED, Fight
from wellread.recipe.settings import CorpusSettings
from wellread.retrieval.chunking import Chunking, Outline, chunks_of
from wellread.retrieval.exact import ExactRetriever
from wellread.runs import Run
from wellread.storage import read_json, write_json, write_rows
from wellread.synthesis.documents import items
from wellread.texts import found
from wellread.training import processes
from wellread.training.estimate import most_memory
from wellread.types import Corpus, Document, GoldQuestion

BYTES_PER_TOKEN = 4
"""Of prose, about."""


@dataclass(frozen=True, slots=True)
class Fought:
    """What all sides share."""

    run: Run
    recipe: Recipe
    settings: Fight
    gold: tuple[GoldQuestion, ...]
    documents: tuple[Document, ...]
    """The texts in sections."""
    tongue: str
    offline: bool
    watch: Watch
    strict: bool = False
    """Whether a text that cannot be read ends the fight."""

    @property
    def base(self) -> str:
        return str(self.recipe.base)


def sections_of(
    paths: Sequence[Path], *, strict: bool = False, say: Callable[[str], None] = lambda line: None
) -> list[Document]:
    """The texts in the sections that their formats state, cleaned as the store has them; what is passed over in a folder is said.
    Raises CorpusError where nothing can be read, and with `strict` for the first file that cannot be."""
    documents, skipped = load(list(paths), strict=strict)
    for each in skipped:
        say(f"skipped {each.source}: {each.reason}")
    return clean(documents)[0]


def begin(
    this: Run, recipe: Recipe, paths: Sequence[Path], *, offline: bool, watch: Watch, strict: bool = False
) -> Fought:
    """What all sides share; the texts as a corpus, and the gold questions, are kept in the run, once all of them were read.
    Raises UsageError for metrics that are none of answers, and where several processes were started."""
    assert recipe.fight is not None, "a recipe with `fight` comes here"
    if processes.world() > 1:
        raise UsageError("a fair fight trains one side after another: start it in one process, without torchrun.")
    strange = [name for name in recipe.measure.metrics if name not in (*REPLIED, *ANSWERED, *FOUND)]
    if strange:
        raise UsageError(
            f"measure.metrics: {strange[0]} is not of answers; there are {', '.join((*REPLIED, *ANSWERED, *FOUND))}."
        )
    gold = gold_questions(found(recipe.questions))
    told = (this.corpus / "split.json").is_file()
    sections = sections_of(paths, strict=strict, say=(lambda line: None) if told else watch.say)
    if not told:
        watch.say("reading " + ", ".join(path.name for path in paths))
        documents, cleaning, skipped = read_documents(paths, CorpusSettings())
        ids = tuple(document.id for document in documents)
        write_corpus(Corpus(tuple(documents), {"train": ids, "validation": (), "held_out": ()}, tuple(cleaning), tuple(skipped)),
                     this.corpus)  # fmt: skip
    write_rows(this.questions / "gold.jsonl", map(asdict, gold))
    settings = recipe.fight
    tongue = language(sections) if settings.language == "auto" else settings.language
    return Fought(this, recipe, settings, tuple(gold), tuple(sections), tongue, offline, watch, strict)


def timed(fought: Fought, step: str, work: Callable[[], Any]) -> Any:
    """What a step gives. What it took is kept, of all tries together where it was stopped and gone on with, but for one that
    was killed outright; a step that is done takes nothing more where it is passed over."""
    path = fought.run.preparation
    begun, done = time.perf_counter(), False
    try:
        result = work()
        done = True
    finally:
        kept = read_json(path, optional=True) or {}
        before = kept.get(step, {"seconds": 0.0, "bytes": 0, "done": False})
        if not before.get("done", True):
            seconds = before["seconds"] + time.perf_counter() - begun
            memory = max(before["bytes"], most_memory())
            write_json(path, {**kept, step: {"seconds": seconds, "bytes": memory, "done": done}})
    return result


def foreseen_lessons(recipe: Recipe, paths: Sequence[Path], stage: Stage) -> Corpus:
    """About what a stage would read, for a plan: written by templates, its passages found by keywords; calls nobody."""
    settings = recipe.fight
    assert settings is not None, "a recipe with `fight` comes here"
    documents = sections_of(paths)
    tongue = language(documents) if settings.language == "auto" else settings.language
    made = items(documents, language=tongue, phrasings=settings.phrasings, seed=recipe.seed)
    if not reads_passages(stage):
        return lesson_corpus(closed_chats(made), recipe.corpus.validation, seed=recipe.seed)
    how = Chunking(settings.chunker, settings.size)
    outlines = [
        Outline(each.id, each.text, each.source, ((0, each.section),) if each.section else ()) for each in documents
    ]
    search = ExactRetriever([chunk for outline in outlines for chunk in chunks_of(outline, how)])
    chats = open_chats(
        made, search, settings, count=lambda text: len(text.encode()) // BYTES_PER_TOKEN, tongue=tongue, seed=recipe.seed,
        budget=stage.windows.length - recipe.answers.max_tokens,
    )  # fmt: skip
    return lesson_corpus(chats, recipe.corpus.validation, seed=recipe.seed)
