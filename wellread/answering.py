"""The task of extraction in rows, schema and canon; and a subject's answers to its rows, kept in a file with what is right.

Whoever answers (a model, patterns, an encoder), the answer is JSON text; it is read, held beside the right one, and counted alike.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from wellread.canon.reading import Canon
from wellread.canon.references import of_answer
from wellread.canon.resolving import places, works
from wellread.corpus.labelled import Row, read_rows, stratified
from wellread.errors import UsageError
from wellread.forms import arranged, load_form
from wellread.generation.extraction import extract, question
from wellread.generation.structured import spelled
from wellread.recipe import Recipe
from wellread.recipe.extraction import Extraction
from wellread.resolving import open_canon
from wellread.runs import Run
from wellread.storage import write_rows
from wellread.types import Extracted, LanguageModel, Message, StructuredModel


@dataclass(frozen=True, slots=True)
class Task:
    """The rows with their folds, the schema and the canon: what all subjects share."""

    asked: Extraction
    schema: dict[str, Any]
    canon: Canon | None
    rows: tuple[Row, ...]
    """Gold answers stand in the schema's order."""
    folds: tuple[int, ...]
    """For each row its fold, from 1 on; 0 for a blind one."""

    def of(self, fold: int) -> list[Row]:
        return [row for row, number in zip(self.rows, self.folds, strict=True) if number == fold]

    def outside(self, fold: int) -> list[Row]:
        """The open rows of the other folds."""
        return [row for row, number in zip(self.rows, self.folds, strict=True) if number not in (0, fold)]


def prepare(recipe: Recipe, paths: Sequence[Path]) -> Task:
    """Rows, schema, canon and folds. Folds are stratified by how many references a text has, and to which work."""
    asked = recipe.extract
    assert asked is not None
    schema = load_form(asked.form)
    canon = open_canon(asked.canon) if asked.canon else None
    rows = tuple(
        Row(row.id, row.text, arranged(row.gold, schema), row.group, row.blind) for row in read_rows(paths, asked)
    )
    open_rows = [row for row in rows if not row.blind]
    parts = stratified(open_rows, strata_of(open_rows, asked), asked.folds, seed=recipe.seed)
    numbers = {row.id: part + 1 for row, part in zip(open_rows, parts, strict=True)}
    return Task(asked, schema, canon, rows, tuple(numbers.get(row.id, 0) for row in rows))


def structured(model: LanguageModel) -> StructuredModel:
    """The model, if its answers can be held to a schema. Raises UsageError where they cannot."""
    if not isinstance(model, StructuredModel):
        raise UsageError(
            f"{model.name}: its answers cannot be held to a schema yet; name a checkpoint that transformers loads."
        )
    return model


def ask(
    model: StructuredModel, task: Task, rows: Sequence[Row],
    shown: Callable[[Row], Sequence[tuple[str, Any]]] = lambda row: (),
) -> list[str]:  # fmt: skip
    """A model's answers to rows, each with what is `shown` before it. Raises ModelError, before anything is answered, where one
    does not fit the model's window."""
    asked: list[list[Message]] = [question(row.text, task.schema, task.asked.instruction, shown(row)) for row in rows]
    return extract(model, asked, task.schema, max_tokens=task.asked.max_tokens)


def as_answer(items: Any, task: Task) -> str:
    """A list of references where the schema has it."""
    for name in reversed(task.asked.coordinates.items.split(".") if task.asked.coordinates.items else []):
        items = {name: items}
    return spelled(arranged(items, task.schema))


def keep(
    this: Run, subject: str, task: Task, rows: Sequence[Row], answers: Callable[[Sequence[Row]], Iterable[str]],
    model: StructuredModel,
) -> None:  # fmt: skip
    """Answers with whether they follow the schema and are right, in one file, whole or absent."""
    if kept_file(this, subject).is_file():
        return
    kept = []
    for row, said in zip(rows, answers(rows), strict=True):
        value, valid = read_answer(said, task, model)
        kept.append({"row": row.id, "answer": value, "valid": valid, "said": said})
    by_row = {row["row"]: row for row in kept}
    for each in counted(task, by_row):
        by_row[each.row]["right"] = each.valid and each.works[0] == each.works[1] and each.lines[0] == each.lines[1]
    write_rows(kept_file(this, subject), kept)


def read_answer(said: str, task: Task, model: StructuredModel) -> tuple[Any, bool]:
    try:
        value = json.loads(said)
    except json.JSONDecodeError:
        return None, False
    return value, model.follows(said, task.schema)


def counted(task: Task, kept: dict[str, dict[str, Any]]) -> list[Extracted]:
    """What was found in the rows of the task that were answered, beside what is there."""
    found = []
    for row, fold in zip(task.rows, task.folds, strict=True):
        if row.id in kept:
            gold, said = (of_answer(value, task.asked.coordinates) for value in (row.gold, kept[row.id]["answer"]))
            found.append(
                Extracted(
                    row.id,
                    row.group,
                    "held_out" if fold else "blind",
                    (works(gold), works(said)),
                    (places(gold, task.canon), places(said, task.canon)),
                    bool(kept[row.id]["valid"]),
                )
            )
    return found


def shots(rows: Sequence[Row], asked: Extraction, *, seed: int) -> list[tuple[str, Any]]:
    """Rows to be shown, one of a group, of every number of references in turn, so that a text without any is among several.

    The commonest kind stands last: a small model repeats what it saw last. Only the shorter half is shown: the question
    itself must find room beside them.
    """
    firsts = list({row.group: row for row in reversed(rows)}.values())
    random.Random(seed).shuffle(firsts)
    sizes = {row.id: len(row.text) + len(spelled(row.gold)) for row in firsts}
    drawn = [row for row in firsts if sizes[row.id] <= median(sizes.values())]
    counts = {row.id: count for row, (count, _) in zip(firsts, strata_of(firsts, asked), strict=True)}
    common = Counter(counts.values())
    by_count: dict[int, list[Row]] = {}
    for row in drawn:
        by_count.setdefault(counts[row.id], []).append(row)
    kinds = [by_count[count] for count in sorted(by_count, key=lambda count: (common[count], count))]
    parts: list[list[Row]] = [[] for _ in kinds]
    while sum(map(len, parts)) < min(asked.shots, len(drawn)):
        for several, part in zip(reversed(kinds), reversed(parts), strict=True):
            if several and sum(map(len, parts)) < asked.shots:
                part.append(several.pop())
    chosen = [row for part in parts for row in part]
    return [(row.text, row.gold) for row in chosen]


def kept_file(this: Run, subject: str) -> Path:
    return this.path / "answers" / f"{subject}.jsonl"


def strata_of(rows: Sequence[Row], asked: Extraction) -> list[tuple[int, str]]:
    """How many references a text has (0, 1, more), and to which work the first is."""
    found = [of_answer(row.gold, asked.coordinates) for row in rows]
    return [(min(len(each), 2), str(each[0].work) if each else "") for each in found]
