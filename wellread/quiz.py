"""What is to be known, asked, answered and judged: records, and the protocols of judges. Standard library only.

They are part of `types`, from where all else imports them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

Part = Literal["train", "validation", "held_out"]


@dataclass(frozen=True, slots=True)
class Term:
    """One entry of a glossary, in one of its senses."""

    name: str
    expansion: str = ""
    """What an acronym stands for; empty for a word that only has a definition."""
    definition: str = ""
    notes: str = ""
    aliases: tuple[str, ...] = ()
    """Other names of the same thing."""
    facts: tuple[str, ...] = ()
    """Words that an answer must hold to be a right definition, by which definitions that are no expansions are judged."""
    sense: str = ""
    """Which of several meanings this is; empty where there is one."""


QuestionKind = Literal["forward", "reverse", "context", "definition", "invented", "outside"]


@dataclass(frozen=True, slots=True)
class Question:
    """What a model is asked after it was taught, in words it was not taught with; a row of questions.jsonl."""

    id: str
    prompt: str
    expected: tuple[str, ...]
    """Answers that are right, any of them; none where `facts` judge, and for invented terms, which have no answer."""
    kind: QuestionKind
    term: str = ""
    facts: tuple[str, ...] = ()
    """Words that a right answer holds, all of them; empty where `expected` judges."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Question:
        return cls(**{**row, "expected": tuple(row["expected"]), "facts": tuple(row.get("facts", ()))})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to a question."""

    question: Question
    text: str
    part: Part = "held_out"
    """The part that the question belongs to."""
    finish: Literal["stop", "length"] = "stop"
    taught: bool = True
    """Whether training named the term at all."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A judge's verdict on one answer."""

    right: bool | None
    """None where the judge gave no verdict that can be read: such an answer is counted, and scored neither way."""
    reason: str = ""


class Judge(Protocol):
    """Someone who reads answers beside the expected ones."""

    @property
    def name(self) -> str: ...

    def grade(self, answers: Sequence[Answer]) -> list[Grade]:
        """A grade for each answer, in order. Raises ModelError where the judge cannot be asked."""
        ...


class Embedder(Protocol):
    """Texts in, vectors out, whose cosine says how near two texts are in meaning."""

    @property
    def name(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> Any:
        """An array (texts, width). Raises ModelError or MissingPackage where it cannot be opened."""
        ...


class PairScorer(Protocol):
    """A cross-encoder: it reads two texts at once and says how far they mean the same."""

    @property
    def name(self) -> str: ...

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """A score for each pair, higher for nearer. Raises ModelError or MissingPackage where it cannot be opened."""
        ...
