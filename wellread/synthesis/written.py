"""What a writer hands over: examples to train on, questions to judge by, and what was not let in or could not be had."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wellread.types import Document, Question


@dataclass(frozen=True, slots=True)
class Rejected:
    """An answer that was written and not let in, and why."""

    term: str
    reason: str
    example: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A term for which a writer gave nothing that could be used, and why."""

    term: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """Examples as Documents whose `metadata["messages"]` training reads, with the term and the task each is of."""

    examples: tuple[Document, ...]
    questions: tuple[Question, ...]
    rejected: tuple[Rejected, ...] = ()
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, Any]:
        """How many examples of each task, questions of each kind, and rejected answers for each reason."""
        return {
            "examples": dict(Counter(each.metadata["task"] for each in self.examples)),
            "questions": dict(Counter(each.kind for each in self.questions)),
            "rejected": dict(Counter(each.reason for each in self.rejected)),
            "failed": len(self.failed),
        }


def chat(asked: str, answered: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]


def example(number: int, task: str, term: str, messages: Sequence[Mapping[str, str]], source: str) -> Document:
    """An example as the house has it: what was said in `metadata`, its text for people to read."""
    text = "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)
    metadata = {"kind": "example", "messages": [dict(message) for message in messages], "task": task, "term": term}
    return Document(f"{task}-{number:05d}", text, source, term, metadata=metadata)


def example_row(document: Document) -> dict[str, Any]:
    """The row of a file of examples, which the loader of examples reads."""
    return {key: document.metadata[key] for key in ("messages", "task", "term")}
