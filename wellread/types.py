"""The records that flow through the house, and the protocols its rooms meet by. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from wellread.finding import Chunk as Chunk
from wellread.finding import Retriever as Retriever
from wellread.gold import GoldPassage as GoldPassage
from wellread.gold import GoldQuestion as GoldQuestion
from wellread.gold import Reply as Reply
from wellread.quiz import Answer as Answer
from wellread.quiz import Embedder as Embedder
from wellread.quiz import Grade as Grade
from wellread.quiz import Judge as Judge
from wellread.quiz import PairScorer as PairScorer
from wellread.quiz import Part as Part
from wellread.quiz import Question as Question
from wellread.quiz import QuestionKind as QuestionKind
from wellread.quiz import Term as Term

Better = Literal["higher", "lower"]
Message = Mapping[str, str]
"""One turn of a chat: `role` (system, user, assistant) and `content`."""
Prompt = str | Sequence[Message]
"""A beginning to go on from, or a chat to answer."""
REAL_CHAPTERS = "real chapters"
"""Subject of measurements of the author's own held-out text: the ceiling of what a model's writing may reach."""
FEWER_BITS = "weights in "
"""Begins the note of what was measured on weights in less than float32."""


def last_words(prompt: Prompt) -> str:
    """A prompt as text: of a chat, what was said last."""
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of text with its place: what every loader yields, and, once divided, one chapter of a book."""

    id: str
    text: str
    source: str = ""
    """The file it came from, as given."""
    section: str = ""
    """The heading it stands under; empty where the source has none."""
    offset: int = 0
    """Characters from the beginning of the source's cleaned text to the beginning of this text."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


def kind_of(section: str, metadata: Mapping[str, Any]) -> str:
    """What a document is to a reader: what it says, else a chapter where it has a heading, else a passage."""
    return str(metadata.get("kind") or ("chapter" if section else "passage"))


def unit_of(documents: Sequence[Document]) -> str:
    """What documents are to a reader."""
    return unit_of_kinds(kind_of(each.section, each.metadata) for each in documents)


def unit_of_kinds(kinds: Iterable[str]) -> str:
    """Chapter, passage or example; section where they are of several kinds."""
    several = set(kinds)
    return several.pop() if len(several) == 1 else "section" if several else "passage"


@dataclass(frozen=True, slots=True)
class Removal:
    """What one cleaning rule changed: how often, with one example a person can judge."""

    rule: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that could not be read, and why."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """The cleaned, divided and split text. `split` names document ids by part; the parts are disjoint."""

    documents: tuple[Document, ...]
    split: Mapping[Part, tuple[str, ...]]
    cleaning: tuple[Removal, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    """What the split had to do, for the report: near-duplicates moved, passages cut, overlaps allowed."""

    def part(self, name: Part) -> tuple[Document, ...]:
        """The documents of one part, in the order of the book."""
        wanted = set(self.split[name])
        return tuple(document for document in self.documents if document.id in wanted)

    def unseen(self) -> tuple[Document, ...]:
        """The documents that nothing is trained on: those of validation, then those held out."""
        return (*self.part("validation"), *self.part("held_out"))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn. `temperature=0` is greedy; `top_k=0`, `top_p=1`, `min_p=0` switch a filter off."""

    max_tokens: int = 200
    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0
    n: int = 1
    no_recite: int = 0
    """Never write more than this many words of the corpus in a row (the guard); 0: no guard."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a model said."""

    prompt: str
    """The beginning; of a chat, what was said last."""
    completion: str
    settings: Sampling
    seed: int
    """The seed of this very sample: `settings.seed` plus its place among the n."""
    subject: str = ""
    finish: Literal["stop", "length"] = "length"
    sources: tuple[Chunk, ...] = ()
    """What was laid before the model with the prompt, in the order of its numbers: [1] is the first."""
    tokens_read: int = 0
    tokens_written: int = 0
    """As who wrote it counted prompt and completion; both 0 where nobody told."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One text under one model, token by token: parallel sequences (numpy arrays in practice) of equal length.

    A text's tokens lie in order and their byte spans cover it: `ends[i] == starts[i + 1]`, the last end is
    `len(text.encode())`. A token that holds part of a character spans the bytes it holds.
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]
    """Byte offsets in the UTF-8 encoding of `text`."""
    logprobs: Sequence[float]
    """Natural logarithms."""
    greedy: Sequence[bool]
    """Whether greedy decoding would have chosen this very token here."""


class LanguageModel(Protocol):
    """A local checkpoint, a GGUF file, an endpoint or a model with retrieval: all are measured alike."""

    @property
    def name(self) -> str: ...

    @property
    def tokenizer_name(self) -> str:
        """Named beside every perplexity: perplexities of two tokenizers do not compare."""
        ...

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        """`sampling.n` samples for each prompt, prompt by prompt; the same seed gives the same text.

        A chat is written as the model's own template has it; a model without one reads what was said, line by line.
        """
        ...

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """Every token of every text, given the tokens before it in its window.

        Each text begins after the tokenizer's BOS or separator. A text longer than `length` tokens (default: the
        model's own window) is scored in windows `stride` tokens apart (default: half of `length`); in every window
        but the first, only the last `stride` tokens count, so each has at least `length - stride` tokens of context,
        behind the BOS once more where the tokenizer puts one before every text.
        With `length=100, stride=50` the tokens 50..99, 100..149, … are each predicted from exactly the 50 tokens
        before their span plus the span so far. Raises ModelError where a backend cannot score.
        """
        ...


@runtime_checkable
class StructuredModel(Protocol):
    """A model whose answers can be held to a JSON Schema."""

    @property
    def name(self) -> str: ...

    def generate_json(self, prompts: Sequence[Prompt], sampling: Sampling, schema: Mapping[str, Any]) -> list[Sample]:
        """As `LanguageModel.generate`, every completion one JSON value of the schema, closed within `max_tokens`.

        Raises ModelError where the schema cannot be compiled, or its shortest value takes more than `max_tokens`.
        """
        ...

    def follows(self, text: str, schema: Mapping[str, Any]) -> bool:
        """Whether `generate_json` could say this JSON text: one line, `, ` and `: `, keys in the schema's order."""
        ...


@dataclass(frozen=True, slots=True)
class Extracted:
    """One text's references as they are and as a subject found them, ready to be counted."""

    row: str
    unit: str
    """The passage that the text is a variant of: what intervals resample."""
    split: str
    """`held_out` for a row that the subject was not taught on, `blind` for one of the blind test."""
    works: tuple[frozenset[Any], frozenset[Any]]
    """The works named in the right answer, and those found."""
    lines: tuple[frozenset[Any], frozenset[Any]]
    """The places named in the right answer, and those found, one by one."""
    valid: bool = True
    """Whether the answer is JSON of the schema."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One unit of a ratio: value = sum of numerators / sum of denominators; intervals resample the tallies."""

    unit: str
    """Document id, or `document#piece` for a piece of 30 words."""
    numerator: float
    denominator: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number about one subject, which never travels alone."""

    name: str
    value: float | None
    """None where it could not be measured; then `note` says why."""
    unit: str = ""
    subject: str = ""
    split: str = ""
    n: int = 0
    """How many things were counted: tokens, spans, words (see `unit` and `note`)."""
    low: float | None = None
    high: float | None = None
    """The 95 % interval."""
    better: Better | None = None
    note: str = ""
    interval_over: str = ""
    """What was resampled: "chapters", "passages", "documents", "blocks of 300 words" or "items"; empty where nothing could be."""
    tallies: tuple[Tally, ...] = ()
    """What the interval, and a paired difference to another subject, are computed from."""

    def __post_init__(self) -> None:
        if self.value is None and not self.note:
            raise ValueError(f"{self.name}: a measurement without a value needs a note that says why")

    def of(self, subject: str) -> Measurement:
        return replace(self, subject=subject)

    def as_json(self) -> dict[str, Any]:
        """The line of measurements.jsonl; tallies as [unit, numerator, denominator]."""
        row = asdict(self)
        row["tallies"] = [[t.unit, t.numerator, t.denominator] for t in self.tallies]
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Measurement:
        tallies = tuple(Tally(*tally) for tally in row.get("tallies", ()))
        return cls(**{**row, "tallies": tallies})


@dataclass(frozen=True, slots=True)
class Match:
    """A run of words that a text shares with the corpus."""

    start: int
    end: int
    """Characters in the text that was searched."""
    words: int
    document: str
    section: str
    offset: int
    """Characters from the beginning of that document's text."""


@dataclass(slots=True)
class Evidence:
    """What the pipeline gathered about one subject; metrics read it, and share its scores."""

    subject: str
    corpus: Corpus
    model: LanguageModel | None = None
    samples: Sequence[Sample] = ()
    general: Sequence[Document] = ()
    """Text of other kinds, by which forgetting is measured: the split `general`."""
    passages: Sequence[Sample] = ()
    """Further writing, after words of the validation part: enough of it to measure a style by."""
    references: Sequence[Document] = ()
    """Other texts, which a style is told apart from; those of one `source` are one text."""
    style_words: int = 0
    """Words that a style is measured by, if more than 5,000."""
    answers: Sequence[Answer] = ()
    """What the subject said to the questions it was asked."""
    asked_of: Mapping[str, int] = field(default_factory=dict)
    """By part, how many questions there are, of which a sample may have been asked."""
    embedder: Embedder | None = None
    cross_encoder: PairScorer | None = None
    judge: Judge | None = None
    quick_words: int | None = None
    """Measure at most about this many words of each part (a stated sample, spread evenly); None measures all."""
    extracted: Sequence[Extracted] = ()
    """What the subject found in labelled texts, beside what is there."""
    replies: Sequence[Reply] = ()
    """What the subject said to gold questions."""
    retriever: Retriever | None = None
    """What finds sources for the subject."""
    gold: Sequence[GoldQuestion] = ()
    """Questions by whose passages the retriever is measured."""
    seed: int = 0
    cache: dict[Any, Any] = field(default_factory=dict)
    """Results that metrics share (scores of a part, the corpus index); a pipeline may pass one to two subjects
    only for what does not depend on the model."""
    progress: Callable[[str], None] = lambda line: None


@runtime_checkable
class Metric(Protocol):
    def __call__(self, evidence: Evidence, /) -> list[Measurement]: ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that transformers or peft can load, and where it came from."""

    path: Path
    method: str
    """scratch, lora, …"""
    base: str | None
    """What it was tuned from: the MODEL as the recipe names it; None from scratch."""
    fingerprint: str
