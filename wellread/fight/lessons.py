"""Texts in, what is taught of them out: items written about them, and chats without and with passages in view.

synthesis/items.jsonl   every question with its answer and the words of the text it was made of
synthesis/closed.jsonl  chats of question and answer
synthesis/open.jsonl    chats with passages in view, right ones and others, as RAFT has them (Zhang et al. 2024, 2403.10131)
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from wellread.errors import CorpusError, RunError
from wellread.function_words import language as language_of_words
from wellread.generation.endpoint import EndpointModel, Foreseen, is_endpoint
from wellread.matching import words
from wellread.metrics.citations import holds
from wellread.recipe.questions import Fight
from wellread.retrieval.prompt import Count, build_prompt, refusal
from wellread.storage import read_rows, write_json, write_rows
from wellread.synthesis import documents as by_templates
from wellread.synthesis import documents_by_model
from wellread.synthesis.documents import Item, apart
from wellread.synthesis.written import Failed, Rejected, chat
from wellread.types import Chunk, Corpus, Document, GoldPassage, GoldQuestion, Retriever

ITEMS, CLOSED, OPEN, SUMMARY, KEPT = "items.jsonl", "closed.jsonl", "open.jsonl", "synthesis.json", "replies"
DEEPER = 3
"""So many times the passages in view are looked through for others that do not answer."""


def language(documents: Sequence[Document]) -> str:
    """`en` or `fr`, as most words of the documents are; `en` where neither has many."""
    counts = Counter(word for document in documents for word, _, _ in words(document.text))
    return language_of_words(counts) or "en"


def written_items(
    documents: Sequence[Document], asked: Sequence[GoldQuestion], settings: Fight, folder: Path, *, seed: int,
    key: str = "", say: Callable[[str], None] = lambda line: None,
) -> list[Item]:  # fmt: skip
    """The items of the documents, written once, without any that comes too near to a question that is asked later.

    Raises CorpusError where nothing is left, RunError where an endpoint failed on some passages: run again.
    """
    if (folder / ITEMS).is_file():
        return [Item(**row) for row in read_rows(folder / ITEMS)]
    tongue = language(documents) if settings.language == "auto" else settings.language
    rejected: list[Rejected] = []
    failed: list[Failed] = []
    if is_endpoint(settings.writer):
        model = EndpointModel(settings.writer, key=key, cache=folder / KEPT)
        say(f"asking {model.name} to write questions about {len(documents)} sections")
        made, rejected, failed = documents_by_model.write(documents, model, language=tongue, seed=seed)
    elif settings.writer == "templates":
        made = by_templates.items(documents, language=tongue, phrasings=settings.phrasings, seed=seed)
    else:
        raise CorpusError(
            f"writer {settings.writer!r}: a writer is `templates` or an endpoint, http(s)://host:port/v1#model."
        )
    if failed:
        raise RunError(
            f"{len(failed)} passages could not be asked about ({failed[0].term}: {failed[0].reason}); run again."
        )
    items, near = apart(made, [question.question for question in asked])
    if not items:
        raise CorpusError(
            "nothing could be written about the texts: they have no sentence that a template can ask about."
        )
    write_json(folder / SUMMARY, {
        "writer": settings.writer, "language": tongue, "documents": len(documents), "items": len(items),
        "tasks": dict(Counter(item.task for item in items)), "rejected": [asdict(each) for each in rejected],
        "near_gold_questions": [item.question for item in near],
    })  # fmt: skip
    write_rows(folder / ITEMS, map(asdict, items))
    say(f"{len(items):,} questions were written; {count_near(near)}")
    return items


def foresee(documents: Sequence[Document], settings: Fight, folder: Path, *, seed: int = 0, key: str = "") -> Foreseen:
    """Calls and tokens that `written_items` would take; calls nobody and writes nothing."""
    if not is_endpoint(settings.writer):
        return Foreseen(0, 0, 0, 0)
    tongue = language(documents) if settings.language == "auto" else settings.language
    asked = [prompt for _, prompt in documents_by_model.calls(documents, language=tongue)]
    model = EndpointModel(settings.writer, key=key, cache=folder / KEPT)
    return model.foreseen(asked, documents_by_model.sampling(seed), schema=documents_by_model.SCHEMA)


def count_near(near: Sequence[Item]) -> str:
    """How many were left out for coming near to a gold question, in words."""
    if not near:
        return "none of them comes near to a gold question"
    return f"{len(near)} more came too near to a gold question and {'was' if len(near) == 1 else 'were'} left out"


def closed_chats(items: Sequence[Item]) -> list[Document]:
    """Question and answer, with nothing in view."""
    return [_example("closed", number, item, chat(item.question, item.answer)) for number, item in enumerate(items, 1)]


def open_chats(
    items: Sequence[Item], retriever: Retriever, settings: Fight, *, count: Count, budget: int, tongue: str, seed: int
) -> list[Document]:
    """Questions with the passages that a search finds in view, the answer followed by the number of the one that says it.

    Of a share of `settings.without` the passages that answer are taken out of view, and the answer is the refusal. A
    passage that answers and was not found takes the place of the last one. At most `settings.rows`, spread evenly over
    the tasks and the texts; short answers before renderings.
    """
    draw = random.Random(f"wellread open {seed}")
    rows: list[Document] = []
    for item in spread([item for item in items if item.short] or items, settings.rows, seed=seed):
        passage = GoldPassage(item.quote)
        found = retriever.retrieve(item.question, DEEPER * settings.passages)
        others = [chunk for chunk in found if not holds(chunk, passage)]
        shown = found[: settings.passages]
        if draw.random() < settings.without:
            shown = others[: settings.passages]
        elif not any(holds(chunk, passage) for chunk in shown):
            right = _answering(passage, found, retriever)
            if right is None:
                continue
            shown = [*shown[: settings.passages - 1]]
            shown.insert(draw.randint(0, len(shown)), right)
        laid = build_prompt(item.question, shown, count=count, budget=budget, language=tongue)
        numbers = [number for number, chunk in enumerate(laid.chunks, 1) if holds(chunk, passage)]
        answer = f"{item.answer.rstrip('.')} [{numbers[0]}]." if numbers else refusal(tongue)
        messages = [*map(dict, laid.messages), {"role": "assistant", "content": answer}]
        kind = item if numbers else replace(item, task=f"{item.task}-without")
        rows.append(_example("open", len(rows) + 1, kind, messages))
    return rows


def spread(items: Sequence[Item], most: int, *, seed: int) -> list[Item]:
    """At most so many items: those of every task in turn, in an order drawn by the seed; one way of asking a thing before
    a second."""
    draw = random.Random(f"wellread spread {seed}")
    by_task: dict[str, list[Item]] = defaultdict(list)
    for item in draw.sample(list(items), len(items)):
        by_task[item.task].append(item)
    for task, several in by_task.items():
        seen: Counter[tuple[str, str]] = Counter()
        turns = []
        for item in several:
            turns.append(seen[item.quote, item.answer])
            seen[item.quote, item.answer] += 1
        order = sorted(range(len(several)), key=lambda place: turns[place])
        by_task[task] = [several[place] for place in order]
    chosen: list[Item] = []
    place = 0
    while len(chosen) < min(most, len(items)):
        chosen += [several[place] for several in by_task.values() if place < len(several)]
        place += 1
    return chosen[:most]


def _answering(passage: GoldPassage, found: Sequence[Chunk], retriever: Retriever) -> Chunk | None:
    """A chunk that holds a passage: among those found, or by a search for its own words."""
    several = [*found, *retriever.retrieve(passage.quote, DEEPER)]
    return next((chunk for chunk in several if holds(chunk, passage)), None)


def _example(kind: str, number: int, item: Item, messages: Sequence[dict[str, Any]]) -> Document:
    text = "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)
    told = {"kind": "example", "messages": [dict(each) for each in messages], "task": item.task, "quote": item.quote}
    return Document(f"{kind}-{number:05d}", text, item.source, item.section, metadata=told)


def write_chats(path: Path, chats: Sequence[Document]) -> None:
    """Keep what a stage reads, one chat a line."""
    write_rows(
        path, ({**chat.metadata, "id": chat.id, "source": chat.source, "section": chat.section} for chat in chats)
    )


def chats_of(path: Path) -> list[Document]:
    """What `write_chats` kept."""
    found = []
    for row in read_rows(path):
        text = "\n\n".join(f"{message['role']}: {message['content']}" for message in row["messages"])
        told = {key: value for key, value in row.items() if key not in ("id", "source", "section")}
        found.append(Document(row["id"], text, row["source"], row["section"], metadata=told))
    return found


def lesson_corpus(chats: Sequence[Document], validation: float, *, seed: int) -> Corpus:
    """Chats to train on, and about a share of them to watch; those made of the same words of the text go together."""
    draw = random.Random(f"wellread lessons {seed}")
    quotes = sorted({str(chat.metadata["quote"]) for chat in chats})
    watched = set(draw.sample(quotes, max(1, round(validation * len(quotes)))))
    train = tuple(chat.id for chat in chats if chat.metadata["quote"] not in watched)
    aside = tuple(chat.id for chat in chats if chat.metadata["quote"] in watched)
    if not train:
        raise CorpusError(f"{len(chats)} questions could be written about the texts: too few to teach; add text.")
    return Corpus(tuple(chats), {"train": train, "validation": aside, "held_out": ()})
