"""A recipe that extracts in, its measurements out: every row is answered by a model that was not taught on it.

The rows are parted into folds, variants of one passage together; each fold is a run of its own under `folds/`, trained on
the other folds. Then one model is trained on all open rows: it is the run's own, and the only one that answers the blind
rows. Beside it stand the patterns of the recipe, the untuned base, and the base that is shown a few rows. What is done is
kept in `answers/` and passed over when the run goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.answering import (
    Task,
    as_answer,
    ask,
    counted,
    keep,
    kept_file,
    prepare,
    read_answer,
    shots,
    strata_of,
    structured,
)
from wellread.canon.references import items_of
from wellread.corpus.ingest import write_corpus
from wellread.corpus.labelled import Row, stratified
from wellread.errors import CorpusError, ModelError, UsageError
from wellread.forms import fault
from wellread.gathering import Watch
from wellread.generation.extraction import taught
from wellread.generation.patterns import find
from wellread.generation.structured import spelled
from wellread.metrics import EXTRACTION, measure
from wellread.metrics.intervals import difference
from wellread.models import open_model
from wellread.recipe import Recipe, Stage
from wellread.recipe.questions import EXTRACTED
from wellread.runs import Run
from wellread.storage import read_rows, write_rows
from wellread.teaching import train_stage
from wellread.training import processes
from wellread.types import Corpus, Document, Evidence, Measurement

if TYPE_CHECKING:
    from wellread.training.session import Watched

BASE, PATTERN, FEW_SHOT, ENCODER = "base", "pattern", "few-shot", "encoder"
NO_ENCODER = "no encoder was named: none comes with wellread; name a folder or hub id as extract.encoder"


def cross_validate(
    this: Run, recipe: Recipe, paths: Sequence[Path], *, mark: str, offline: bool, watch: Watch
) -> list[Measurement]:
    """Measurements of the taught model, the base, the base with a few rows shown and the patterns, and the taught
    model's paired differences to each. Raises UsageError for what the user can mend."""
    assert recipe.extract is not None
    if processes.world() > 1:
        raise UsageError("cross-validation trains one fold after another: start it in one process, without torchrun.")
    strange = [name for name in recipe.measure.metrics if name not in EXTRACTION]
    if strange:
        raise UsageError(f"measure.metrics: {strange[0]} is not of extraction; there are {', '.join(EXTRACTION)}.")
    task = prepare(recipe, paths)
    keep_rows(this, task)
    stage = recipe.stages[0]
    watch.say(
        f"{len(task.rows)} texts, {sum(number == 0 for number in task.folds)} of them blind; {task.asked.folds} folds"
    )
    ask_the_untaught(this, recipe, task, offline=offline, watch=watch)
    ask_the_encoder(this, recipe, task, offline=offline, watch=watch)
    for fold in range(1, task.asked.folds + 1):
        of_fold = Run(this.path / "folds" / str(fold))
        watch.say(f"fold {fold} of {task.asked.folds}")
        teach_and_ask(of_fold, recipe, task, task.outside(fold), task.of(fold), mark=mark, offline=offline, watch=watch)
    watch.say("all folds together, for the blind rows")
    teach_and_ask(this, recipe, task, task.outside(0), task.of(0), mark=mark, offline=offline, watch=watch)
    return measured(this, recipe, task, stage)


def checked_rows(recipe: Recipe, paths: Sequence[Path]) -> None:
    """Raises CorpusError for rows that cannot be read, or whose answers have other keys than the schema, before anything is kept."""
    task = prepare(recipe, paths)
    for row in task.rows:
        if wrong := fault(row.gold, task.schema):
            raise CorpusError(f"{row.id}: by the schema (extract.form) {wrong}; mend the row, or name your own schema.")


def keep_rows(this: Run, task: Task) -> None:
    """`corpus/rows.jsonl`: every row with its fold."""
    rows = zip(task.rows, task.folds, strict=True)
    write_rows(this.corpus / "rows.jsonl", ({**asdict(row), "fold": fold} for row, fold in rows))


def ask_the_untaught(this: Run, recipe: Recipe, task: Task, *, offline: bool, watch: Watch) -> None:
    """The answers of the patterns, of the base, and of the base that is shown rows of the other folds."""
    asked, base = task.asked, str(recipe.base)
    wanted = [PATTERN, BASE, FEW_SHOT]
    wanted = [each for each in wanted if (each != PATTERN or asked.patterns.find) and (each != FEW_SHOT or asked.shots)]
    if all(kept_file(this, subject).is_file() for subject in wanted):
        return
    model = structured(open_model(base, offline=offline))
    for row in task.rows:
        if not model.follows(spelled(row.gold), task.schema):
            raise CorpusError(
                f"{row.id}: its answer {spelled(row.gold)[:80]} does not follow the schema; mend the row."
            )
    if asked.patterns.find:
        by_pattern = [as_answer(find(row.text, asked.patterns), task) for row in task.rows]
        keep(this, PATTERN, task, task.rows, lambda rows: by_pattern, model)
    if asked.shots and not kept_file(this, FEW_SHOT).is_file():
        # the longest prompts first: what has no room is told before anything is answered
        watch.say(f"{base} answers {len(task.rows)} texts, with {asked.shots} others shown")
        by_fold = [shots(task.outside(fold), asked, seed=recipe.seed) for fold in range(asked.folds + 1)]
        shown = {row.id: by_fold[fold] for row, fold in zip(task.rows, task.folds, strict=True)}
        try:
            keep(this, FEW_SHOT, task, task.rows, lambda rows: ask(model, task, rows, lambda row: shown[row.id]), model)
        except ModelError as error:
            raise ModelError(f"with extract.shots={asked.shots} texts shown before each (0: none): {error}") from None
    watch.say(f"{base} answers {len(task.rows)} texts")
    keep(this, BASE, task, task.rows, lambda rows: ask(model, task, rows), model)


def ask_the_encoder(this: Run, recipe: Recipe, task: Task, *, offline: bool, watch: Watch) -> None:
    """The answers of a token classifier, for every fold trained anew on the others."""
    asked = task.asked
    if asked.encoder is None or kept_file(this, ENCODER).is_file():
        return
    from wellread.generation.tagging import Tagger

    found: dict[str, str] = {}
    for fold in range(asked.folds + 1):
        watch.say(f"{asked.encoder} as a token classifier, {f'fold {fold}' if fold else 'for the blind rows'}")
        tagger = Tagger(asked.encoder, asked.coordinates, asked.patterns, seed=recipe.seed, offline=offline)
        tagger.fit([(row.text, items_of(row.gold, asked.coordinates)) for row in task.outside(fold)])
        rows = task.of(fold)
        found |= {
            row.id: as_answer(items, task)
            for row, items in zip(rows, tagger.find([row.text for row in rows]), strict=True)
        }
    model = structured(open_model(str(recipe.base), offline=offline))
    keep(this, ENCODER, task, task.rows, lambda rows: [found[row.id] for row in rows], model)


def teach_and_ask(
    this: Run, recipe: Recipe, task: Task, rows: Sequence[Row], after: Sequence[Row], *, mark: str, offline: bool,
    watch: Watch,
) -> None:  # fmt: skip
    """Train the recipe's stage on rows, some of them kept for validation; then its answers to others."""
    stage = recipe.stages[0]
    read, watched = _watched(recipe, task, rows)
    corpus = _corpus(task, read, watched, after)
    folder = this.stage(1, stage.name)
    if not (this.corpus / "split.json").is_file():
        write_corpus(corpus, this.corpus)
    if folder.checkpoint.is_dir():
        shutil.rmtree(folder.path / "resume", ignore_errors=True)  # left by a kill just after the checkpoint was saved
    else:
        train_stage(this, recipe, corpus, (1, stage), mark=mark, offline=offline, watch=watch,
                    judged=_judge(task, stage, watched))  # fmt: skip
    if after and not kept_file(this, stage.name).is_file():
        watch.say(f"{stage.name} answers {len(after)} texts that it was not taught on")
        model = structured(open_model(str(folder.checkpoint), offline=offline))
        keep(this, stage.name, task, after, lambda asked: ask(model, task, asked), model)


def whole_corpus(recipe: Recipe, paths: Sequence[Path]) -> Corpus:
    """What the model of all open rows reads, as examples: for plans."""
    task = prepare(recipe, paths)
    return _corpus(task, *_watched(recipe, task, task.outside(0)), task.of(0))


def measured(this: Run, recipe: Recipe, task: Task, stage: Stage) -> list[Measurement]:
    """Every subject by the recipe's metrics, or all there are; then the taught model less each of the others."""
    names = recipe.measure.metrics or EXTRACTION
    found: list[Measurement] = []
    folds = [Run(this.path / "folds" / str(fold)) for fold in range(1, task.asked.folds + 1)]
    for subject in (BASE, FEW_SHOT, PATTERN, ENCODER, stage.name):
        files = [kept_file(each, subject) for each in (*folds, this)]
        kept = {row["row"]: row for file in files if file.is_file() for row in read_rows(file)}
        if kept:
            extracted = counted(task, kept)
            called = str(recipe.base) if subject == BASE else subject
            gathered = Evidence(called, Corpus((), {}), extracted=extracted, seed=recipe.seed)
            found += measure(gathered, names)
    taught_rows = {(row.name, row.split): row for row in found if row.subject == stage.name}
    pairs = [(taught_rows.get((row.name, row.split)), row) for row in found if row.subject != stage.name]
    if task.asked.encoder is None:
        found.append(Measurement("reference_exact", None, subject=ENCODER, split="held_out", note=NO_ENCODER))
    return found + [difference(mine, other, seed=recipe.seed) for mine, other in pairs if mine is not None]


def _judge(task: Task, stage: Stage, watched: Sequence[Row]) -> Callable[[Any], Watched] | None:
    """For a tokenizer, what a model in training makes of rows, by the metric that the stage goes by."""
    if stage.best_by not in EXTRACTED:
        return None
    from wellread.generation.hf import TransformersModel

    def of_tokenizer(tokenizer: Any) -> Watched:
        def judged(model: Any) -> dict[str, float]:
            opened = TransformersModel(model, tokenizer, stage.name)
            kept = {}
            for row, each in zip(watched, ask(opened, task, watched), strict=True):
                value, valid = read_answer(each, task, opened)
                kept[row.id] = {"answer": value, "valid": valid}
            [found, *_] = measure(Evidence(stage.name, Corpus((), {}), extracted=counted(task, kept)), [stage.best_by])
            return {stage.best_by: found.value or 0.0}

        return judged

    return of_tokenizer


def _watched(recipe: Recipe, task: Task, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows to train on, and those to validate on: one part of as many as the recipe's share of validation makes."""
    count = round(1 / recipe.corpus.validation)
    parts = stratified(rows, strata_of(rows, task.asked), count, seed=recipe.seed)
    numbered = list(zip(rows, parts, strict=True))
    return [row for row, part in numbered if part], [row for row, part in numbered if not part]


def _corpus(task: Task, rows: Sequence[Row], watched: Sequence[Row], after: Sequence[Row]) -> Corpus:
    """The rows as examples: what is trained on, what is validated on, what is not looked at."""
    parts = {"train": rows, "validation": watched, "held_out": after}
    documents = tuple(_example(row, task) for several in parts.values() for row in several)
    train, validation, held_out = (tuple(row.id for row in several) for several in parts.values())
    return Corpus(documents, {"train": train, "validation": validation, "held_out": held_out})


def _example(row: Row, task: Task) -> Document:
    messages = taught(row.text, task.schema, task.asked.instruction, row.gold)
    text = f"{row.text}\n{spelled(row.gold)}"
    return Document(row.id, text, section=row.group, metadata={"kind": "example", "messages": messages})
