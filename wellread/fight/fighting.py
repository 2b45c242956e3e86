"""A recipe with `fight` in, its measurements out: base, retrieval, tuning and both, asked the same gold questions alike.

Everything is kept in the run folder and passed over when the run goes on: the store, what was written about the texts
(`synthesis/`), every subject's replies (`answers/`, and together in answers.csv), and what preparing took.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wellread.asking import Keys
from wellread.errors import ModelError
from wellread.fight.comparing_answers import reads_passages
from wellread.fight.gold_asking import TOGETHER, below, read_replies, replies, write_replies, write_replies_table
from wellread.fight.lessons import (
    CLOSED,
    OPEN,
    chats_of,
    closed_chats,
    lesson_corpus,
    open_chats,
    write_chats,
    written_items,
)
from wellread.fight.sides import Fought, begin, timed
from wellread.fight.weighing import measured_sides, refused_of, retrieves, search_alone, untried
from wellread.gathering import Watch, watched
from wellread.indexing import Wanted, index_texts
from wellread.models import open_model
from wellread.recipe import Recipe, Stage
from wellread.reports.fight import sides_of
from wellread.retrieval.prompt import build_prompt
from wellread.retrieval.rag import with_retrieval
from wellread.retrieval.store import open_store
from wellread.runs import Run
from wellread.storage import write_text
from wellread.teaching import train_stage
from wellread.types import Chunk, Document, LanguageModel, Measurement, Prompt, Reply, Retriever


def fight(
    this: Run, recipe: Recipe, paths: Sequence[Path], *, mark: str, offline: bool, keys: Keys, watch: Watch,
    strict: bool = False,
) -> list[Measurement]:  # fmt: skip
    """Measurements of every side, of retrieval alone, and the paired differences of each two sides. Raises UsageError
    for what the user can mend."""
    fought = begin(this, recipe, paths, offline=offline, watch=watch, strict=strict)
    if few := untried(fought):
        watch.say(f"when to refuse what the text does not answer: {few}")
    store = _store(fought, paths)
    items = timed(fought, "write", lambda: written_items(
        fought.documents, fought.gold, fought.settings, this.synthesis, seed=recipe.seed,
        key=keys(fought.settings.writer), say=watch.say,
    ))  # fmt: skip
    said = _untaught(fought, store)
    for number, stage in enumerate(recipe.stages, 1):
        lessons = _lessons(fought, items, store, stage)
        said[stage.name] = _taught(fought, (number, stage), lessons, store, mark=mark)
    refused = refused_of(fought, store)
    said = {name: below(found, refused) if refused and retrieves(found) else found for name, found in said.items()}
    write_replies_table(this.path / "answers.csv", said)
    return [*measured_sides(fought, said, keys), *search_alone(fought, store)]


def _store(fought: Fought, paths: Sequence[Path]) -> Any:
    place = fought.run.path / "store"
    settings = fought.settings

    def build() -> Any:
        wanted = Wanted(chunker=settings.chunker, size=settings.size)
        index_texts(paths, place, wanted=wanted, embedder=settings.embedder, strict=fought.strict,
                    offline=fought.offline, watch=fought.watch)  # fmt: skip
        return open_store(place, offline=fought.offline)

    return timed(fought, "index", build)


def _lessons(fought: Fought, items: Sequence[Any], store: Retriever, stage: Stage) -> Path:
    """The file of what a stage reads, written once."""
    seen = reads_passages(stage)
    path = fought.run.synthesis / (OPEN if seen else CLOSED)
    if not path.is_file():
        chats = timed(fought, "lay", lambda: _seen(fought, items, store, stage)) if seen else closed_chats(items)
        write_chats(path, chats)
        fought.watch.say(
            f"{stage.name}: {len(chats):,} questions with their answers{', passages in view' if seen else ''}"
        )
    return path


def _seen(fought: Fought, items: Sequence[Any], store: Retriever, stage: Stage) -> list[Document]:
    """Questions with passages in view, so that an answer has room beside them in the stage's windows."""
    model = open_model(fought.base, offline=fought.offline)
    return open_chats(
        items, store, fought.settings, count=_counter(model), tongue=fought.tongue, seed=fought.recipe.seed,
        budget=stage.windows.length - fought.recipe.answers.max_tokens,
    )  # fmt: skip


def _counter(model: Any) -> Callable[[str], int]:
    """How many tokens a user's turn of this text takes, with the frame around it."""
    return lambda text: int(model.count([{"role": "user", "content": text}]))


def _kept(fought: Fought, subject: str, ask: Callable[[], list[Reply]]) -> list[Reply]:
    """A subject's replies, asked for once."""
    path = fought.run.path / "answers" / f"{subject}.jsonl"
    if not path.is_file():
        fought.watch.say(f"asking {subject} {len(fought.gold)} questions")
        write_replies(path, ask())
    return read_replies(path, fought.gold)


def _untaught(fought: Fought, store: Retriever) -> dict[str, list[Reply]]:
    """The replies of the base: alone, with retrieval, and with the whole text where that has room."""
    recipe, sides = fought.recipe, sides_of(fought.recipe)
    opened: list[LanguageModel] = []

    def base() -> LanguageModel:
        if not opened:
            opened.append(watched(open_model(fought.base, offline=fought.offline), fought.watch))
        return opened[0]

    said = {
        sides.base: _kept(fought, "base", lambda: replies(base(), fought.gold, recipe.answers)),
        sides.retrieval: _kept(fought, "base+retrieval", lambda: _with_passages(fought, base(), store)),
    }
    if sides.whole and (found := _whole_in_view(fought, base)) is not None:
        said[sides.whole] = found
    return said


def _with_passages(fought: Fought, model: LanguageModel, store: Retriever) -> list[Reply]:
    retrieving = with_retrieval(model, store, k=fought.settings.passages, language=fought.tongue)
    return replies(retrieving, fought.gold, fought.recipe.answers)


def _whole_in_view(fought: Fought, base: Callable[[], Any]) -> list[Reply] | None:
    """The replies of the base with all texts laid before it as one source, asked for once; None where these do not fit, which
    is kept and said."""
    place = fought.run.path / "answers"
    why, kept = place / "base+text.txt", place / "base+text.jsonl"
    if why.is_file():
        return None
    if kept.is_file():
        return read_replies(kept, fought.gold)
    try:
        model, prompts, needed = _laid_whole(fought, base())
    except ModelError as error:
        write_text(why, str(error))
        fought.watch.say(f"base+text is not asked: {error}")
        return None
    settings = fought.recipe.answers
    return _kept(
        fought,
        "base+text",
        lambda: replies(model, fought.gold, settings, prompts=prompts, at_once=max(1, TOGETHER // needed)),
    )


def _laid_whole(fought: Fought, model: Any) -> tuple[LanguageModel, list[Prompt], int]:
    """A model with room for all texts beside any question, what it is asked, and the tokens of the longest with its answer.
    Raises ModelError where there is no such room."""
    text = "\n\n".join(document.text for document in fought.documents)
    whole = Chunk("text", 0, len(text), text, fought.documents[0].source)
    prompts: list[Prompt] = [
        build_prompt(each.question, [whole], count=len, budget=10**12, language=fought.tongue).messages
        for each in fought.gold
    ]
    needed = max(map(model.count, prompts)) + fought.recipe.answers.max_tokens
    if needed <= model.window:
        return model, prompts, needed
    if model.positions is not None and needed > model.positions:
        raise ModelError(f"the whole text does not fit the model's window ({needed:,} tokens of {model.positions:,})")
    wider = open_model(fought.base, offline=fought.offline, window=needed)
    return watched(wider, fought.watch), prompts, needed


def _taught(fought: Fought, numbered: tuple[int, Stage], lessons: Path, store: Retriever, *, mark: str) -> list[Reply]:
    """Train one stage, on its own lessons; then its replies, with retrieval where it has learned with passages in view."""
    this, recipe, (number, stage) = fought.run, fought.recipe, numbered
    folder = this.stage(number, stage.name)
    if folder.checkpoint.is_dir():
        shutil.rmtree(folder.path / "resume", ignore_errors=True)  # left by a kill just after the checkpoint was saved
    else:
        corpus = lesson_corpus(chats_of(lessons), recipe.corpus.validation, seed=recipe.seed)
        train_stage(this, recipe, corpus, numbered, mark=mark, offline=fought.offline, watch=fought.watch)

    def ask() -> list[Reply]:
        model = watched(open_model(str(folder.checkpoint), offline=fought.offline), fought.watch)
        seen = reads_passages(stage)
        return _with_passages(fought, model, store) if seen else replies(model, fought.gold, recipe.answers)

    return _kept(fought, stage.name, ask)
