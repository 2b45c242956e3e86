"""What a recipe asks of its models and how the answers are judged; how a glossary becomes conversations. As records."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from wellread.recipe.methods import Record

HONEST = ("false_definition_rate", "over_refusal_rate")
EXTRACTED = ("reference_exact", "work_f1", "line_f1")
"""Measures of extraction by which weights may be chosen."""
ANSWERED = ("recall_exact", "recall_embedding", "recall_cross_encoder", "recall_judge", *HONEST)
"""The metrics that need questions."""
REPLIED = (
    "answer_exact", "answer_f1", "citation_precision", "citation_recall", "refusal_rate", "wrong_refusal_rate",
    "seconds_per_answer", "tokens_per_answer",
)  # fmt: skip
"""The metrics of replies to gold questions; without these they give nothing."""
FOUND = ("retrieval_recall", "retrieval_mrr")
"""The metrics of a search for the passages that answer gold questions."""


class SynthesisSettings(Record):
    """How the conversations and the questions of a glossary are written."""

    writer: str = "templates"
    """`templates` (no model, the same every time), or an endpoint: `http://localhost:11434/v1#model`."""
    language: Literal["auto", "en", "fr"] = "auto"
    """Of the conversations; `auto`: as the glossary's own text is."""
    phrasings: int = Field(default=9, ge=2)
    """How many conversations are written about a term."""
    honesty: float = Field(default=0.25, ge=0, le=1)
    """Conversations about names that do not exist, as a share of those about terms."""
    invented: str = ""
    """A file of names that exist nowhere, which are only asked about; empty: those of an embedded glossary, for others they
    are made up."""
    outside: str | None = None
    """A file of real terms of no glossary; None: the embedded ones of the language; empty: none."""


class Answering(Record):
    """How questions are asked, the same of the base and of every stage, and who judges the answers."""

    max_tokens: int = Field(default=64, ge=1)
    """Longest answer, in tokens; decoding is greedy."""
    stops: tuple[str, ...] = ("\n\n",)
    """An answer ends before the first of these."""
    validation: float = Field(default=0.3, gt=0, lt=1)
    """Share of the questions that may be looked at while training; the others are held out, to be asked at the end."""
    most: int = Field(default=400, ge=1)
    """Questions of a part that are asked at most, spread evenly; a sample is said to be one."""
    watched: int = Field(default=24, ge=0)
    """Validation questions asked with every evaluation while a stage trains; 0: none."""
    embedder: str = "auto"
    """For `recall_embedding`: a model of static or sentence embeddings, by name or folder; `auto`: what is installed."""
    cross_encoder: str | None = None
    """For `recall_cross_encoder`: a sentence-transformers cross-encoder, by name or folder."""
    judge: str | None = None
    """For `recall_judge`: the MODEL that judges, as a rule an endpoint such as `http://localhost:8080/v1#model`."""

    @field_validator("stops")
    @classmethod
    def stops_say_something(cls, stops: tuple[str, ...]) -> tuple[str, ...]:
        if "" in stops:
            raise ValueError("an empty stop would leave every answer empty: remove it")
        return stops


class Fight(Record):
    """The fair fight of retrieval and tuning over the recipe's texts: what is written about them, and how they are searched."""

    writer: str = "templates"
    """Who writes questions about the texts to be taught: `templates`, or an endpoint, `http://localhost:11434/v1#model`."""
    language: Literal["auto", "en", "fr"] = "auto"
    """Of what is written, and of the prompts; `auto`: as the texts are."""
    phrasings: int = Field(default=3, ge=1)
    """In how many ways each thing is asked."""
    rows: int = Field(default=600, ge=1)
    """Questions with passages in view that are taught, at most, spread evenly."""
    without: float = Field(default=0.2, ge=0, lt=1)
    """Share of these in whose view the passage that answers is missing, so that the answer is a refusal."""
    passages: int = Field(default=3, ge=1)
    """Passages laid before a model, in teaching and in asking; fewer where they do not fit."""
    chunker: str = "paragraphs"
    """How texts are cut into passages."""
    size: int = Field(default=100, ge=20)
    """Tokens of a passage, at most."""
    embedder: str = "auto"
    """The embedder of the store."""
    threshold: bool = True
    """Refuse, with retrieval, below a score of the best passage that is chosen by nested cross-validation on the questions."""
    whole: bool = True
    """Ask the base with the whole text in view, too, where its window has room."""
